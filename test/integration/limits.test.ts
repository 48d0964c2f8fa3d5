import { expect, test } from 'vitest';
import { relayInformation } from '../../src/index.ts';
import { type FaultableRelay, signedEvents } from '../../src/testing/index.ts';
import { nextFact, until, untilAt } from '../kit/facts.ts';
import { startPool, startRelays } from '../kit/relays.ts';

const events = signedEvents();

/** Relays of which the first says what it takes, and a pool that has heard it. */
async function informedPool(count: number, limitation: object) {
  const [relay, ...others] = (await startRelays(count)) as [FaultableRelay, ...FaultableRelay[]];
  relay.information = JSON.stringify({ name: 'strict', limitation });
  const pool = startPool([relay, ...others], { information: relayInformation, subscriptionsMax: 20 });
  const [fact] = await Promise.all([
    nextFact(pool, 'relay.informed', ({ url }) => url === relay.url),
    until(pool, () => pool.metrics().activeConnections === count),
  ]);
  return { relay, others, pool, fact };
}

test('a relay that says how many subscriptions it takes never has to refuse one', async () => {
  const { relay, pool, fact } = await informedPool(1, { max_subscriptions: 5 });
  relay.set({ subscriptionsMax: 5 });
  expect(fact.limits).toEqual({ subscriptionsMax: 5 });
  expect(pool.relayMetrics(relay.url)).toMatchObject({ limits: { subscriptionsMax: 5 }, requestsMax: 4 });
  const subscriptions = Array.from({ length: 30 }, (_, kind) => pool.subscribe({ kinds: [kind] }));
  // A subscription that is closed keeps saying how it stood last.
  const open = () => subscriptions.filter(({ isClosed }) => !isClosed);
  const count = (state: string) => open().filter((each) => each.status()[relay.url]?.state === state).length;
  await until(pool, () => count('live') === 4);
  expect(count('queued')).toBe(26);
  // Those that wait have their turn when others end.
  for (const subscription of subscriptions.slice(0, 4)) subscription.close();
  expect(count('live')).toBe(0);
  await until(pool, () => count('live') === 4);
  expect(count('queued')).toBe(22);
  for (const subscription of subscriptions) expect(subscription.status()[relay.url]?.refusal).toBeUndefined();
  expect(relay.informed).toBe(1);
});

test('a message that is longer than a relay says that it takes goes to others alone', async () => {
  const { relay, others, pool } = await informedPool(2, { max_message_length: 2_000 });
  const [other] = others as [FaultableRelay];
  const [long, short] = [signedEvents('x'.repeat(3_000)).next().value, events.next().value];
  const receipt = await pool.publish(long, { quorum: 1, until: 'complete', timeoutMs: 10_000 });
  expect(receipt).toMatchObject({ status: 'confirmed', outcomes: { [other.url]: { status: 'accepted' } } });
  expect(receipt.outcomes[relay.url]?.status).not.toBe('accepted');
  await pool.publish(short, { quorum: 2, timeoutMs: 10_000 });
  expect([...relay.store.events.keys()]).toEqual([short.id]);
});

test('filters that are longer than a relay says that it takes are not sent there, and it is said why', async () => {
  const { relay, others, pool } = await informedPool(2, { max_message_length: 2_000 });
  const [other] = others as [FaultableRelay];
  const asked: string[] = [];
  relay.events.on('frame', (frame) => asked.push(frame));
  const authors = Array.from({ length: 100 }, (_, index) => index.toString(16).padStart(64, '0'));
  const subscription = pool.subscribe({ authors });
  const standing = (url: string) => subscription.status()[url];
  await until(pool, () => standing(other.url)?.state === 'live' && standing(relay.url)?.state === 'refused');
  expect(standing(relay.url)?.refusal?.text).toMatch(/^the filters take \d{4} bytes; this relay takes 2000$/);
  expect(asked.filter((frame) => frame.startsWith('["REQ","r'))).toEqual([]);
  // Alone with that relay, nobody serves it.
  const closed = new Promise((resolve) => {
    pool.subscribe({ authors }, { relays: [relay.url], onClosed: resolve });
  });
  expect(await closed).toBe('refused');
});

test('a relay that says nothing of itself, or refuses to, is used all the same', async () => {
  const relays = await startRelays(2);
  const pool = startPool(relays, { information: relayInformation });
  await Promise.all(relays.map((relay) => untilAt(relay, () => relay.informed === 1)));
  expect(await pool.publish(events.next().value, { quorum: 2, timeoutMs: 10_000 })).toMatchObject({
    status: 'confirmed',
  });
  for (const { url } of relays) expect(pool.relayMetrics(url)?.limits).toEqual({});
});
