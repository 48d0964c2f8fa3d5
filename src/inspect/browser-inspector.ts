import { type Pool, RecloserError, systemClock } from '../index.ts';
import { type InspectorMessage, stamped } from './messages.ts';
import { type ObserveOptions, observePool } from './observe.ts';

export interface BrowserInspectorOptions extends ObserveOptions {
  readonly pool: Pool;
  /** Address of the page: one that `recloser inspect` serves, or the packaged file where the application hosts it. */
  readonly page: string;
  /** Shows the page there. Default: a window of its own, which browsers only allow in answer to a click. */
  readonly iframe?: HTMLIFrameElement | undefined;
  /** What the page calls the pool. Default `recloser`. */
  readonly name?: string | undefined;
}

/** A page that shows a pool of the same browser. */
export interface BrowserInspector {
  stop(): void;
}

/**
 * Shows a pool in a page beside it, by the handshake of the Stately protocol. The pool is observed while the page is open. Throws
 * `INSPECTOR_FAILED` where the browser allows no window.
 */
export function createBrowserInspector(options: BrowserInspectorOptions): BrowserInspector {
  const { pool, iframe, name = 'recloser', clock = systemClock } = options;
  const { href, origin } = new URL(options.page, location.href);
  let unobserve: (() => void) | undefined;
  const disconnect = (): void => {
    unobserve?.();
    unobserve = undefined;
  };
  const emit = (message: InspectorMessage): void => {
    if (target?.closed) return disconnect();
    target?.postMessage(message, origin);
  };
  const hear = ({ source, data, origin: from }: MessageEvent): void => {
    if (source !== target || from !== origin) return;
    if (data?.type === '@statelyai.disconnected') return disconnect();
    if (data?.type !== '@statelyai.connected') return;
    disconnect();
    emit({ type: 'recloser.hello', ...stamped(clock.now()), name, controls: {}, faults: [] });
    unobserve = observePool(pool, emit, options);
  };
  window.addEventListener('message', hear);
  if (iframe) iframe.src = href;
  const target = iframe ? iframe.contentWindow : window.open(href, 'recloser-inspector');
  const stop = (): void => {
    disconnect();
    window.removeEventListener('message', hear);
  };
  if (!target) {
    stop();
    throw new RecloserError(
      'INSPECTOR_FAILED',
      'The browser allows no window here; ask in answer to a click, or give an iframe.',
    );
  }
  return { stop };
}
