import { expect, test } from 'vitest';
import { SpareWords } from '../../src/intake/spare-words.ts';

const WORDS_PER_MEBIBYTE = 2 ** 18;

test('what is given is taken again by who needs as much, once', () => {
  const spare = new SpareWords();
  const words = spare.take(10_001);
  spare.give(words);
  expect(spare.take(10_002)).not.toBe(words);
  expect(spare.take(10_001)).toBe(words);
  expect(spare.take(10_001)).not.toBe(words);
});

test('no more is kept than four mebibytes, and nothing small', () => {
  const spare = new SpareWords();
  const small = spare.take(100);
  spare.give(small);
  expect(spare.take(100)).not.toBe(small);
  const given = Array.from({ length: 10 }, () => new Int32Array(WORDS_PER_MEBIBYTE));
  for (const words of given) spare.give(words);
  const taken = new Set(given.map(() => spare.take(WORDS_PER_MEBIBYTE)));
  expect(given.filter((words) => taken.has(words))).toHaveLength(4);
});
