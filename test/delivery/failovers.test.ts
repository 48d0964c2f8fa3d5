import { expect, test } from 'vitest';
import { Failovers, type Movable, OpenFailover } from '../../src/delivery/failovers.ts';

const open = (): OpenFailover => new OpenFailover('wss://lost.example/', 'lost', 1_000);
const movable = (id = 'a'): Movable => ({
  id,
  acceptedAt: 950,
  sentAt: (url) => (url === 'wss://lost.example/' ? 960 : undefined),
  move: undefined,
  isOver: false,
});

test('a failover has ended when all that was moved is stored elsewhere, and counts only that', () => {
  const failovers = new Failovers();
  const failover = open();
  const [stored, cancelled, late] = [movable(), movable(), movable('late')] as const;
  for (const each of [stored, cancelled, late]) failovers.moved(failover, each, 'wss://b.example/');
  failovers.moved(failover, late, 'wss://c.example/');
  expect(failovers.accepted(stored, 'wss://b.example/', 1_003, 1_050)).toBeUndefined();
  expect(failovers.forget(cancelled)).toBeUndefined();
  const ended = failovers.accepted(late, 'wss://c.example/', 1_040, 1_090);
  expect(ended).toEqual({
    url: 'wss://lost.example/',
    cause: 'lost',
    atMs: 1_000,
    to: ['wss://b.example/', 'wss://c.example/'],
    count: 2,
    movedMs: 40,
    ms: 90,
    slowest: {
      id: 'late',
      relay: 'wss://c.example/',
      publishedMs: -50,
      sentMs: -40,
      movedMs: 40,
      acceptedMs: 90,
    },
  });
  expect(failovers.statistics).toEqual({ failovers: 1, events: 2, msP50: 90, msP99: 90, recent: [ended] });
});

test('where the relay that was given up answered after all, nothing has failed over', () => {
  const failovers = new Failovers();
  const moved = movable();
  failovers.moved(open(), moved, 'wss://b.example/');
  expect(failovers.accepted(moved, 'wss://lost.example/', 900, 1_010)).toBeUndefined();
  expect(failovers.accepted(moved, 'wss://b.example/', 1_001, 1_050)).toBeUndefined();
  expect(failovers.statistics).toEqual({ failovers: 0, events: 0, recent: [] });
});

test('what is moved again belongs to the later failover, and the earlier one may end by it', () => {
  const failovers = new Failovers();
  const [first, second] = [open(), new OpenFailover('wss://b.example/', 'silent', 2_000)] as const;
  const [stored, moved] = [movable(), movable()] as const;
  failovers.moved(first, stored, 'wss://b.example/');
  failovers.moved(first, moved, 'wss://b.example/');
  failovers.accepted(stored, 'wss://b.example/', 1_001, 1_020);
  expect(failovers.moved(second, moved, 'wss://c.example/')).toMatchObject({ count: 1, ms: 20 });
  expect(failovers.accepted(moved, 'wss://c.example/', 2_001, 2_030)).toMatchObject({ count: 1, ms: 30 });
});
