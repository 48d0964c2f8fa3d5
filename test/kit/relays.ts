import { onTestFinished } from 'vitest';
import { type CreatePoolOptions, createPool, type Pool } from '../../src/index.ts';
import { FaultableRelay, type FaultableRelayOptions } from '../../src/testing/index.ts';

/** Delays a hundred times shorter than the defaults, so that nothing waits for long. */
export const QUICK = {
  connectTimeoutMs: 300,
  closeTimeoutMs: 100,
  stableMs: 200,
  reconnect: { initialDelayMs: 10, maxDelayMs: 200, minDelayMs: 2, relaxation: 1 },
  breaker: { openMs: 50, openMaxMs: 400, halfOpenTimeoutMs: 200 },
  publish: { ackTimeoutMs: 150, resendDelayMs: 20, resendDelayMaxMs: 200 },
} as const;

/** Relays on real ports that end with the test. */
export async function startRelays(count: number, options: FaultableRelayOptions = {}): Promise<FaultableRelay[]> {
  const relays = await Promise.all(Array.from({ length: count }, () => FaultableRelay.start(options)));
  onTestFinished(async () => {
    await Promise.all(relays.map((relay) => relay.stop()));
  });
  return relays;
}

/** A pool over relays on this machine that ends with the test. */
export function startPool(relays: readonly FaultableRelay[], options: CreatePoolOptions = {}): Pool {
  const pool = createPool({
    ...QUICK,
    trust: { allowPrivate: true },
    relays: relays.map((relay) => relay.url),
    ...options,
  });
  onTestFinished(() => pool.close({ drainMs: 0 }));
  return pool;
}
