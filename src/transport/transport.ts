import type { CloseReport } from '../../machines/policy/close.ts';
import type { Frame } from '../frame.ts';

/** What a transport is told about one connection. */
export interface TransportOptions {
  /** Largest frame in bytes that is accepted; a larger one ends the connection with code 1009. */
  readonly frameBytesMax: number;
  /** Whether a name may lead to a loopback or private address. Transports that resolve names check it there. */
  readonly allowPrivate: boolean;
  /** Addresses that `resolve` has found; without them, the transport resolves the name as part of the dial. */
  readonly addresses?: readonly Address[];
}

/** An IP address. */
export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

export interface ResolveOptions {
  /** Whether the name may lead to a loopback or private address. */
  readonly allowPrivate: boolean;
  /** Milliseconds after which it fails. */
  readonly timeoutMs: number;
}

/** Addresses in the order in which they are tried, or why there are none. */
export type Resolution = { readonly addresses: readonly Address[] } | { readonly failure: CloseReport };

/** Begins to resolve a name; calls back once, perhaps at once. Returns the function that cancels it. */
export type Lookup = (done: (result: Resolution) => void) => () => void;

/**
 * What a connection reports. `onOpen` comes at most once, `onClose` exactly once and last, and none is called before
 * `open` has returned or after `terminate`. Handlers must not throw.
 */
export interface TransportHandlers {
  onOpen(): void;
  /** Bytes have arrived, and what is whole by them follows at once. A transport that cannot tell leaves it out. */
  onRead?(): void;
  /** A text message. Where that is bytes, nobody changes them afterwards, and they need not have been found to be UTF-8. */
  onFrame(frame: Frame): void;
  /** A binary message. */
  onBinary(data: Uint8Array): void;
  /** The answer to `ping`. */
  onPong(): void;
  /**
   * A Close frame arrived, or a frame broke the protocol, in this very turn: nothing is sent or received any more. `onClose`
   * follows when the socket is closed, which is up to the other side. A transport that cannot tell leaves it out.
   */
  onClosing?(report: CloseReport): void;
  onClose(report: CloseReport): void;
}

export interface Connection {
  /** Bytes that were accepted for sending and have not left yet. */
  readonly bufferedBytes: number;
  /** Bytes that have arrived, of whole frames or not, where the platform counts them. */
  readonly receivedBytes?: number | undefined;
  /** Whether the frame was taken for sending: false when the connection is not open. */
  send(frame: string): boolean;
  /** Sends a ping frame (RFC 6455 section 5.5.2), where the platform can; whether it was taken for sending. */
  ping?(): boolean;
  /** Applies another frame size to a connection that is open. A transport that cannot leaves it out. */
  limitFrames?(frameBytesMax: number): void;
  /** Reads nothing more until it resumes, where the platform can: the other side is held up by that. */
  pause?(): void;
  resume?(): void;
  /**
   * Closes politely; `onClose` follows, at the latest when the other side goes away. The code, 1000 by default, is sent where
   * the platform lets it be.
   */
  close(code?: number): void;
  /** Lets go at once, from any state. Nothing is reported after that. */
  terminate(): void;
}

/**
 * Opens connections. It never throws and has no deadline of its own: the relay's chart has one for resolving the name and one
 * for the dial, and terminates what exceeds them.
 */
export interface Transport {
  readonly name: string;
  /**
   * Resolves the relay's name apart from the dial, so that names which take long hold no dial up. Nothing if there is nothing to
   * resolve. A transport whose platform resolves names as part of the dial leaves it out.
   */
  resolve?(url: string, options: ResolveOptions): Lookup | undefined;
  open(url: string, options: TransportOptions, handlers: TransportHandlers): Connection;
}

/** Longest close reason that is passed on, in characters. */
const REASON_LENGTH_MAX = 200;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A reason without characters that move a terminal's cursor or turn text around, cut to a safe length. */
export const shortReason = (reason: unknown): string =>
  String(reason).slice(0, REASON_LENGTH_MAX).replace(UNSAFE, '\ufffd');
