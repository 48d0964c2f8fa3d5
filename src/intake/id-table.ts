/** Bits of an id, as words of 32. */
const WORDS = 8;
const DIGITS_PER_WORD = 8;

/** How many ids a table has room for at first. It is never more than half full. */
const ROOM_MIN = 32;

const NO_DIGIT = 16;
const VALUES = new Uint8Array(2 ** 16).fill(NO_DIGIT);
[...'0123456789abcdef'].forEach((digit, value) => {
  VALUES[digit.charCodeAt(0)] = value;
});

/** Nobody who makes ids up can know these, and so have many of them meet in one place. What is found does not depend on them. */
const SECRETS = crypto.getRandomValues(new Uint32Array(WORDS)).map((word) => word | 1);

/** An id as numbers: to be looked up, or to be added. */
export class IdKey {
  readonly words = new Uint32Array(WORDS);
  hash = 0;

  /** Takes the id that stands in a text from a place on. False where there is none: 64 lower-case hex digits. */
  read(text: string, from = 0): boolean {
    let others = 0;
    let hash = 0;
    let at = from;
    for (let index = 0; index < WORDS; index += 1) {
      let word = 0;
      for (let digit = 0; digit < DIGITS_PER_WORD; digit += 1) {
        const value = VALUES[text.charCodeAt(at)] as number;
        others |= value;
        word = (word << 4) | value;
        at += 1;
      }
      this.words[index] = word;
      hash = (hash + Math.imul(word, SECRETS[index] as number)) | 0;
    }
    // The high bits depend on all others.
    this.hash = hash ^ (hash >>> 15);
    return at <= text.length && (others & NO_DIGIT) === 0;
  }
}

/**
 * Ids, numbered in the order in which they were added. It keeps their bits and not their texts: a subscription remembers a
 * hundred thousand of them, which takes a third of the memory, nothing to collect, and a fraction of the time to look up.
 */
export class IdTable {
  size = 0;
  /** The words of all ids, one after the other. */
  #words = new Uint32Array(WORDS * ROOM_MIN);
  /** Numbers of ids, counted from one, at the places that their hashes lead to, or the next that is free (linear probing). */
  #places = new Int32Array(2 * ROOM_MIN);
  #hashes = new Int32Array(ROOM_MIN);

  /** The number of an id, from 0; less where it is not here. */
  numberOf({ words, hash }: IdKey): number {
    const last = this.#places.length - 1;
    for (let place = hash & last; ; place = (place + 1) & last) {
      const number = (this.#places[place] as number) - 1;
      if (number < 0 || this.#isAt(number, words)) return number;
    }
  }

  /** An id by its number. */
  idOf(number: number): string {
    const from = number * WORDS;
    const words = this.#words.subarray(from, from + WORDS);
    return Array.from(words, (word) => word.toString(16).padStart(DIGITS_PER_WORD, '0')).join('');
  }

  /** Adds an id that is not here, and returns its number. */
  add({ words, hash }: IdKey): number {
    if (this.size === this.#hashes.length) this.#grow();
    const number = this.size;
    this.size += 1;
    const from = number * WORDS;
    for (let index = 0; index < WORDS; index += 1) this.#words[from + index] = words[index] as number;
    this.#hashes[number] = hash;
    this.#put(number, hash);
    return number;
  }

  #isAt(number: number, words: Uint32Array): boolean {
    const from = number * WORDS;
    for (let index = 0; index < WORDS; index += 1) if (this.#words[from + index] !== words[index]) return false;
    return true;
  }

  #put(number: number, hash: number): void {
    const last = this.#places.length - 1;
    let place = hash & last;
    while (this.#places[place] !== 0) place = (place + 1) & last;
    this.#places[place] = number + 1;
  }

  #grow(): void {
    const room = 2 * this.#hashes.length;
    const [words, hashes] = [this.#words, this.#hashes];
    this.#words = new Uint32Array(WORDS * room);
    this.#words.set(words);
    this.#hashes = new Int32Array(room);
    this.#hashes.set(hashes);
    this.#places = new Int32Array(2 * room);
    for (let number = 0; number < this.size; number += 1) this.#put(number, hashes[number] as number);
  }
}
