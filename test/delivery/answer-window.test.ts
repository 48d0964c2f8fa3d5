import { describe, expect, test } from 'vitest';
import { WINDOW } from '../../machines/policy/limits.ts';
import { AnswerWindow } from '../../src/delivery/answer-window.ts';

/** A relay that takes so long for each message, after a way of so long; the window is always full. */
function saturate(window: AnswerWindow, wayMs: number, serviceMs: number, fromMs: number, forMs: number): number {
  let now = fromMs;
  while (now < fromMs + forMs) {
    now += Math.max(serviceMs, wayMs / window.size);
    window.answered(Math.max(wayMs + serviceMs, window.size * serviceMs), window.size, now);
  }
  return now;
}

describe('the window of a connection', () => {
  test('grows fast while nothing queues at the relay, up to its bound', () => {
    const window = new AnswerWindow(64, 0);
    expect(window.size).toBe(WINDOW.initial);
    for (let trip = 1; trip <= 6; trip += 1) {
      for (let each = 0; each < window.size; each += 1) window.answered(80, window.size, trip * 80);
    }
    expect(window.size).toBe(64);
  });

  test('does not grow where it is not used', () => {
    const window = new AnswerWindow(64, 0);
    for (let trip = 1; trip <= 50; trip += 1) window.answered(80, 2, trip * 80);
    expect(window.size).toBe(WINDOW.initial);
  });

  test('settles where a few messages queue at a relay that is slower than its way', () => {
    const window = new AnswerWindow(64, 0);
    saturate(window, 50, 20, 0, 20_000);
    // Two or three fill the way; three to six more wait there.
    expect(window.size).toBeGreaterThanOrEqual(5);
    expect(window.size).toBeLessThanOrEqual(12);
  });

  test('shrinks when the relay becomes slower, and grows back', () => {
    const window = new AnswerWindow(64, 0);
    const fast = saturate(window, 200, 5, 0, 10_000);
    const before = window.size;
    const slow = saturate(window, 200, 100, fast, 20_000);
    expect(window.size).toBeLessThan(before / 2);
    saturate(window, 200, 5, slow, 60_000);
    expect(window.size).toBeGreaterThanOrEqual(before / 2);
  });

  test('is halved by what is lost, once a round trip, and never below one', () => {
    const window = new AnswerWindow(64, 0);
    window.lost(100, 1_000);
    window.lost(100, 1_050);
    expect(window.size).toBe(WINDOW.initial / 2);
    for (let now = 2_000; now < 4_000; now += 100) window.lost(100, now);
    expect(window.size).toBe(1);
  });

  test('is never larger than its bound, though that is smaller than where it begins', () => {
    const window = new AnswerWindow(1, 0);
    for (let trip = 1; trip <= 20; trip += 1) window.answered(80, 1, trip * 80);
    expect(window.size).toBe(1);
  });

  test('forgets a way that was shorter once', () => {
    const window = new AnswerWindow(64, 0);
    const near = saturate(window, 30, 1, 0, 5_000);
    saturate(window, 150, 1, near, 3 * WINDOW.leastMs);
    expect(window.size).toBe(64);
  });
});
