import type { CloseReport } from '../../machines/policy/close.ts';
import type { Frame } from '../frame.ts';

/** What a transport is told about one connection. */
export interface TransportOptions {
  /** Largest frame in bytes that is accepted; a larger one ends the connection with code 1009. */
  readonly frameBytesMax: number;
  /** Whether a name may lead to a loopback or private address. Transports that resolve names check it there. */
  readonly allowPrivate: boolean;
}

/**
 * What a connection tells. `onOpen` comes at most once, `onClose` exactly once and last, and none is called before
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
 * Opens connections. It never throws and has no deadline of its own: the relay's chart has one, from the look-up of the
 * name to the accepted upgrade, and terminates a connection that exceeds it.
 */
export interface Transport {
  readonly name: string;
  open(url: string, options: TransportOptions, handlers: TransportHandlers): Connection;
}

/** Longest close reason that is passed on, in characters. */
const REASON_LENGTH_MAX = 200;

export const shortReason = (reason: unknown): string => String(reason).slice(0, REASON_LENGTH_MAX);
