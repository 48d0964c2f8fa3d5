/** Digits of the longest text that is asked about: a signature. */
const DIGITS_MAX = 128;
/** A character takes at most three bytes of UTF-8. */
const scratch = new Uint8Array(3 * DIGITS_MAX);
const scratchMemory = new DataView(scratch.buffer);
const encoder = new TextEncoder();

/** A one in each of four bytes, and the highest bit of each. */
const EACH = 0x01010101;
const HIGHEST = 0x80 * EACH;
/** The bit that tells letters from digits. */
const LETTER_BIT = 6;
const ZEROES = '0'.charCodeAt(0) * EACH;
const LETTER_FROM_ZERO = 'a'.charCodeAt(0) - '0'.charCodeAt(0);
/** What lifts a digit beyond 9 to the highest bit, and how much more lifts a letter beyond f, counted from a. */
const LIFT = (0x7f - 9) * EACH;
const LETTER_LIFT = 9 - 5;

const lettersOf = (digits: number): number => (digits >>> LETTER_BIT) & EACH;

/**
 * Of four characters, one in each byte, the values as lower-case hex digits. Every event that is sent or received has three
 * texts of such digits, which look like chance. Looking at four at a time without deciding anything on the way takes a fifth of
 * what a regular expression takes, whose every digit is guessed wrong half of the time.
 */
export const valuesOf = (digits: number): number =>
  (digits - ZEROES - Math.imul(lettersOf(digits), LETTER_FROM_ZERO - 10)) | 0;

/** Has the highest bit of a byte set where not each of four characters is a lower-case hex digit; `areDigits` asks for that. */
export function strayIn(digits: number): number {
  const letters = lettersOf(digits);
  // What is below what it is counted from wraps around to its highest bit; what is far above has that, or is lifted to it.
  const counted = (digits - ZEROES - Math.imul(letters, LETTER_FROM_ZERO)) | 0;
  return counted | (counted + LIFT + Math.imul(letters, LETTER_LIFT));
}

/** Whether nothing went astray in all that was looked at, which are joined by `|`. */
export const areDigits = (stray: number): boolean => (stray & HIGHEST) === 0;

/** Whether so many lower-case hex digits, a multiple of four, stand in memory from a place on. */
export function isHexAt(memory: DataView, from: number, digits: number): boolean {
  let stray = 0;
  for (let at = from; at < from + digits; at += 4) stray |= strayIn(memory.getInt32(at, true));
  return areDigits(stray);
}

/** The bytes of a short text, until the next is asked for. What is not ASCII is no digit among them either. */
export function inMemory(text: string): DataView {
  encoder.encodeInto(text, scratch);
  return scratchMemory;
}

/** Whether a value is a text of so many lower-case hex digits: a multiple of four, 128 at most. */
export const isHex = (value: unknown, digits: number): value is string =>
  typeof value === 'string' && value.length === digits && isHexAt(inMemory(value), 0, digits);
