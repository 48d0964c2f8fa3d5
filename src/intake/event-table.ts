import { memoryOf, type Place } from '../frame.ts';
import { areDigits, inMemory, strayIn, valuesOf } from '../protocol/hex.ts';

/** Digits of an id, and its bits, as words of 32. */
const DIGITS = 64;
const WORDS = 8;
const DIGITS_PER_WORD = DIGITS / WORDS;
const HALF = DIGITS_PER_WORD / 2;

/** How many events a table has room for at first. It is never more than half full. */
const ROOM_MIN = 32;

/** Nobody who makes ids up can know these, and so have many of them meet in one place. What is found does not depend on them. */
const SECRETS = crypto.getRandomValues(new Uint32Array(WORDS)).map((word) => word | 1);

function hashOf(words: Int32Array, from: number): number {
  let hash = 0;
  for (let index = 0; index < WORDS; index += 1) {
    hash = (hash + Math.imul(words[from + index] as number, SECRETS[index] as number)) | 0;
  }
  // The high bits depend on all others.
  return hash ^ (hash >>> 15);
}

/** An id as numbers: to be looked up, or to be added. */
export class IdKey {
  /** Of eight digits, each byte of a word has one of the first half and one of the second. */
  readonly words = new Int32Array(WORDS);
  hash = 0;

  /** What was read last, which need not be read again, and whether it was an id. */
  #from: string | Place | undefined;
  #isId = false;

  /** Takes an id, or that which stands at a place. False where there is none: 64 lower-case hex digits. */
  read(id: string | Place): boolean {
    if (id === this.#from) return this.#isId;
    this.#from = id;
    this.#isId = typeof id === 'string' ? this.#readText(id, 0) : this.#readPlace(id);
    return this.#isId;
  }

  #readPlace({ text, at }: Place): boolean {
    if (typeof text === 'string') return this.#readText(text, at);
    if (at + DIGITS > text.length) return false;
    const { view, from } = memoryOf(text);
    return this.#read(view, from + at);
  }

  #readText(text: string, at: number): boolean {
    return at + DIGITS <= text.length && this.#read(inMemory(text.slice(at, at + DIGITS)), 0);
  }

  #read(memory: DataView, from: number): boolean {
    let stray = 0;
    for (let index = 0; index < WORDS; index += 1) {
      const at = from + index * DIGITS_PER_WORD;
      const first = memory.getInt32(at, true);
      const second = memory.getInt32(at + HALF, true);
      stray |= strayIn(first) | strayIn(second);
      this.words[index] = (valuesOf(first) << 4) | valuesOf(second);
    }
    this.hash = hashOf(this.words, 0);
    return areDigits(stray);
  }
}

/** Eight digits of an id, from a word of its key. */
function digitsOf(word: number): string {
  const bytes = [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff);
  return [...bytes.map((byte) => byte >>> 4), ...bytes.map((byte) => byte & 0xf)]
    .map((value) => value.toString(16))
    .join('');
}

/** Bits of a number in a place; the others are those of the hash that do not lead there. */
const NUMBER_BITS = 16;
const NUMBERS = 2 ** NUMBER_BITS - 1;

/**
 * What is kept of an event, one word after the other: its id, some bits, the hash of its id, and its time, which takes two. As
 * all of it is in one piece of memory, it is mostly fetched together.
 */
const ROW = 12;
const BITS_AT = WORDS;
const HASH_AT = WORDS + 1;
const TIMES_PER_ROW = ROW / 2;
const TIME_AT = TIMES_PER_ROW - 1;

/** How much more room there is each time, so that little is copied on the way. */
const GROWTH = 4;

/**
 * Events by their ids, numbered in the order in which they were added, 65,535 at most. It keeps the bits of the ids and not
 * their texts: a subscription remembers a hundred thousand of them, which takes less memory, nothing to collect, and a fraction
 * of the time to look up.
 */
export class EventTable {
  size = 0;
  #rows = new Int32Array(ROW * ROOM_MIN);
  #times = new Float64Array(this.#rows.buffer);
  /**
   * Numbers of events, counted from one, at the places that the hashes of their ids lead to, or the next that is free (linear
   * probing). With them are bits of the hash: where those differ, the id need not be looked at, which is elsewhere in memory.
   */
  #places = new Int32Array(2 * ROOM_MIN);

  /** The number of an event, from 0; less where it is not here. */
  numberOf({ words, hash }: IdKey): number {
    const last = this.#places.length - 1;
    for (let place = hash & last; ; place = (place + 1) & last) {
      const found = this.#places[place] as number;
      if (found === 0) return -1;
      if ((found ^ hash) >>> NUMBER_BITS !== 0) continue;
      const number = (found & NUMBERS) - 1;
      if (this.#isAt(number, words)) return number;
    }
  }

  /** The id of an event by its number. */
  idOf(number: number): string {
    const from = number * ROW;
    return Array.from(this.#rows.subarray(from, from + WORDS), digitsOf).join('');
  }

  atMs(number: number): number {
    return this.#times[number * TIMES_PER_ROW + TIME_AT] as number;
  }

  /** Some bits that are kept with an event; none at first. */
  bitsOf(number: number): number {
    return this.#rows[number * ROW + BITS_AT] as number;
  }

  setBits(number: number, bits: number): void {
    this.#rows[number * ROW + BITS_AT] = bits;
  }

  /** Adds an event whose id is not here, and returns its number. */
  add({ words, hash }: IdKey, atMs: number): number {
    const number = this.size;
    if (number * ROW === this.#rows.length) this.#grow();
    this.#put(number, hash);
    this.size += 1;
    const from = number * ROW;
    for (let index = 0; index < WORDS; index += 1) this.#rows[from + index] = words[index] as number;
    this.#rows[from + HASH_AT] = hash;
    this.#times[number * TIMES_PER_ROW + TIME_AT] = atMs;
    return number;
  }

  #isAt(number: number, words: Int32Array): boolean {
    const from = number * ROW;
    for (let index = 0; index < WORDS; index += 1) if (this.#rows[from + index] !== words[index]) return false;
    return true;
  }

  #put(number: number, hash: number): void {
    if (number >= NUMBERS) throw new RangeError(`there is no room for more than ${NUMBERS} events`);
    const last = this.#places.length - 1;
    let place = hash & last;
    while (this.#places[place] !== 0) place = (place + 1) & last;
    this.#places[place] = (hash & ~NUMBERS) | (number + 1);
  }

  #grow(): void {
    const rows = this.#rows;
    const room = Math.min(GROWTH * this.size, NUMBERS + 1);
    this.#rows = new Int32Array(ROW * room);
    this.#rows.set(rows);
    this.#times = new Float64Array(this.#rows.buffer);
    this.#places = new Int32Array(2 * room);
    for (let number = 0; number < this.size; number += 1) this.#put(number, rows[number * ROW + HASH_AT] as number);
  }
}
