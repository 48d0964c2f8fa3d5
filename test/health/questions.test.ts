import { expect, test } from 'vitest';
import { CONNECTION_LIMITS, RTO_MS } from '../../machines/policy/limits.ts';
import type { Transport } from '../../src/index.ts';
import type { SimulatedRelay, VirtualClock } from '../../src/testing/index.ts';
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

/** A transport whose bytes are looked at late, as where much else is to be done. */
const busy =
  (lateMs: number) =>
  (transport: Transport, clock: VirtualClock): Transport => ({
    name: 'busy',
    open: (url, options, handlers) => {
      const late = (look: () => void): void => {
        handlers.onRead?.();
        clock.setTimeout(look, lateMs);
      };
      return transport.open(url, options, {
        ...handlers,
        onFrame: (frame) => late(() => handlers.onFrame(frame)),
        onPong: () => late(() => handlers.onPong()),
      });
    },
  });

test.each([
  ['ping', (transport: Transport) => transport],
  ['question whether it lives', pingless],
])('a %s took as long as its answer took to arrive, however late that is looked at', (_, changed) => {
  const LATE_MS = 200;
  const { clock, relays, pool, network } = readingWorld(1, {}, (transport, itsClock) =>
    busy(LATE_MS)(changed(transport), itsClock),
  );
  const [relay] = relays as [SimulatedRelay];
  network.link(relay.url).set({ latency: { minMs: 10, spreadMs: 0 } });
  clock.advance(MINUTE);
  const { pingMs } = pool.relayMetrics(relay.url) ?? {};
  expect(pingMs).toBeGreaterThanOrEqual(20);
  expect(pingMs).toBeLessThan(LATE_MS);
});
