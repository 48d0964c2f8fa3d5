import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AnyActorRef } from 'xstate';
import { poolMachine } from '../../machines/pool/pool.machine.ts';
import { type CreatePoolOptions, type NetworkStatus, type Pool, systemClock } from '../../src/index.ts';
import { type FaultableRelay, FaultProxy, signedEvents, VirtualClock } from '../../src/testing/index.ts';
import { EdgeCoverage } from '../kit/edges.ts';
import { nextFact, until } from '../kit/facts.ts';
import { startPool, startRelays } from '../kit/relays.ts';

const events = signedEvents();
const next = () => events.next().value;
const coverage = new EdgeCoverage(poolMachine);

/** A pool whose every step counts. */
function watched(relays: readonly FaultableRelay[], options: CreatePoolOptions = {}): Pool {
  return startPool(relays, {
    ...options,
    inspect: (event) => {
      const isPool = (event.actorRef as AnyActorRef).sessionId === event.rootId;
      if (event.type === '@xstate.microstep' && isPool) coverage.note(event._transitions);
    },
  });
}

const relayActor = (pool: Pool, { url }: { readonly url: string }) => pool.actor.getSnapshot().children[`relay:${url}`];

/** Says something to the actor of a relay that only its pool should. */
const tell = (pool: Pool, relay: { readonly url: string }, event: object): void =>
  relayActor(pool, relay)?.send(event as never);

/** Whoever reads it throws. */
const poison = {
  type: 'CONFIGURE',
  get settings(): never {
    throw new Error('poison');
  },
};
const connected = (pool: Pool, count: number) => until(pool, () => pool.metrics().activeConnections === count);
const over = (pool: Pool): Promise<void> =>
  new Promise((resolve) => void pool.actor.subscribe({ complete: () => resolve(), error: () => resolve() }));

/** Nothing is under way any more that the relay would read before it sees that the connection is gone. */
async function ponged(pool: Pool, { url }: FaultableRelay): Promise<void> {
  await connected(pool, 1);
  while (pool.relayMetrics(url)?.pingMs === undefined) await new Promise((resolve) => setImmediate(resolve));
}

async function one(): Promise<FaultableRelay> {
  const [relay] = await startRelays(1);
  if (!relay) throw new Error('no relay');
  return relay;
}

