import { memoryOf, type Place } from '../frame.ts';
import { areDigits, inMemory, strayIn, valuesOf } from '../protocol/hex.ts';
import type { SpareWords } from './spare-words.ts';

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

/** Rows of a block: from there on, another block is begun, and nothing is copied any more. */
const BLOCK_BITS = 12;
const BLOCK = 2 ** BLOCK_BITS;

/** Rows, and the same memory as times. */
class Block {
  readonly rows: Int32Array;
  readonly times: Float64Array;

  constructor(room: number, spare: SpareWords) {
    this.rows = spare.take(ROW * room);
    this.times = new Float64Array(this.rows.buffer);
  }
}

/**
 * Events by their ids, numbered in the order in which they were added, 65,535 at most. It keeps the bits of the ids and not
 * their texts: a subscription remembers a hundred thousand of them, which takes less memory, nothing to collect, and a fraction
 * of the time to look up.
 */
export class EventTable {
  size = 0;
  readonly #spare: SpareWords;
  /** All but the first are whole. */
  #blocks: Block[];
  #room = ROOM_MIN;
  /**
   * Numbers of events, counted from one, at the places that the hashes of their ids lead to, or the next that is free (linear
   * probing). With them are bits of the hash: where those differ, the id need not be looked at, which is elsewhere in memory.
   */
  #places: Int32Array = new Int32Array(2 * ROOM_MIN);

  /** Takes its memory from there, and leaves it there. */
  constructor(spare: SpareWords) {
    this.#spare = spare;
    this.#blocks = [new Block(ROOM_MIN, spare)];
  }

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
    const from = rowOf(number);
    return Array.from(this.#blockOf(number).rows.subarray(from, from + WORDS), digitsOf).join('');
  }

  atMs(number: number): number {
    return this.#blockOf(number).times[timeOf(number)] as number;
  }

  /** Some bits that are kept with an event; none at first. */
  bitsOf(number: number): number {
    return this.#blockOf(number).rows[rowOf(number) + BITS_AT] as number;
  }

  setBits(number: number, bits: number): void {
    this.#blockOf(number).rows[rowOf(number) + BITS_AT] = bits;
  }

  /** Adds an event whose id is not here, and returns its number. */
  add({ words, hash }: IdKey, atMs: number): number {
    const number = this.size;
    if (number >= NUMBERS) throw new RangeError(`there is no room for more than ${NUMBERS} events`);
    if (number === this.#room) this.#addRoom();
    if (2 * number === this.#places.length) this.#spread();
    this.#put(number, hash);
    this.size += 1;
    const { rows, times } = this.#blockOf(number);
    const from = rowOf(number);
    for (let index = 0; index < WORDS; index += 1) rows[from + index] = words[index] as number;
    rows[from + BITS_AT] = 0;
    rows[from + HASH_AT] = hash;
    times[timeOf(number)] = atMs;
    return number;
  }

  /** Forgets all, and lets others have its memory. */
  clear(): void {
    for (const { rows } of this.#blocks) this.#spare.give(rows);
    this.#spare.give(this.#places);
    this.#blocks = [new Block(ROOM_MIN, this.#spare)];
    this.#room = ROOM_MIN;
    this.#places = new Int32Array(2 * ROOM_MIN);
    this.size = 0;
  }

  #blockOf(number: number): Block {
    return this.#blocks[number >>> BLOCK_BITS] as Block;
  }

  #isAt(number: number, words: Int32Array): boolean {
    const { rows } = this.#blockOf(number);
    const from = rowOf(number);
    for (let index = 0; index < WORDS; index += 1) if (rows[from + index] !== words[index]) return false;
    return true;
  }

  #put(number: number, hash: number): void {
    const last = this.#places.length - 1;
    let place = hash & last;
    while (this.#places[place] !== 0) place = (place + 1) & last;
    this.#places[place] = (hash & ~NUMBERS) | (number + 1);
  }

  #addRoom(): void {
    if (this.#room >= BLOCK) {
      this.#blocks.push(new Block(BLOCK, this.#spare));
      this.#room += BLOCK;
      return;
    }
    this.#room = Math.min(GROWTH * this.#room, BLOCK);
    const larger = new Block(this.#room, this.#spare);
    for (const { rows } of this.#blocks) {
      larger.rows.set(rows);
      this.#spare.give(rows);
    }
    this.#blocks = [larger];
  }

  /** More places, so that no more than half of them are taken. */
  #spread(): void {
    const former = this.#places;
    this.#places = this.#spare.take(Math.min(GROWTH * former.length, 2 * (NUMBERS + 1))).fill(0);
    this.#spare.give(former);
    for (let number = 0; number < this.size; number += 1) {
      this.#put(number, this.#blockOf(number).rows[rowOf(number) + HASH_AT] as number);
    }
  }
}

/** Where in its block the row of an event begins, and its time. */
const rowOf = (number: number): number => (number & (BLOCK - 1)) * ROW;
const timeOf = (number: number): number => (number & (BLOCK - 1)) * TIMES_PER_ROW + TIME_AT;
