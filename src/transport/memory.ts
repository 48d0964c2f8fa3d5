import type { CloseReport } from '../../machines/policy/close.ts';
import type { Clock } from '../clock.ts';
import type { Connection, Transport, TransportHandlers, TransportOptions } from './transport.ts';

/** The server's end of a connection in memory. */
export interface MemoryPeer {
  readonly url: string;
  onFrame: (frame: string) => void;
  onClose: (code: number) => void;
  send(frame: string | Uint8Array): void;
  /** Closes with a close frame. */
  close(code?: number, reason?: string): void;
  /** Cuts the connection without one. */
  cut(): void;
}

/** A network without sockets: servers by URL, and a transport that reaches them. */
export interface MemoryNetwork {
  readonly transport: Transport;
  /** Accepts connections to a URL until the function that it returns is called. */
  listen(url: string, onPeer: (peer: MemoryPeer) => void): () => void;
}

/** What travels arrives in order and never at once, each hop on the clock; so a virtual clock decides when. */
export function createMemoryNetwork(clock: Pick<Clock, 'setTimeout'>): MemoryNetwork {
  const servers = new Map<string, (peer: MemoryPeer) => void>();
  return {
    transport: {
      name: 'memory',
      open: (url, options, handlers) => {
        const link = new MemoryLink(url, options, handlers, (deliver) => clock.setTimeout(deliver, 0));
        link.dial(() => servers.get(url));
        return link;
      },
    },
    listen(url, onPeer) {
      servers.set(url, onPeer);
      return () => {
        if (servers.get(url) === onPeer) servers.delete(url);
      };
    },
  };
}

const sizeOf = (frame: string | Uint8Array): number => (typeof frame === 'string' ? frame.length : frame.byteLength);

class MemoryLink implements Connection {
  readonly bufferedBytes = 0;
  readonly #options: TransportOptions;
  readonly #handlers: TransportHandlers;
  readonly #later: (deliver: () => void) => void;
  readonly #peer: MemoryPeer;
  #state: 'dialling' | 'open' | 'closed' = 'dialling';

  constructor(
    url: string,
    options: TransportOptions,
    handlers: TransportHandlers,
    later: (deliver: () => void) => void,
  ) {
    this.#options = options;
    this.#handlers = handlers;
    this.#later = later;
    this.#peer = {
      url,
      onFrame: () => {},
      onClose: () => {},
      send: (frame) => later(() => this.#receive(frame)),
      close: (code = 1000, reason = '') => later(() => this.#end({ code, reason })),
      cut: () => later(() => this.#end({ code: 1006, reason: '' })),
    };
  }

  dial(server: () => ((peer: MemoryPeer) => void) | undefined): void {
    this.#later(() => {
      if (this.#state !== 'dialling') return;
      const accept = server();
      if (!accept) return this.#end({ code: 1006, reason: 'connection refused' });
      this.#state = 'open';
      accept(this.#peer);
      this.#handlers.onOpen();
    });
  }

  send(frame: string): boolean {
    if (this.#state !== 'open') return false;
    this.#later(() => this.#peer.onFrame(frame));
    return true;
  }

  close(): void {
    this.#later(() => this.#end({ code: 1000, reason: '' }));
  }

  terminate(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#later(() => this.#peer.onClose(1006));
  }

  #receive(frame: string | Uint8Array): void {
    if (this.#state !== 'open') return;
    if (sizeOf(frame) > this.#options.frameBytesMax) this.#end({ code: 1009, reason: 'the frame is too large' });
    else this.#handlers.onFrame(frame);
  }

  #end(report: CloseReport): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#peer.onClose(report.code);
    this.#handlers.onClose(report);
  }
}
