import { type InspectorMessage, isInspectorMessage, type PageRequest } from '../../src/inspect/messages.ts';

/** Where messages come from, and where a request can be sent to. */
export interface Feed {
  request(request: PageRequest): void;
  stop(): void;
}

export interface FeedHandlers {
  /** What was known does not hold any more: everything is told anew. */
  begin(): void;
  /** `bytes` is how long it was as text. */
  take(message: InspectorMessage, bytes: number): void;
  status(words: string): void;
}

const RETRY_MS = 1_000;

/** The server that this page is from. It is gone back to whenever it was lost. */
export function serverFeed({ begin, take, status }: FeedHandlers): Feed {
  const address = new URL('live', location.href);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  let socket: WebSocket | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const connect = (): void => {
    socket = new WebSocket(address);
    socket.onopen = () => {
      begin();
      status('');
    };
    socket.onmessage = ({ data }) => {
      const text = String(data);
      const message: unknown = JSON.parse(text);
      if (isInspectorMessage(message)) take(message, text.length);
    };
    socket.onclose = () => {
      if (isOver) return;
      status('the server is gone; looking for it');
      retry = setTimeout(connect, RETRY_MS);
    };
  };
  connect();
  return {
    request: (request) => {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(request));
    },
    stop: () => {
      isOver = true;
      clearTimeout(retry);
      socket?.close();
    },
  };
}

/** The application that has opened this page, or has it in a frame: by the handshake of the Stately protocol. */
export function openerFeed(application: Window, { begin, take }: FeedHandlers): Feed {
  const hear = ({ source, data }: MessageEvent): void => {
    if (source === application && isInspectorMessage(data)) take(data, JSON.stringify(data).length);
  };
  addEventListener('message', hear);
  begin();
  // Whoever is there hears only that somebody wants to see; what it then says decides whether it is shown.
  application.postMessage({ type: '@statelyai.connected' }, '*');
  addEventListener('pagehide', () => application.postMessage({ type: '@statelyai.disconnected' }, '*'));
  return {
    request: () => {},
    stop: () => removeEventListener('message', hear),
  };
}
