import type { Socket } from 'node:net';
import WebSocket from 'ws';
import type { CloseReport } from '../../machines/policy/close.ts';
import { areFrameBytes, type Frame, type FrameBytes, isUtf8 } from '../frame.ts';
import { publicLookup } from './public-lookup.ts';
import { refusedConnection } from './refused.ts';
import {
  type Connection,
  shortReason,
  type Transport,
  type TransportHandlers,
  type TransportOptions,
} from './transport.ts';

/**
 * Bytes that are read from one connection before everything else has its turn: some milliseconds of work. A frame counts for
 * so many at least, because looking at a short one takes its time as well.
 */
const READ_AT_ONCE = 128 * 1024;
const FRAME_COUNTS_MIN = 256;

/** Whether frames are left in bytes: found out once, and not for every frame. */
const IN_BYTES = areFrameBytes(Buffer.alloc(0));
const frameOf = (data: Buffer): Frame => (IN_BYTES ? (data as Buffer & FrameBytes) : data.toString('utf8'));

const retryAfterMs = (header: string | undefined): number | undefined => {
  const seconds = header === undefined ? Number.NaN : Number(header);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : undefined;
};

/** WebSockets in Node, by `ws`: no compression, no redirects, frames limited in size and in number of fragments. */
export const wsTransport: Transport = {
  name: 'ws',
  open: (url, options, handlers) => {
    try {
      return new WsConnection(url, options, handlers);
    } catch (error) {
      return refusedConnection(error, handlers);
    }
  },
};

class WsConnection implements Connection {
  readonly #socket: WebSocket;
  #failure: Partial<CloseReport> | undefined;
  #done = false;
  /** The socket underneath, once it is there; frames of one turn of the event loop leave it together. */
  #raw: Socket | undefined;
  #corked = false;
  /** Bytes since the last rest, and whether it rests. */
  #readBytes = 0;
  #isResting = false;
  #isPaused = false;

  constructor(url: string, options: TransportOptions, handlers: TransportHandlers) {
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      followRedirects: false,
      // Left to whoever makes texts of the bytes: of most that comes from several relays, nobody does.
      skipUTF8Validation: IN_BYTES,
      maxPayload: options.frameBytesMax,
      ...(options.allowPrivate ? {} : { lookup: publicLookup }),
    });
    this.#socket = socket;
    socket.on('upgrade', (response) => {
      this.#raw = response.socket;
    });
    socket.on('open', () => {
      if (this.#done) return;
      // Before ws takes them: when they come, and what is left when the other side is gone.
      const read = (): void => {
        if (!this.#done) handlers.onRead?.();
      };
      this.#raw?.prependListener('data', read).prependListener('close', read);
      handlers.onOpen();
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (this.#done) return;
      this.#readBytes += Math.max(FRAME_COUNTS_MIN, data.length);
      if (this.#readBytes > READ_AT_ONCE) this.#rest();
      if (isBinary) handlers.onBinary(data);
      else handlers.onFrame(frameOf(data));
    });
    socket.on('pong', () => {
      if (!this.#done) handlers.onPong();
    });
    socket.on('unexpected-response', (request, response) => {
      const afterMs = retryAfterMs(response.headers['retry-after']);
      this.#failure = {
        reason: `the upgrade was answered with HTTP ${response.statusCode}`,
        ...(response.statusCode === undefined ? {} : { httpStatus: response.statusCode }),
        ...(afterMs === undefined ? {} : { retryAfterMs: afterMs }),
      };
      // The body is not read: whatever it says, it is not a relay.
      request.destroy();
      response.destroy();
      socket.terminate();
    });
    // Stays until the end: ws may emit errors late, and one without a listener would end the process.
    socket.on('error', (error: Error & { code?: string }) => {
      // ws reports what the other side did to the protocol as an error, with the close code in the message it sends.
      const brokeProtocol = error.code?.startsWith('WS_ERR_') === true;
      this.#failure ??= { reason: shortReason(error.message), ...(brokeProtocol ? { brokeProtocol } : {}) };
      if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#failure = { ...this.#failure, code: 1009 };
    });
    socket.on('close', (code: number, reason: Buffer) => {
      if (this.#done) return;
      this.#done = true;
      if (!isUtf8(reason)) {
        this.#failure ??= { code: 1007, reason: 'the reason for closing was not UTF-8', brokeProtocol: true };
      }
      handlers.onClose({ code, reason: shortReason(reason.toString('utf8')), ...this.#failure });
    });
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  get receivedBytes(): number | undefined {
    return this.#raw?.bytesRead;
  }

  ping(): boolean {
    if (this.#done || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#cork();
    this.#socket.ping();
    return true;
  }

  send(frame: string): boolean {
    if (this.#done || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#cork();
    this.#socket.send(frame);
    return true;
  }

  // A system call a frame costs more than everything else that is done for it.
  #cork(): void {
    if (this.#corked || !this.#raw) return;
    this.#corked = true;
    this.#raw.cork();
    process.nextTick(() => this.#uncork());
  }

  #uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#raw?.uncork();
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#isResting) this.#socket.resume();
  }

  // Node goes on reading for as long as there is something to read, up to two megabytes, and nothing else happens meanwhile.
  #rest(): void {
    this.#readBytes = 0;
    if (this.#isResting) return;
    this.#isResting = true;
    this.#socket.pause();
    setImmediate(() => {
      this.#isResting = false;
      if (!this.#isPaused) this.#socket.resume();
    });
  }

  close(code = 1000): void {
    // What it answers must be read.
    this.resume();
    this.#socket.close(code);
  }

  terminate(): void {
    this.#done = true;
    // What was taken for sending, such as why it is closed, leaves first.
    this.#uncork();
    this.#socket.terminate();
  }
}
