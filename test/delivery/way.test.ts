import { expect, test } from 'vitest';
import { SILENCE } from '../../machines/policy/limits.ts';
import { Way, type WayItem } from '../../src/delivery/way.ts';
import { VirtualClock } from '../../src/testing/index.ts';

const ACK_MS = 1_000;

function open(times: { lateAfterMs: number } = { lateAfterMs: 100 }, isCoverable = false) {
  const clock = new VirtualClock(0);
  const counts = { freed: 0 };
  const lateAt: number[] = [];
  /** By how much timers are late. */
  const busy = { ms: 0 };
  const session = { generation: 1, heardAt: 0, spokeAt: 0, isDeaf: false, isProven: true, send: () => true };
  const way = new Way<WayItem>(session, {
    clock: { ...clock, now: () => clock.now() + busy.ms },
    windowMax: 1,
    ackTimeoutMs: () => ACK_MS,
    lateAfterMs: () => times.lateAfterMs,
    isCoverable: () => isCoverable,
    late: () => {
      lateAt.push(clock.now());
      return true;
    },
    overdue: () => {},
    freed: () => {
      counts.freed += 1;
    },
  });
  return { busy, clock, counts, lateAt, way };
}

const alone = (sentAt: number): WayItem => ({ frame: '', order: undefined, sentAt, sendNumber: 0, overtaken: 0 });
const version = (sentAt: number): WayItem => ({ frame: '', order: 'profile', sentAt, sendNumber: 0, overtaken: 0 });

test('what was withdrawn keeps its place and its order until it lapses, and whoever waits is told', () => {
  const { clock, counts, way } = open();
  const [older, newer] = [version(0), version(0)];
  way.sent(older);
  clock.advance(300);
  way.withdraw([older]);
  expect([way.hasRoom, way.isHolding(newer), way.isHolding(older)]).toEqual([false, true, false]);
  const before = counts.freed;
  clock.advance(ACK_MS);
  expect([way.hasRoom, way.isHolding(newer)]).toEqual([true, false]);
  expect(counts.freed).toBeGreaterThan(before + 1);
  expect(clock.pending).toBe(0);
});

test('what was withdrawn and is answered makes room at once; after the end nothing runs', () => {
  const { clock, way } = open();
  const item = version(0);
  way.sent(item);
  way.withdraw([item]);
  way.release(item);
  expect(way.hasRoom).toBe(true);
  way.end();
  expect(clock.pending).toBe(0);
});

test('what was sent before the relay was known to be fast is late by what is known now', () => {
  const times = { lateAfterMs: 1_000 };
  const { clock, lateAt, way } = open(times, true);
  const [first, second] = [alone(0), alone(0)];
  way.sent(first);
  way.sent(second);
  clock.advance(10);
  way.release(first);
  times.lateAfterMs = 25;
  way.answered(10, clock.now());
  clock.advance(990);
  expect(lateAt).toEqual([25]);
});

test('where we were busy when an answer became late, it may have arrived unread: that is looked for first', () => {
  const { busy, clock, lateAt, way } = open({ lateAfterMs: 100 }, true);
  const [answered, late] = [alone(0), alone(0)];
  way.sent(answered);
  way.sent(late);
  busy.ms = 5;
  clock.advance(100);
  expect(lateAt).toEqual([]);
  way.release(answered);
  clock.advance(SILENCE.secondLookMs);
  expect(lateAt).toEqual([100 + SILENCE.secondLookMs]);
});
