import { expect, test } from 'vitest';
import { debtAfterForged, debtAfterGenuine, NO_DEBT } from '../../machines/policy/forgery.ts';
import { FORGERY } from '../../machines/policy/limits.ts';

/** Charges for a stream of verdicts that come a millisecond apart, as one letter each. */
function charges(stream: string, apartMs = 1): number {
  let debt = NO_DEBT;
  let count = 0;
  [...stream].forEach((letter, index) => {
    const now = 1_000 + index * apartMs;
    if (letter === 'g') debt = debtAfterGenuine(debt, now);
    else {
      const next = debtAfterForged(debt, now);
      debt = next.debt;
      if (next.fails) count += 1;
    }
  });
  return count;
}

test('every third forged event in a row is charged', () => {
  expect(charges('f'.repeat(FORGERY.perFailure - 1))).toBe(0);
  expect(charges('f'.repeat(30), 0)).toBe(10);
});

test('a relay that has some among many is not charged', () => {
  expect(charges(`${'g'.repeat(9)}f`.repeat(100))).toBe(0);
  expect(charges('gf'.repeat(100))).toBeGreaterThan(10);
});

test('time makes up for a few', () => {
  expect(charges('f'.repeat(100), FORGERY.forgivenMs)).toBe(0);
});
