import { expect, test } from 'vitest';
import { Way, type WayItem } from '../../src/delivery/way.ts';
import { VirtualClock } from '../../src/testing/index.ts';

const ACK_MS = 1_000;

function open() {
  const clock = new VirtualClock(0);
  const counts = { freed: 0 };
  const session = { generation: 1, heardAt: 0, spokeAt: 0, isDeaf: false, send: () => true };
  const way = new Way<WayItem>(session, {
    clock,
    windowMax: 1,
    ackTimeoutMs: ACK_MS,
    lateAfterMs: () => 100,
    isCoverable: () => false,
    late: () => true,
    overdue: () => {},
    freed: () => {
      counts.freed += 1;
    },
  });
  return { clock, counts, way };
}

const version = (sentAt: number): WayItem => ({ frame: '', order: 'profile', sentAt });

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
