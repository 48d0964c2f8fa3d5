import type { AnyActorRef } from 'xstate';
import { type Pool, RecloserError } from '../index.ts';
import { checkRules } from './alerts.ts';
import { type InspectorMessage, type PageRequest, stamped } from './messages.ts';
import { type ObserveOptions, observePool } from './observe.ts';
import { withoutQuery } from './redact.ts';
import { InspectorServer, type InspectorServerOptions } from './server.ts';

/** Something that a page can do to a relay, such as one of a test. */
export interface Fault {
  readonly name: string;
  begin(url: string): unknown;
}

export interface InspectorOptions extends Pick<InspectorServerOptions, 'port' | 'origins'>, ObserveOptions {
  /** The pool to be shown. Without one, the page shows whatever application sends to `applicationUrl`. */
  readonly pool?: Pool | undefined;
  /** What the page calls it. Default `recloser`. */
  readonly name?: string | undefined;
  /** Whether a page may connect and disconnect relays. Default `false`. */
  readonly control?: boolean | undefined;
  /** What a page may break. Default: nothing. */
  readonly faults?: readonly Fault[] | undefined;
  /**
   * Whether the pool is observed before a page is open, so that one which comes later sees the last two minutes. Default
   * `false`: then it costs nothing while nobody watches.
   */
  readonly history?: boolean | undefined;
}

/** A page that shows a pool, or any XState application, served on this machine. */
export interface Inspector extends AsyncDisposable {
  /** Open this in a browser. It has a token in it that lets whoever knows it watch. */
  readonly url: string;
  /** Give this to `createWebSocketInspector` of `@statelyai/inspect`, in any XState 5 application. */
  readonly applicationUrl: string;
  stop(): Promise<void>;
}

/** Events that a page may send, by the id of the chart: those that say all by their name. */
const CONTROLS: Readonly<Record<string, readonly string[]>> = {
  pool: ['CONNECT', 'DISCONNECT'],
  relay: ['CONNECT', 'DISCONNECT'],
};

/**
 * Serves the inspector's page. Rejects with `INSPECTOR_FAILED` where its port is taken, and with `INVALID_OPTION` for an alert
 * without a bound.
 */
export async function createInspector(options: InspectorOptions = {}): Promise<Inspector> {
  const { pool, control = false, faults = [], history = false, name = 'recloser' } = options;
  checkRules(options.alerts ?? []);
  let stopObserving: (() => void) | undefined;
  const hello = (): InspectorMessage => ({
    type: 'recloser.hello',
    ...stamped(options.clock?.now() ?? Date.now()),
    name,
    controls: control ? CONTROLS : {},
    faults: faults.map((fault) => fault.name),
  });
  const observe = (): void => {
    if (!pool || stopObserving || pool.actor.getSnapshot().status !== 'active') return;
    server.tell(hello());
    stopObserving = observePool(pool, (message) => server.tell(message), options);
  };
  const server = await InspectorServer.start({
    ...options,
    watched: (pages) => {
      if (pages > 0) return observe();
      if (history || !stopObserving) return;
      stopObserving();
      stopObserving = undefined;
      server.forget();
    },
    asked: (request) => {
      if (pool) carryOut(pool, request, control, faults);
    },
  });
  if (history) observe();
  const stop = async (): Promise<void> => {
    stopObserving?.();
    await server.stop();
  };
  return { url: server.url, applicationUrl: server.applicationUrl, stop, [Symbol.asyncDispose]: stop };
}

/** Does what a page asks for, where it may. What is not there any more is nobody's fault. */
function carryOut(pool: Pool, request: PageRequest, control: boolean, faults: readonly Fault[]): void {
  if (request.type === 'recloser.break') {
    // The page knows addresses without what may follow a question mark.
    const url = Object.keys(pool.status()).find((each) => withoutQuery(each) === request.url);
    const fault = faults.find(({ name }) => name === request.fault);
    if (url === undefined || !fault) return;
    // Whoever presses a button on a page takes nobody down with it.
    new Promise((resolve) => resolve(fault.begin(url))).catch(() => {});
    return;
  }
  const { sessionId, event } = request;
  const snapshot = pool.actor.getSnapshot();
  if (!control || snapshot.status !== 'active') return;
  const relay = (Object.values(snapshot.children) as AnyActorRef[]).find((child) => child?.sessionId === sessionId);
  const isPool = pool.actor.sessionId === sessionId;
  const url = relay?.id.startsWith('relay:') ? relay.id.slice('relay:'.length) : undefined;
  if (!isPool && url === undefined) return;
  try {
    if (event === 'CONNECT') pool.connect(url);
    else if (event === 'DISCONNECT') pool.disconnect(url);
  } catch (error) {
    // It left, or the pool was closed, since the page was drawn.
    if (!(error instanceof RecloserError)) throw error;
  }
}
