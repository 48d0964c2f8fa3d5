import type { FrameBytes } from '../../frame.ts';

/** Characters of an author's key, and words of four of them. */
const DIGITS = 64;
const WORDS = DIGITS / 4;
/** Places for keys: some times as many as somebody follows, so that few of those share one. A power of two. */
const AUTHORS = 1_024;

/**
 * The keys of authors as texts. Much of what comes is from few of them: a key that is known to be one is compared, and need
 * neither be looked through nor made a text of, and whoever keeps events mostly keeps it once. A key takes the place of the one
 * that was there.
 */
export class AuthorKeys {
  readonly #words = new Int32Array(AUTHORS * WORDS);
  readonly #keys: (string | undefined)[] = Array.from({ length: AUTHORS });

  /** The key that stands in memory from a place on, if it is known. */
  at(view: DataView, from: number): string | undefined {
    const place = placeOf(view, from);
    const words = this.#words;
    for (let index = 0; index < WORDS; index += 1) {
      if (words[place * WORDS + index] !== view.getInt32(from + 4 * index, true)) return undefined;
    }
    return this.#keys[place];
  }

  /** Keeps the key that stands there. */
  keep(view: DataView, from: number, key: string): void {
    const place = placeOf(view, from);
    for (let index = 0; index < WORDS; index += 1) {
      this.#words[place * WORDS + index] = view.getInt32(from + 4 * index, true);
    }
    this.#keys[place] = key;
  }
}

/** Keys look like chance: some of their bits are as good as a hash. */
const placeOf = (view: DataView, from: number): number => {
  const digits = view.getInt32(from, true) ^ Math.imul(view.getInt32(from + 4, true), 31);
  return (digits ^ (digits >>> 12)) & (AUTHORS - 1);
};

/** Longest text that is kept, in characters: an address of a relay fits. */
export const SHORT_TEXT_MAX = 32;
/** A power of two. */
const TEXTS = 256;

/** Short texts that come again and again, such as addresses of relays, names and markers. */
export class ShortTexts {
  readonly #texts: string[] = Array.from({ length: TEXTS }, () => '');

  /** The text of ASCII that stands in a frame from one byte to another. */
  in(bytes: FrameBytes, from: number, to: number): string {
    const length = to - from;
    if (length < 2) return length === 0 ? '' : String.fromCharCode(bytes[from] as number);
    const ends = (bytes[from] as number) + 7 * (bytes[to - 1] as number) + 31 * (bytes[from + (length >> 1)] as number);
    const place = (ends + 61 * length) & (TEXTS - 1);
    const kept = this.#texts[place] as string;
    if (kept.length === length && isIn(bytes, from, kept)) return kept;
    const text = bytes.latin1Slice(from, to);
    this.#texts[place] = text;
    return text;
  }
}

function isIn(bytes: FrameBytes, from: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (bytes[from + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}
