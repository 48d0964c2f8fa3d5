/** The server's end of a connection. */
export interface SimulatedPeer {
  readonly url: string;
  onFrame: (frame: string) => void;
  /** Comes once, and last. */
  onClose: (code: number) => void;
  send(frame: string | Uint8Array): void;
  /** True if the server answers pings. Default: true. */
  answersPings: () => boolean;
  /** Closes with a close frame; the socket stays open after it if it `lingers`. */
  close(code?: number, reason?: string, lingers?: boolean): void;
  /** Cuts the connection without one. */
  cut(): void;
}

/**
 * What becomes of an attempt to connect: a socket; a refusal; nothing at all, as with a packet that is lost or a server
 * that never answers the upgrade; or an HTTP answer instead of the upgrade.
 */
export type Admission =
  | 'accept'
  | 'refuse'
  | 'ignore'
  | { readonly httpStatus: number; readonly retryAfterMs?: number };

/** Somebody who accepts connections to a URL. */
export interface SimulatedServer {
  /** Default `accept`. */
  admit?(): Admission;
  accept(peer: SimulatedPeer): void;
}
