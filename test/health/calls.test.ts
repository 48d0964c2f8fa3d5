import { expect, test } from 'vitest';
import { Calls } from '../../src/health/calls.ts';

const silent = { failed: () => {}, degraded: () => {}, recovered: () => {} };

/** Calls that are answered one after the other, each after so long. */
function answered(calls: Calls, count: number, latencyMs: number, fromMs: number): number {
  let now = fromMs;
  for (let index = 0; index < count; index += 1) {
    now += latencyMs;
    calls.succeeded(latencyMs, now);
  }
  return now;
}

test('answers that come late are samples as well, or a relay that has become slower would be late for ever', () => {
  const calls = new Calls(() => 10_000, silent);
  const now = answered(calls, 200, 60, 0);
  expect(calls.answerTimeoutMs).toBeLessThan(100);
  const lateAfter = (answers: number): number => {
    const copy = new Calls(() => 10_000, silent);
    answered(copy, answers, 300, answered(copy, 200, 60, 0));
    return copy.answerTimeoutMs;
  };
  // Ten of them are enough to expect no less.
  expect(lateAfter(10)).toBeGreaterThan(300);
  answered(calls, 200, 300, now);
  expect(calls.usualMs).toBe(300);
  expect(calls.answerTimeoutMs).toBeLessThan(330);
});
