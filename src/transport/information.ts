import { INFORMATION } from '../../machines/policy/limits.ts';

export interface InformationOptions {
  /** Whether a name may lead to a loopback or private address, where the platform resolves names itself. */
  readonly allowPrivate: boolean;
  /** Nobody waits any more. */
  readonly signal: AbortSignal;
}

/** Asks relays what they say of themselves (NIP-11). */
export interface InformationReader {
  readonly name: string;
  /**
   * The document of the relay at a WebSocket URL. Rejects where there is none: an answer is not followed elsewhere, not read
   * beyond 64 KiB, and must be a JSON object.
   */
  read(url: string, options: InformationOptions): Promise<object>;
}

/** How it is asked for: over HTTP, where the WebSocket is, and without saying who asks. */
export const INFORMATION_HEADERS = { accept: 'application/nostr+json' } as const;

/** The same URL over HTTP: `ws` becomes `http`, and `wss` `https`. */
export const informationUrl = (url: string): URL => new URL(url.replace(/^ws/, 'http'));

/** Takes a body piece by piece, and no more of it than there may be. */
export class InformationBody {
  #text = '';
  #bytes = 0;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });

  /** Throws where it is too much, or no text. */
  take(piece: Uint8Array): void {
    this.#bytes += piece.byteLength;
    if (this.#bytes > INFORMATION.bytesMax) throw new Error(`it has more than ${INFORMATION.bytesMax} bytes`);
    this.#text += this.#decoder.decode(piece, { stream: true });
  }

  /** Throws where it is no JSON object. */
  end(): object {
    const document: unknown = JSON.parse(this.#text + this.#decoder.decode());
    if (typeof document !== 'object' || document === null || Array.isArray(document)) {
      throw new Error('it is no JSON object');
    }
    return document;
  }
}
