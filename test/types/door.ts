/** What must compile, and what must not. Checked by `npm run types`; never run. */

import { createActor } from 'xstate';
import { createPool, type FactOf, poolMachine, type Receipt } from '../../src/index.ts';

export async function door(event: unknown): Promise<Receipt> {
  await using pool = createPool({
    relays: ['wss://relay.example', { url: 'wss://b.example', options: { stableMs: 1 } }],
  });
  pool.on('relay.circuit-opened', ({ cause, delayMs, trips }) => cause.length + delayMs + trips);
  pool.on('*', ({ type }) => type);
  const stop: () => void = pool.on('publication.failed', (fact: FactOf<'publication.failed'>) => fact.outcomes);
  stop();
  const actor = createActor(poolMachine, { input: { relays: ['wss://relay.example'] } });
  actor.send({ type: 'PUBLISH', event, options: { quorum: 'all', relays: 2 } });
  actor.on('relay.degraded', ({ reasons }) => reasons.length);

  // @ts-expect-error there is no such fact
  pool.on('relay.exploded', () => {});
  // @ts-expect-error there is no such option
  createPool({ reconect: {} });
  // @ts-expect-error a strategy is one of four
  createPool({ reconnect: { strategy: 'random' } });
  // @ts-expect-error there is no such command
  actor.send({ type: 'PUBLISH_ALL' });
  // @ts-expect-error there is no such moment
  await pool.publish(event, { until: 'later' });
  // @ts-expect-error an event has to be given
  await pool.publish();

  const receipt = await pool.publish(event, { quorum: 2, signal: AbortSignal.timeout(1_000) });
  // @ts-expect-error a receipt does not change
  receipt.status = 'confirmed';
  const outcome = receipt.outcomes['wss://relay.example/'];
  // @ts-expect-error only an accepted outcome has a latency
  outcome?.latencyMs;
  if (outcome?.status === 'accepted') return outcome.latencyMs > 0 ? receipt : receipt.completed();
  return receipt.confirmed();
}
