import { expect, test } from 'vitest';
import { durationOf } from '../../src/cli/arguments.ts';
import { promiseLine, promises, type Summary } from '../../src/cli/summary.ts';

const WELL: Summary = {
  published: 10,
  confirmed: 9,
  refused: 1,
  lost: 0,
  deliveredTwice: 0,
  outlasted: 0,
  workedOffMs: 0,
  failoversMs: [],
  latenciesMs: [],
};
const broken = (change: Partial<Summary>): readonly string[] =>
  promises({ ...WELL, ...change })
    .filter(({ brokenBy }) => brokenBy > 0)
    .map(promiseLine);

test('every promise of the demonstration can be broken, and says by how much', () => {
  expect(broken({})).toEqual([]);
  expect(broken({ refused: 0 })).toEqual(['broken           what was accepted is confirmed: 1 events']);
  expect(broken({ lost: 2 })).toEqual(['broken           what was accepted is stored: 2 events']);
  expect(broken({ deliveredTwice: 3 })).toEqual(['broken           nothing is delivered twice: 3 events']);
});

test('durations are read with their unit, and nothing else is one', () => {
  expect([durationOf([], 7), durationOf(['30s'], 7), durationOf(['1.5m'], 7)]).toEqual([7, 30_000, 90_000]);
  for (const wrong of [['30'], ['s'], ['-1s'], ['0s'], ['9999h'], ['30s', '40s']]) {
    expect(() => durationOf(wrong, 7)).toThrow('is no duration');
  }
});
