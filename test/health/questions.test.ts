import { expect, test } from 'vitest';
import { CONNECTION_LIMITS, RTO_MS } from '../../machines/policy/limits.ts';
import type { SimulatedRelay } from '../../src/testing/index.ts';
import { MINUTE, pingless, readingWorld, SECOND } from '../kit/reading-world.ts';

test.each(
  [10, 500, 1_500, 2_500, 4_000].flatMap((roundTripMs) =>
    [3.3 * SECOND, 20 * SECOND, 5 * MINUTE].map((spacingMs) => [roundTripMs, spacingMs]),
  ) as [number, number][],
)(
  'a relay that answers after %d ms, and is asked for something every %d ms, is hardly asked besides whether it lives',
  (roundTripMs, spacingMs) => {
    const { clock, relays, pool, network } = readingWorld(1, {}, pingless);
    const [relay] = relays as [SimulatedRelay];
    network.link(relay.url).set({ latency: { minMs: roundTripMs / 2, spreadMs: 0 } });
    let questions = 0;
    let requests = 0;
    relay.received = (frame: string) => {
      if (frame.startsWith('["REQ","probe')) questions += 1;
      else if (frame.startsWith('["REQ"')) requests += 1;
    };
    for (let ms = 0; ms < 5 * MINUTE; ms += spacingMs) {
      pool.subscribe({ kinds: [1] });
      clock.advance(spacingMs);
    }
    // A beat is counted from the last word; and where answers are later than any is waited for, each may be doubted once.
    const beats = (5 * MINUTE) / CONNECTION_LIMITS.heartbeatMs.default;
    const doubts = roundTripMs > RTO_MS.max ? requests : 0;
    expect(questions).toBeGreaterThan(10);
    expect(questions).toBeLessThanOrEqual(beats + doubts + 2);
  },
);
