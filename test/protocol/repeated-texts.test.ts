import { expect, test, vi } from 'vitest';
import { AuthorKeys, SHORT_TEXT_MAX, ShortTexts } from '../../src/protocol/nostr/repeated-texts.ts';
import { inBytes } from '../kit/frames.ts';

const viewOf = (text: string): DataView => {
  const bytes = Buffer.from(text);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
};

test('a key is known once it is kept, until another takes its place', () => {
  const keys = new AuthorKeys();
  // What they begin with decides about their place.
  const [one, other] = ['0', 'f'].map((digit) => 'abcdef01'.padEnd(64, digit)) as [string, string];
  const [view, otherView] = [viewOf(`"${one}"`), viewOf(`"${other}"`)];
  expect(keys.at(view, 1)).toBeUndefined();
  keys.keep(view, 1, one);
  expect([keys.at(view, 1), keys.at(otherView, 1)]).toEqual([one, undefined]);
  keys.keep(otherView, 1, other);
  expect([keys.at(view, 1), keys.at(otherView, 1)]).toEqual([undefined, other]);
});

test('many keys have places of their own', () => {
  const keys = new AuthorKeys();
  const all = Array.from({ length: 100 }, (_, index) =>
    (0x9e3779b1 * (index + 1)).toString(16).slice(0, 8).padEnd(64, '0'),
  );
  for (const key of all) keys.keep(viewOf(key), 0, key);
  expect(all.filter((key) => keys.at(viewOf(key), 0) === key).length).toBeGreaterThan(70);
});

test('a short text is made of its bytes once', () => {
  const texts = new ShortTexts();
  const bytes = inBytes('wss://relay.example/ wss://relay.example/ abcd acbd');
  const make = vi.spyOn(bytes, 'latin1Slice');
  expect([texts.in(bytes, 0, 20), texts.in(bytes, 21, 41)]).toEqual(['wss://relay.example/', 'wss://relay.example/']);
  expect(make).toHaveBeenCalledTimes(1);
  expect([texts.in(bytes, 42, 46), texts.in(bytes, 47, 51)]).toEqual(['abcd', 'acbd']);
  expect(texts.in(bytes, 0, 0)).toBe('');
  expect(texts.in(bytes, 3, 4)).toBe(':');
  expect(make).toHaveBeenCalledTimes(3);
  expect(SHORT_TEXT_MAX).toBeLessThan(64);
});
