import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RELAYS_REMEMBERED, SEEN } from '../../machines/policy/limits.ts';
import { Newest } from '../../src/intake/newest.ts';
import { Seen } from '../../src/intake/seen.ts';
import { SpareWords } from '../../src/intake/spare-words.ts';
import { inBytes } from '../kit/frames.ts';

/** Tells which large pieces of memory are in use. */
class Watched extends SpareWords {
  readonly out = new Set<Int32Array>();

  override take(length: number): Int32Array {
    const words = super.take(length);
    expect(this.out.has(words)).toBe(false);
    if (length >= 4_096) this.out.add(words);
    return words;
  }

  override give(words: Int32Array): void {
    this.out.delete(words);
    super.give(words);
  }
}

const id = (index: number): string => index.toString(16).padStart(64, '0');

test('tells what is new, and remembers who has it, however many relays there are', () => {
  const seen = new Seen(() => 0);
  const urls = Array.from({ length: 40 }, (_, index) => `wss://relay${index}.example/`);
  const [first = 0] = urls.map((url) => seen.sourceOf(url));
  expect(seen.again(id(1), first)).toBeUndefined();
  seen.add(id(1), first, 5);
  for (const url of urls) expect(seen.again(id(1), seen.sourceOf(url))).toBe(5);
  for (const url of urls) expect(seen.again(id(1), seen.sourceOf(url))).toBe(5);
  expect(seen.relaysOf(id(1))).toEqual(urls);
  expect(seen.relaysOf(id(2))).toEqual([]);
});

test('knows of an event also where relays are too many to be told apart', () => {
  const seen = new Seen(() => 0);
  seen.add(id(1), seen.sourceOf('wss://first.example/'), 5);
  for (let index = 0; index < 2 * RELAYS_REMEMBERED; index += 1) {
    expect(seen.again(id(1), seen.sourceOf(`wss://relay${index}.example/`))).toBe(5);
  }
  expect(seen.relaysOf(id(1))).toHaveLength(RELAYS_REMEMBERED);
});

test('tells ids apart that differ in any digit, wherever they stand in a text', () => {
  const digits = fc.array(fc.integer({ min: 0, max: 15 }), { minLength: 64, maxLength: 64 });
  const text = (values: readonly number[]): string => values.map((value) => value.toString(16)).join('');
  const prefix = fc.string({ maxLength: 100 });
  fc.assert(
    fc.property(digits, fc.nat(63), fc.integer({ min: 1, max: 15 }), prefix, (values, place, by, before) => {
      const other = values.map((value, index) => (index === place ? (value + by) % 16 : value));
      const seen = new Seen(() => 0);
      seen.add(text(values), 0, 7);
      const known = `${before}${text(values)}"`;
      const unknown = `${before}${text(other)}"`;
      expect(seen.again({ text: known, at: before.length }, 0)).toBe(7);
      expect(seen.again({ text: unknown, at: before.length }, 0)).toBeUndefined();
      const at = Buffer.byteLength(before);
      expect(seen.again({ text: inBytes(known), at }, 0)).toBe(7);
      expect(seen.again({ text: inBytes(unknown), at }, 0)).toBeUndefined();
      for (const none of [text(values).slice(1), text(values).toUpperCase().replace(/\d/g, 'A')]) {
        expect(seen.again(none, 0)).toBeUndefined();
        expect(seen.again({ text: none, at: 0 }, 0)).toBeUndefined();
        expect(seen.again({ text: inBytes(none), at: 0 }, 0)).toBeUndefined();
      }
      expect([...seen.within({ fromMs: 7, untilMs: 7 }, 1)]).toEqual([{ id: text(values), atMs: 7 }]);
    }),
  );
  for (const none of ['no id', 'A'.repeat(64), `${'a'.repeat(63)}g`])
    expect(new Seen(() => 0).add(none, 0, 1)).toBe(false);
});

test('forgets the old ones, but never the last fifty thousand', () => {
  const seen = new Seen(() => Number.POSITIVE_INFINITY);
  const count = 4 * SEEN.generation;
  for (let index = 0; index < count; index += 1) seen.add(id(index), 0, index);
  for (let index = count - SEEN.generation; index < count; index += 1) expect(seen.again(id(index), 1)).toBe(index);
  expect(seen.again(id(0), 1)).toBeUndefined();
  expect(seen.size).toBeLessThanOrEqual(2 * SEEN.generation);
});

