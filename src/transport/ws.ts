import type { ClientRequestArgs } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import WebSocket from 'ws';
import type { CloseReport } from '../../machines/policy/close.ts';
import { areFrameBytes, type Frame, type FrameBytes, isUtf8 } from '../frame.ts';
import { connectToFirst } from './happy-eyeballs.ts';
import { NameResolver } from './name-resolver.ts';
import { platformError } from './platform-error.ts';
import { refusedConnection } from './refused.ts';
import { retryAfterMs } from './retry-after.ts';
import {
  type Address,
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

/** Milliseconds for resolving a name that nobody has resolved before the dial. */
const RESOLVE_MS = 5_000;

/** Host of a URL as sockets take it. */
const hostOf = (url: string): string => new URL(url).hostname.replace(/^\[|\]$/g, '');

const literalOf = (host: string): readonly Address[] | undefined => {
  const family = isIP(host);
  return family === 0 ? undefined : [{ address: host, family: family as 4 | 6 }];
};

/** Addresses that names have led to; the process has one such memory, as operating systems do. */
const names = new NameResolver();

/** WebSockets in Node, by `ws`: no compression, no redirects, frames limited in size and in number of fragments. */
export const wsTransport: Transport = {
  name: 'ws',
  resolve: (url, options) => {
    const host = hostOf(url);
    return literalOf(host) ? undefined : (done) => names.resolve(host, options, done);
  },
  open: (url, options, handlers) => {
    try {
      return new WsConnection(url, options, handlers);
    } catch (error) {
      return refusedConnection(error, handlers);
    }
  },
};

/** A WebSocket that tells when its closing handshake begins. ws itself waits for the other side to close its socket. */
class WatchedWebSocket extends WebSocket {
  onClosing: ((code: number, reason: string | Buffer) => void) | undefined;

  // Called by ws as well, for a Close frame and for a broken frame, as soon as it has read one.
  override close(code = 1005, reason: string | Buffer = ''): void {
    if (code === 1005) super.close();
    else super.close(code, reason);
    this.onClosing?.(code, reason);
  }
}

class WsConnection implements Connection {
  readonly #socket: WatchedWebSocket;
  readonly #handlers: TransportHandlers;
  #failure: Partial<CloseReport> | undefined;
  #done = false;
  /** True if the pool closes it, which the other side answers. */
  #isClosing = false;
  /** True if the other side has begun to close it. */
  #isConcluded = false;
  #frameBytesMax: number;
  #cancelDial: (() => void) | undefined;
  /** The socket underneath, once it is there; frames of one turn of the event loop leave it together. */
  #raw: Socket | undefined;
  #corked = false;
  /** Bytes since the last rest, and whether it rests. */
  #readBytes = 0;
  #isResting = false;
  #isPaused = false;

  constructor(url: string, options: TransportOptions, handlers: TransportHandlers) {
    this.#handlers = handlers;
    this.#frameBytesMax = options.frameBytesMax;
    const request: ClientRequestArgs & Omit<WebSocket.ClientOptions, 'createConnection'> = {
      perMessageDeflate: false,
      followRedirects: false,
      // Left to whoever makes texts of the bytes: of most that comes from several relays, nobody does.
      skipUTF8Validation: IN_BYTES,
      maxPayload: options.frameBytesMax,
      createConnection: (given, done) => {
        this.#dial(url, options, given, done);
        return undefined;
      },
    };
    const socket = new WatchedWebSocket(url, request);
    this.#socket = socket;
    socket.onClosing = (code, reason) => {
      if (!this.#isClosing) this.#conclude(code, reason);
    };
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
      const { 'retry-after': header, date } = response.headers;
      const afterMs = retryAfterMs(header, date, Date.now());
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
      // ws reports a broken protocol as an error, with the close code in the message that it sends.
      const brokeProtocol = error.code?.startsWith('WS_ERR_') === true;
      const { reason, errorCode } = platformError(error);
      this.#failure ??= brokeProtocol
        ? { reason: shortReason(error.message), brokeProtocol }
        : { reason, ...(errorCode === undefined ? {} : { errorCode }) };
      if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#failure = { ...this.#failure, code: 1009 };
      if (brokeProtocol && socket.readyState === WebSocket.CLOSING) this.#tellClosing(1006, '');
    });
    socket.on('close', (code: number, reason: Buffer) => {
      if (this.#done) return;
      this.#done = true;
      handlers.onClose(this.#reportOf(code, reason));
    });
  }

  #dial(
    url: string,
    { addresses, allowPrivate }: TransportOptions,
    given: ClientRequestArgs,
    done: Parameters<NonNullable<ClientRequestArgs['createConnection']>>[1],
  ): void {
    const { protocol, port } = new URL(url);
    const host = hostOf(url);
    const isSecure = protocol === 'wss:';
    // Nobody reads the stream of an error.
    const fail = (error: Error): void => done(error, undefined as never);
    const connect = (to: readonly Address[]): void => {
      this.#cancelDial = connectToFirst(to, Number(port) || (isSecure ? 443 : 80), (error, socket) => {
        this.#cancelDial = undefined;
        if (error || !socket) return fail(error ?? new Error('no address'));
        const servername = isIP(host) === 0 ? host : '';
        done(null, isSecure ? connectTls({ ...(given as object), path: undefined, socket, servername }) : socket);
      });
    };
    const known = addresses ?? literalOf(host);
    if (known) return connect(known);
    this.#cancelDial = names.resolve(host, { allowPrivate, timeoutMs: RESOLVE_MS }, (result) => {
      if ('addresses' in result) return connect(result.addresses);
      const { reason, errorCode } = result.failure;
      fail(Object.assign(new Error(reason), errorCode === undefined ? {} : { code: errorCode }));
    });
  }

  /** A Close frame arrived, or a frame broke the protocol; in that case, the error that says how comes next. */
  #conclude(code: number, reason: string | Buffer): void {
    if (this.#socket.readyState === WebSocket.CLOSING) queueMicrotask(() => this.#tellClosing(code, reason));
  }

  #tellClosing(code: number, reason: string | Buffer): void {
    if (this.#done || this.#isConcluded) return;
    this.#isConcluded = true;
    this.#handlers.onClosing?.(this.#reportOf(code, reason));
  }

  #reportOf(code: number, reason: string | Buffer): CloseReport {
    if (typeof reason !== 'string' && !isUtf8(reason)) {
      this.#failure ??= { code: 1007, reason: 'the reason for closing was not UTF-8', brokeProtocol: true };
    }
    const text = typeof reason === 'string' ? reason : reason.toString('utf8');
    return { code, reason: shortReason(text), ...this.#failure };
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

  /**
   * ws takes the size of messages once, for good. Its receiver keeps it in a field, which a test of this transport watches;
   * without that field, the size holds from the next connection on.
   */
  limitFrames(frameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax;
    const receiver: unknown = Reflect.get(this.#socket, '_receiver');
    if (typeof receiver === 'object' && receiver !== null && '_maxPayload' in receiver) {
      receiver._maxPayload = this.#frameBytesMax;
    }
  }

  close(code = 1000): void {
    this.#isClosing = true;
    // What it answers must be read.
    this.resume();
    this.#socket.close(code);
  }

  terminate(): void {
    this.#done = true;
    this.#cancelDial?.();
    // What was taken for sending, such as why it is closed, leaves first.
    this.#uncork();
    this.#socket.terminate();
  }
}
