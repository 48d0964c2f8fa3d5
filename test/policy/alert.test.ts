import { expect, test } from 'vitest';
import { type AlertState, alertAfter, QUIET } from '../../machines/policy/alert.ts';

/** The moments at which an alert is raised or cleared, over values a second apart. */
function changes(values: readonly (number | undefined)[], bounds: Parameters<typeof alertAfter>[0]): number[] {
  let state: AlertState = QUIET;
  return values.flatMap((value, index) => {
    const before = state.isRaised;
    state = alertAfter(bounds, state, value, index * 1_000);
    return state.isRaised === before ? [] : [index];
  });
}

test('an alert is raised when a value has been beyond its bound for long enough, and cleared the same way', () => {
  expect(changes([1, 9, 9, 9, 9, 1, 1, 1, 1], { above: 5, forMs: 2_000 })).toEqual([3, 7]);
  expect(changes([9, 1, 1, 1, 9, 9, 9], { below: 5, forMs: 2_000 })).toEqual([3, 6]);
  expect(changes([1, 9, 1], { above: 5, forMs: 0 })).toEqual([1, 2]);
});

test('a value that swings raises nothing, and one at its bound is within it', () => {
  expect(changes([9, 1, 9, 1, 9, 1, 9, 1], { above: 5, forMs: 1_000 })).toEqual([]);
  expect(changes([5, 5, 5], { above: 5, below: 5, forMs: 0 })).toEqual([]);
});

test('what is not measured changes nothing', () => {
  expect(changes([undefined, undefined], { above: 5, forMs: 0 })).toEqual([]);
  expect(changes([9, undefined, undefined, undefined, 9], { above: 5, forMs: 1_000 })).toEqual([4]);
  expect(changes([9, undefined, 9], { above: 5, forMs: 0 })).toEqual([0]);
});