test('keeps those that may come again after a gap, as far as there is room', () => {
  const seen = new Seen(() => 1_000_000);
  for (let index = 0; index < 100; index += 1) seen.add(id(index), 0, 2_000_000);
  for (let index = 100; index < 5 * SEEN.generation; index += 1) seen.add(id(index), 0, 1);
  for (let index = 0; index < 100; index += 1) expect(seen.again(id(index), 0)).toBe(2_000_000);
  const full = new Seen(() => 0);
  for (let index = 0; index < 6 * SEEN.generation; index += 1) full.add(id(index), 0, 1);
  expect(full.size).toBeLessThanOrEqual(SEEN.most);
});

test('when it is closed, remembers where little came from, and nothing of what was much', () => {
  const urls = ['wss://one.example/', 'wss://two.example/'];
  const little = new Seen(() => 0);
  const [one = 0, two = 0] = urls.map((url) => little.sourceOf(url));
  for (let index = 0; index < SEEN.afterwards; index += 1) little.add(id(index), one, index);
  little.again(id(7), two);
  little.close();
  expect(little.relaysOf(id(7))).toEqual(urls);
  expect(little.relaysOf(id(SEEN.afterwards - 1))).toEqual(urls.slice(0, 1));
  const much = new Seen(() => 0);
  much.sourceOf('wss://one.example/');
  for (let index = 0; index <= SEEN.afterwards; index += 1) much.add(id(index), 0, index);
  much.close();
  expect(much.relaysOf(id(7))).toEqual([]);
  expect(much.size).toBe(0);
  // What was still on its way when it was closed does no harm.
  expect(much.add(id(7), 0, 5)).toBe(true);
  expect(much.again(id(7), 0)).toBe(5);
});

test('nothing of those whose memory it takes over is found in it', () => {
  const spare = new Watched();
  const sizes = [SEEN.afterwards + 1, 20_000, 70_000];
  for (const [round, size] of [...sizes, ...sizes].entries()) {
    const seen = new Seen(() => 0, spare);
    const [here = 0, elsewhere = 0] = ['wss://here.example/', 'wss://elsewhere.example/'].map((url) =>
      seen.sourceOf(url),
    );
    const from = round * 100_000;
    for (let index = from; index < from + size; index += 1) {
      expect(seen.again(id(index), here)).toBeUndefined();
      seen.add(id(index), here, index);
      if (index % 2 === round % 2) seen.again(id(index), elsewhere);
    }
    for (let index = from; index < from + size; index += 97) {
      const both = index % 2 === round % 2;
      expect(seen.relaysOf(id(index))).toEqual(['wss://here.example/', ...(both ? ['wss://elsewhere.example/'] : [])]);
    }
    expect(seen.again(id(from - 1), here)).toBeUndefined();
    seen.close();
    expect(spare.out.size).toBe(0);
  }
});

test('what it forgets leaves its memory to what comes', () => {
  const spare = new Watched();
  const seen = new Seen(() => Number.POSITIVE_INFINITY, spare);
  const most: number[] = [];
  for (let generation = 0; generation < 6; generation += 1) {
    for (let index = 0; index < SEEN.generation; index += 1) seen.add(id(generation * SEEN.generation + index), 0, 1);
    most.push(spare.out.size);
  }
  // As from the second on, whose predecessor is still remembered.
  expect(new Set(most.slice(1)).size).toBe(1);
});

test('of versions the newest wins, with the lower id at equal times', () => {
  const newest = new Newest();
  expect(newest.take({ key: 'k', at: 10 }, 'b')).toBe(true);
  expect(newest.take({ key: 'k', at: 9 }, 'a')).toBe(false);
  expect(newest.take({ key: 'k', at: 10 }, 'c')).toBe(false);
  expect(newest.take({ key: 'k', at: 10 }, 'a')).toBe(true);
  expect(newest.take({ key: 'k', at: 11 }, 'z')).toBe(true);
  expect(newest.take({ key: 'other', at: 1 }, 'b')).toBe(true);
});

test('many versions are remembered, the last of them always', () => {
  const newest = new Newest();
  for (let index = 0; index < 3 * SEEN.versions; index += 1) newest.take({ key: `k${index}`, at: 10 }, 'b');
  expect(newest.take({ key: `k${3 * SEEN.versions - 1}`, at: 9 }, 'b')).toBe(false);
});
