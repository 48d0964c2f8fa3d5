/** Bytes that wait at most: what the largest table of events takes, about. */
const BYTES_MAX = 4 * 1024 * 1024;
/** With less than this, it does not matter. */
const WORDS_MIN = 4 * 1024;

/**
 * Memory that is not needed any more and waits for whoever needs as much next. To use a page of memory for the first time costs
 * many times what it costs to use it again, and a large subscription after another, or one that forgets what is old, needs the
 * same pages over and over.
 */
export class SpareWords {
  readonly #byLength = new Map<number, Int32Array[]>();
  #bytes = 0;

  /** So many words, whatever is in them. */
  take(length: number): Int32Array {
    const words = this.#byLength.get(length)?.pop();
    if (!words) return new Int32Array(length);
    this.#bytes -= words.byteLength;
    return words;
  }

  /** Nobody uses these words any more. */
  give(words: Int32Array): void {
    const { length, byteLength } = words;
    if (length < WORDS_MIN || this.#bytes + byteLength > BYTES_MAX) return;
    this.#bytes += byteLength;
    const same = this.#byLength.get(length);
    if (same) same.push(words);
    else this.#byLength.set(length, [words]);
  }
}
