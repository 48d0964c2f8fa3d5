import type { CloseReport } from '../../machines/policy/close.ts';
import { refusedConnection } from './refused.ts';
import {
  type Connection,
  shortReason,
  type Transport,
  type TransportHandlers,
  type TransportOptions,
} from './transport.ts';

/** The part of the platform's WebSocket that is used; browsers, Deno, Bun and Node 22 have it. */
export type WebSocketConstructor = new (url: string) => WebSocket;

/**
 * The platform's own WebSocket. It shows neither the answer to a refused upgrade nor a frame before it is complete, so
 * the size limit holds after the fact, and terminating is letting go.
 */
export const webSocketTransport = (construct?: WebSocketConstructor): Transport => ({
  name: 'web-socket',
  open: (url, options, handlers) => {
    try {
      return new PlatformConnection(construct ?? WebSocket, url, options, handlers);
    } catch (error) {
      return refusedConnection(error, handlers);
    }
  },
});

/** `readyState` of a WebSocket that can be sent on, and of one whose closing handshake has begun. */
const OPEN = 1;
const CLOSING = 2;

class PlatformConnection implements Connection {
  readonly #socket: WebSocket;
  readonly #handlers: TransportHandlers;
  #done = false;
  /** True if the pool closes it. */
  #isClosing = false;
  /** True if the other side has begun to close it. */
  #isConcluded = false;
  #frameBytesMax: number;

  constructor(construct: WebSocketConstructor, url: string, options: TransportOptions, handlers: TransportHandlers) {
    const socket = new construct(url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#handlers = handlers;
    this.#frameBytesMax = options.frameBytesMax;
    socket.onopen = () => {
      if (!this.#done) handlers.onOpen();
    };
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (this.#done) return;
      const size = typeof data === 'string' ? data.length : data.byteLength;
      if (size > this.#frameBytesMax) return this.#abandon({ code: 1009, reason: 'the frame is too large' });
      if (typeof data === 'string') handlers.onFrame(data);
      else handlers.onBinary(new Uint8Array(data));
    };
    socket.onclose = ({ code, reason }) => this.#end({ code, reason: shortReason(reason) });
    // A failed attempt is told as an error, and not by every platform as a close as well.
    socket.onerror = () => {
      if (socket.readyState !== OPEN) this.#end({ code: 1006, reason: 'the connection could not be opened' });
    };
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(frame: string): boolean {
    if (this.#done) return false;
    // The platform reports a Close frame only when the other side has closed its socket, but takes nothing more.
    if (this.#socket.readyState === CLOSING && !this.#isClosing) {
      queueMicrotask(() => this.#tellClosing());
    }
    if (this.#socket.readyState !== OPEN) return false;
    this.#socket.send(frame);
    return true;
  }

  limitFrames(frameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax;
  }

  close(): void {
    this.#isClosing = true;
    this.#socket.close(1000);
  }

  terminate(): void {
    this.#done = true;
    this.#socket.close();
  }

  #tellClosing(): void {
    if (this.#done || this.#isConcluded) return;
    this.#isConcluded = true;
    this.#handlers.onClosing?.({ code: 1005, reason: 'the relay is closing the connection' });
  }

  #abandon(report: CloseReport): void {
    if (this.#done) return;
    this.terminate();
    this.#handlers.onClose(report);
  }

  #end(report: CloseReport): void {
    if (this.#done) return;
    this.#done = true;
    this.#handlers.onClose(report);
  }
}
