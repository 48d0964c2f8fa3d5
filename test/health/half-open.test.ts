import { expect, test } from 'vitest';
import type { SimulatedRelay } from '../../src/testing/index.ts';
import { readingWorld, SECOND } from '../kit/reading-world.ts';

/** Within this, by the defaults: one heartbeat, and as long as nothing may be heard after it. */
const FOUND_MS = 20 * SECOND;
/** Dialling, and asking again. */
const BACK_MS = 3 * SECOND;

test.each([1, 3_000, 9_999, 14_000, 16_000, 29_000])(
  'a connection that dies without a word after %d ms is found out within 20 s, and brings then what was missed',
  (idleMs) => {
    const { clock, network, relays, pool, put, ids, onEvent } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    pool.subscribe({ kinds: [1] }, { onEvent });
    clock.advance(SECOND + idleMs);
    network.link(relay.url).lose();
    const missed = put(relay);
    let foundMs: number | undefined;
    pool.on('relay.disconnected', () => {
      foundMs ??= clock.now() - lostAt;
    });
    const lostAt = clock.now();
    clock.advance(FOUND_MS + SECOND);
    expect(foundMs).toBeLessThanOrEqual(FOUND_MS + 10);
    clock.advance(BACK_MS);
    expect(ids()).toEqual([missed.id]);
  },
);
