/**
 * Memory that is not needed any more and waits for whoever needs as much next. To use a page of memory for the first time costs
 * many times what it costs to use it again, and a large subscription after another, or one that forgets what is old, needs the
 * same pages over and over.
 */
const spare = new Map<number, Int32Array[]>();

/** Bytes that wait at most: what the largest table of events takes, about. */
const SPARE_BYTES_MAX = 4 * 1024 * 1024;
/** With less than this, it does not matter. */
const WORDS_MIN = 4 * 1024;
let spareBytes = 0;

/** So many words, whatever is in them. */
export function takeWords(length: number): Int32Array {
  const words = spare.get(length)?.pop();
  if (!words) return new Int32Array(length);
  spareBytes -= words.byteLength;
  return words;
}

/** Nobody uses these words any more. */
export function giveWords(words: Int32Array): void {
  const { length, byteLength } = words;
  if (length < WORDS_MIN || spareBytes + byteLength > SPARE_BYTES_MAX) return;
  spareBytes += byteLength;
  const same = spare.get(length);
  if (same) same.push(words);
  else spare.set(length, [words]);
}