describe('the arrows of the pool chart, with real relays', () => {
  test('commands and what they refuse', async () => {
    const [a, b] = (await startRelays(2)) as [FaultableRelay, FaultableRelay];
    const pool = watched([a]);
    const refused: string[] = [];
    pool.on('pool.command-refused', ({ command }) => refused.push(command));
    await connected(pool, 1);
    const wrong = [
      { type: 'ADD_RELAY', url: 'ftp://x' },
      { type: 'REMOVE_RELAY', url: b.url },
      { type: 'CONFIGURE', options: { stableMs: -1 } },
      { type: 'CONFIGURE_RELAY', url: b.url, options: {} },
      { type: 'CONNECT', url: b.url },
      { type: 'DISCONNECT', url: b.url },
      { type: 'DRAIN', timeoutMs: -1 },
    ] as const;
    for (const command of wrong) pool.actor.send(command);
    expect(refused).toEqual(wrong.map(({ type }) => type));
    pool.addRelay(a.url, { stableMs: 500 });
    pool.configure({ closeTimeoutMs: 90 });
    pool.configureRelay(a.url, { stableMs: 300 });
    pool.disconnect();
    await until(pool, () => pool.status()[a.url] === 'idle');
    expect(a.open).toBe(0);
    pool.connect(a.url);
    await connected(pool, 1);
    pool.addRelay(b.url);
    await connected(pool, 2);
    expect([a.open, b.open]).toEqual([1, 1]);
    expect(a.openMost).toBe(1);
  });

  test('a relay that is removed, removed again, and added while it leaves', async () => {
    const relay = await one();
    const pool = watched([relay]);
    await connected(pool, 1);
    const closed = once(relay.events, 'close');
    pool.removeRelay(relay.url);
    pool.actor.send({ type: 'REMOVE_RELAY', url: relay.url });
    pool.addRelay(relay.url);
    await closed;
    await connected(pool, 1);
    expect(relay.opens).toBe(2);
    const removed = nextFact(pool, 'relay.removed');
    pool.removeRelay(relay.url);
    await removed;
    expect(pool.status()).toEqual({});
    expect(relay.openMost).toBe(1);
  });

  test('nobody there at the start, somebody, nobody again', async () => {
    const relay = await one();
    await relay.stop();
    const pool = watched([relay]);
    await nextFact(pool, 'pool.stranded');
    const recovered = nextFact(pool, 'pool.recovered');
    await relay.listen();
    await recovered;
    const stranded = nextFact(pool, 'pool.stranded');
    await relay.stop();
    await stranded;
  });

  test('relay actors that throw: replaced, given up, removed, or let go', async () => {
    const relay = await one();
    const pool = watched([relay], { supervisor: { restartsMax: 1 } });
    await ponged(pool, relay);
    const restarted = nextFact(pool, 'relay.restarted');
    tell(pool, relay, poison);
    await restarted;
    await ponged(pool, relay);
    const abandoned = nextFact(pool, 'relay.abandoned');
    tell(pool, relay, poison);
    await abandoned;
    expect(relay.openMost).toBe(1);
    pool.removeRelay(relay.url);
    pool.addRelay(relay.url);
    await connected(pool, 1);
    pool.removeRelay(relay.url);
    const removed = nextFact(pool, 'relay.removed');
    tell(pool, relay, poison);
    await removed;
    expect(pool.status()).toEqual({});
  });

  test('publishing, cancelling, draining, and being closed meanwhile', async () => {
    const relay = await one();
    const pool = watched([relay]);
    await connected(pool, 1);
    const first = next();
    const settled = nextFact(pool, 'delivery.settled');
    pool.actor.send({ type: 'PUBLISH', event: first });
    expect(await settled).toMatchObject({ id: first.id, outcome: { status: 'accepted' } });
    pool.cancel(first.id);
    const stored = nextFact(pool, 'subscription.event');
    const ended = nextFact(pool, 'subscription.closed');
    pool.actor.send({ type: 'SUBSCRIBE', id: 'mine', filters: { ids: [first.id] } });
    expect(await stored).toMatchObject({ id: 'mine', event: first, relay: relay.url, stored: true });
    pool.actor.send({ type: 'UNSUBSCRIBE', id: 'mine' });
    expect(await ended).toMatchObject({ id: 'mine', cause: 'closed' });
    relay.set({ delayMs: 60 });
    const second = pool.publish(next());
    const drained = pool.close({ drainMs: 5_000 });
    const late = nextFact(pool, 'publication.refused');
    pool.actor.send({ type: 'PUBLISH', event: next() });
    expect(await late).toMatchObject({ cause: 'closing' });
    const tooLate = nextFact(pool, 'subscription.refused');
    pool.actor.send({ type: 'SUBSCRIBE', id: 'late', filters: {} });
    expect(await tooLate).toMatchObject({ id: 'late', problem: 'the pool is closing' });
    expect(await second).toMatchObject({ status: 'confirmed' });
    await drained;
    expect(relay.open).toBe(0);
  });

  test('draining that takes too long, and a relay that crashes meanwhile', async () => {
    const [a, b] = (await startRelays(2, { faults: { swallowAcks: true } })) as [FaultableRelay, FaultableRelay];
    const pool = watched([a, b]);
    await connected(pool, 2);
    const publishing = pool.publish(next());
    const closed = pool.close({ drainMs: 40 });
    tell(pool, a, poison);
    expect(await publishing).toMatchObject({ status: 'failed', cause: 'closed' });
    await closed;
  });

  test('stopping at once, twice, with a relay that takes its time', async () => {
    const relay = await one();
    const proxy = await FaultProxy.start(relay.url);
    onTestFinished(() => proxy.stop());
    const pool = watched([], { relays: [proxy.url] });
    await connected(pool, 1);
    const settings = relayActor(pool, proxy)?.getSnapshot().context.settings as object;
    tell(pool, proxy, { type: 'CONFIGURE', settings: { ...settings, closeTimeoutMs: 20_000 } });
    // Its close frame never arrives, so that only the pool's own deadline is left.
    proxy.set({ up: { held: true } });
    const ended = over(pool);
    pool.actor.send({ type: 'STOP' });
    pool.actor.send({ type: 'STOP' });
    await ended;
    const gone = once(relay.events, 'close');
    proxy.heal();
    await gone;
  });

  test('a data plane that cannot be', async () => {
    let broken = true;
    const clock = {
      ...systemClock,
      now: () => {
        if (broken) throw new Error('no time');
        return systemClock.now();
      },
    };
    const pool = watched([], { clock });
    broken = false;
    await expect(pool.publish(next())).rejects.toMatchObject({ code: 'POOL_CLOSED' });
  });

  test('few of many serve, then more, then none', async () => {
    const relays = await startRelays(4);
    const [first, ...others] = relays as [FaultableRelay, FaultableRelay, FaultableRelay, FaultableRelay];
    for (const relay of others) await relay.stop();
    const pool = watched(relays);
    // In doubt of its own network, a pool would not count what is lost here.
    pool.actor.send({ type: 'network.online' });
    const told: string[] = [];
    pool.on('*', ({ type }) => {
      if (type.startsWith('pool.') && !type.startsWith('pool.network')) told.push(type);
    });
    await nextFact(pool, 'pool.strained');
    for (const relay of others) await relay.listen();
    await nextFact(pool, 'pool.relieved');
    await connected(pool, 4);
    for (const relay of others) await relay.stop();
    await nextFact(pool, 'pool.strained');
    await first.stop();
    await nextFact(pool, 'pool.stranded');
    await first.listen();
    await nextFact(pool, 'pool.strained');
    expect(told).toEqual([
      'pool.strained',
      'pool.relieved',
      'pool.strained',
      'pool.stranded',
      'pool.recovered',
      'pool.strained',
    ]);
  });

  test('the network goes and comes back', async () => {
    const relays = await startRelays(3);
    const clock = new VirtualClock(Date.now());
    const pool = watched(relays, { clock });
    await connected(pool, 3);
    const facts: string[] = [];
    pool.on('*', ({ type }) => {
      if (type.startsWith('pool.network')) facts.push(type);
    });
    const [a, b, c] = relays.map(({ url }) => url);
    const say = (fact: object): void => pool.actor.send(fact as never);
    const suspect = (url: string | undefined) => say({ type: 'relay.suspected', url, atMs: clock.now() });
    say({ type: 'outbox.failed', problem: 'the disk is full' });
    say({ type: 'state.failed', problem: 'the disk is full' });
    say({ type: 'verifier.failed', problem: 'it threw' });
    pool.actor.send({ type: 'network.offline' });
    pool.actor.send({ type: 'network.offline' });
    pool.actor.send({ type: 'network.online' });
    suspect(a);
    say({ type: 'relay.cleared', url: a });
    suspect(a);
    suspect(b);
    say({ type: 'relay.cleared', url: a });
    suspect(b);
    suspect(c);
    say({ type: 'relay.connected', url: a, generation: 1 });
    suspect(b);
    suspect(c);
    pool.actor.send({ type: 'network.online' });
    suspect(b);
    suspect(c);
    clock.advance(60_000);
    expect(facts).toEqual([
      'pool.network-offline',
      'pool.network-recovered',
      'pool.network-suspected',
      'pool.network-recovered',
      'pool.network-suspected',
      'pool.network-recovered',
      'pool.network-suspected',
      'pool.network-recovered',
      'pool.network-suspected',
    ]);
    await pool.close({ drainMs: 0 });
  });

  test('a pool that begins offline dials nobody until the platform is online', async () => {
    const relays = await startRelays(2);
    let tell: (isOnline: boolean) => void = () => {};
    const network: NetworkStatus = {
      isOnline: false,
      subscribe: (listener) => {
        tell = listener;
        return () => {};
      },
    };
    const pool = watched(relays, { network });
    expect(Object.values(pool.status())).toEqual(['paused', 'paused']);
    const publishing = pool.publish(events.next().value, { relays: [relays[0]?.url ?? ''] });
    expect(relays.map(({ dials }) => dials)).toEqual([0, 0]);
    tell(true);
    expect(await publishing).toMatchObject({ status: 'confirmed' });
    await pool.close({ drainMs: 0 });
  });

  test('all connections are cut in one moment, and it is not the relays’ fault', async () => {
    const relays = await startRelays(3);
    const pool = watched(relays);
    await connected(pool, 3);
    const doubted = nextFact(pool, 'pool.network-suspected');
    const recovered = nextFact(pool, 'pool.network-recovered');
    for (const relay of relays) relay.cut();
    expect(await doubted).toMatchObject({ relays: 2 });
    await recovered;
    await connected(pool, 3);
    for (const { url } of relays) expect(pool.relayMetrics(url)).toMatchObject({ circuit: 'closed' });
  });

  test('are all taken', () => {
    console.log(`pool, real sockets: ${coverage.taken.size} of ${coverage.total} edges`);
    expect(coverage.missing).toEqual([]);
  });
});
