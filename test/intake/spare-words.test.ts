import { expect, test } from 'vitest';
import { giveWords, takeWords } from '../../src/intake/spare-words.ts';

const WORDS_PER_MEBIBYTE = 2 ** 18;

test('what is given is taken again by who needs as much, once', () => {
  const words = takeWords(10_001);
  giveWords(words);
  expect(takeWords(10_002)).not.toBe(words);
  expect(takeWords(10_001)).toBe(words);
  expect(takeWords(10_001)).not.toBe(words);
});

test('no more is kept than four mebibytes, and nothing small', () => {
  const small = takeWords(100);
  giveWords(small);
  expect(takeWords(100)).not.toBe(small);
  const given = Array.from({ length: 10 }, () => new Int32Array(WORDS_PER_MEBIBYTE));
  for (const words of given) giveWords(words);
  const taken = new Set(given.map(() => takeWords(WORDS_PER_MEBIBYTE)));
  expect(given.filter((words) => taken.has(words))).toHaveLength(4);
});
