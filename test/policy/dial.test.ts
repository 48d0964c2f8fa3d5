import { expect, test } from 'vitest';
import { goesBefore, mayAttempt, successAfter, UNKNOWN_SUCCESS, youngForMs } from '../../machines/policy/dial.ts';
import { DIAL_BOUNDS } from '../../machines/policy/limits.ts';

test('who is waited for is dialled first, then who is likely to answer, then who came first', () => {
  const dead = { isNeeded: false, success: successAfter(UNKNOWN_SUCCESS, false), order: 1 };
  const fresh = { isNeeded: false, success: UNKNOWN_SUCCESS, order: 2 };
  const later = { ...fresh, order: 3 };
  const good = { isNeeded: false, success: successAfter(UNKNOWN_SUCCESS, true), order: 4 };
  const needed = { ...dead, isNeeded: true, order: 5 };
  const sorted = [dead, fresh, later, good, needed].sort((a, b) => (goesBefore(a, b) ? -1 : 1));
  expect(sorted).toEqual([needed, good, fresh, later, dead]);
});

test('only young attempts keep others waiting, and places are left for who is waited for', () => {
  const { young, most, reserved } = DIAL_BOUNDS;
  expect(mayAttempt(DIAL_BOUNDS, { young: young - 1, total: young - 1 }, false, false)).toBe(true);
  expect(mayAttempt(DIAL_BOUNDS, { young, total: young }, true, false)).toBe(false);
  expect(mayAttempt(DIAL_BOUNDS, { young: 0, total: most - reserved }, false, false)).toBe(false);
  expect(mayAttempt(DIAL_BOUNDS, { young: 0, total: most - reserved }, true, false)).toBe(true);
  expect(mayAttempt(DIAL_BOUNDS, { young: 0, total: most }, true, false)).toBe(false);
});

test('an attempt is young for three times as long as attempts usually take, within bounds', () => {
  const { youngMs, youngMsMax } = DIAL_BOUNDS;
  expect(youngForMs(DIAL_BOUNDS, undefined)).toBe(youngMs);
  expect(youngForMs(DIAL_BOUNDS, youngMs)).toBe(Math.min(youngMsMax, 3 * youngMs));
  expect(youngForMs(DIAL_BOUNDS, 1e9)).toBe(youngMsMax);
});
