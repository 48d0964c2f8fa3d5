import { expect, test } from 'vitest';
import { Backfill } from '../../src/intake/backfill.ts';
import type { Feed } from '../../src/intake/feed.ts';
import type { Fetched } from '../../src/intake/job.ts';
import type { Request } from '../../src/intake/wanted.ts';
import { VirtualClock } from '../../src/testing/index.ts';

test('where somebody takes the relay away because something has come, nothing else is fetched from it', () => {
  const clock = new VirtualClock();
  const feed = { url: 'wss://relay.example/', session: {}, storedMax: 500 } as unknown as Feed<Request>;
  const page = { events: 500, oldestMs: 10, hasMore: false };
  /** A subscription with a gap of which something is left, or nothing. */
  const cut = (list: readonly object[]) =>
    ({
      feed,
      page,
      isCut: true,
      askedSinceMs: 1,
      isOver: () => false,
      wanted: { filters: { list } },
    }) as unknown as Request;
  const [first, nothingLeft, last] = [cut([{}]), cut([]), cut([{}])] as [Request, Request, Request];
  const fetched: ((result: Fetched) => void)[] = [];
  const backfill: Backfill = new Backfill({
    clock,
    codec: { filtersSince: (list: readonly object[]) => list } as never,
    reconciler: undefined,
    answerTimeoutMs: 1_000,
    feedOf: () => feed,
    fetch: (_wanted, _url, _filters, over) => fetched.push(over),
    retryDelayMs: () => 1_000,
    filled: (request) => {
      if (request === nothingLeft) backfill.lost(feed);
    },
    charge: () => {},
    count: () => {},
  });
  for (const request of [first, nothingLeft, last]) backfill.begin(request);
  expect(fetched).toHaveLength(1);
  fetched[0]?.({ events: 1, oldestMs: 5, hasMore: false });
  expect(fetched).toHaveLength(1);
  expect(clock.pending).toBe(0);
});
