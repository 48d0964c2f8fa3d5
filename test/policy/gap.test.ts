import { describe, expect, test } from 'vitest';
import {
  gapSinceMs,
  markAfterEnd,
  markAfterEvent,
  markAfterLoss,
  mayBeCut,
  NO_MARK,
  newSinceMs,
} from '../../machines/policy/gap.ts';

const NOW = 1_000_000;

test('a page may be cut short from a hundred events on, or from as many as the relay says that it sends', () => {
  const page = (events: number, hasMore = false) => ({ events, hasMore, oldestMs: 0 });
  expect([99, 100].map((events) => mayBeCut(page(events), Number.POSITIVE_INFINITY))).toEqual([false, true]);
  expect([99, 100].map((events) => mayBeCut(page(events), 500))).toEqual([false, true]);
  expect([49, 50].map((events) => mayBeCut(page(events), 50))).toEqual([false, true]);
  expect(mayBeCut(page(0, true), 500)).toBe(true);
});

describe('how far a relay has served a subscription', () => {
  test('is nothing before the end of what is stored, whatever has come', () => {
    const mark = markAfterEvent(NO_MARK, 900, NOW, false);
    expect(gapSinceMs(mark, NOW, 0)).toBeUndefined();
    expect(gapSinceMs(markAfterLoss(mark), NOW, 0)).toBeUndefined();
  });

  test('is the newest event, once all that was stored has come', () => {
    let mark = markAfterEvent(NO_MARK, 900, NOW, false);
    mark = markAfterEvent(mark, 500, NOW, false);
    mark = markAfterEnd(mark, 0);
    expect(gapSinceMs(mark, NOW, 0)).toBe(900);
    mark = markAfterEvent(mark, 950, NOW, true);
    mark = markAfterEvent(mark, 100, NOW, true);
    expect(gapSinceMs(mark, NOW, 100)).toBe(850);
  });

  test('does not go back when a later gap is cut short', () => {
    let mark = markAfterEnd(markAfterEvent(NO_MARK, 900, NOW, false), 0);
    mark = markAfterEvent(mark, 990, NOW, false);
    mark = markAfterLoss(mark);
    expect(gapSinceMs(mark, NOW, 0)).toBe(900);
    expect(gapSinceMs(markAfterEnd(mark, 0), NOW, 0)).toBe(900);
  });

  test('is never beyond our own clock, neither when an event comes nor when it is asked', () => {
    const mark = markAfterEnd(markAfterEvent(NO_MARK, NOW + 5_000, NOW, false), 0);
    expect(gapSinceMs(mark, NOW, 0)).toBe(NOW);
    expect(gapSinceMs(mark, NOW - 500, 0)).toBe(NOW - 500);
  });

  test('is the beginning of all where a relay had nothing, and never before it', () => {
    expect(gapSinceMs(markAfterEnd(NO_MARK, 0), NOW, 600)).toBe(0);
    expect(gapSinceMs(markAfterEnd(NO_MARK, NOW), NOW, 600)).toBe(NOW - 600);
  });
});

test('what is new beside a bounded request is asked for, unless the relay is asked for the first time and at once', () => {
  expect(newSinceMs(5_000, 5_000, true)).toBeUndefined();
  expect(newSinceMs(5_000, 6_000, true)).toBeUndefined();
  expect(newSinceMs(5_000, 6_001, true)).toBe(5_000);
  expect(newSinceMs(5_000, 5_000, false)).toBe(5_000);
});
