import { expect, onTestFinished, test } from 'vitest';
import {
  type CreatePoolOptions,
  createPool,
  type Fact,
  type NostrEvent,
  type Pool,
  type Receipt,
} from '../src/index.ts';
import {
  type RelayFaults,
  SimulatedNetwork,
  SimulatedRelay,
  seededRandom,
  signedEvents,
  VirtualClock,
} from '../src/testing/index.ts';

const events = signedEvents();
const next = (content?: string): NostrEvent => {
  const event = events.next().value;
  return content === undefined ? event : { ...event, content };
};

/** Relays that misbehave, and a pool that publishes to them. */
class World {
  readonly clock = new VirtualClock(1_700_000_000_000);
  readonly network = new SimulatedNetwork({ clock: this.clock, dice: (url) => seededRandom(url) });
  readonly relays: readonly SimulatedRelay[];
  readonly pool: Pool;
  readonly facts: Fact[] = [];

  constructor(faults: readonly Partial<RelayFaults>[], options: CreatePoolOptions = {}) {
    this.relays = faults.map((each, index) => {
      const url = `wss://relay${index}.example/`;
      this.network.link(url).set({ latency: { minMs: 10, spreadMs: 0 } });
      const relay = new SimulatedRelay(this.network, { url, clock: this.clock, dice: seededRandom(url) });
      relay.set(each);
      return relay;
    });
    const { clock, network } = this;
    const relays = this.relays.map(({ url }) => url);
    this.pool = createPool({ clock, transport: network.transport, random: seededRandom(1), relays, ...options });
    this.pool.on('*', (fact) => this.facts.push(fact));
    onTestFinished(async () => {
      const closed = this.pool.close({ drainMs: 0 });
      this.clock.advance(5_000);
      await closed;
    });
    this.clock.advance(5_000);
  }

  urlOf(index: number): string {
    return this.relays[index]?.url ?? '';
  }

  /** What a call comes to, with the clock advanced until it has. */
  async settled(call: Promise<Receipt>, withinMs = 60_000): Promise<Receipt> {
    let receipt: Receipt | undefined;
    void call.then((settled) => {
      receipt = settled;
    });
    for (let ms = 0; ms < withinMs && !receipt; ms += 100) {
      this.clock.advance(100);
      for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    }
    if (!receipt) throw new Error(`The call was not settled within ${withinMs} ms.`);
    return receipt;
  }

  dialsOf(index: number): number {
    return this.pool.relayMetrics(this.urlOf(index))?.connections.length ?? 0;
  }
}

test('one event by a call for each relay reaches every one of them, and each receipt speaks of its own', async () => {
  const world = new World([{}, {}, { refuseWith: 'blocked: not you' }]);
  const event = next();
  const calls = world.relays.map(({ url }) => world.settled(world.pool.publish(event, { relays: [url] })));
  const receipts = await Promise.all(calls);
  expect(receipts.map(({ status }) => status)).toEqual(['confirmed', 'confirmed', 'failed']);
  expect(receipts.map(({ outcomes }) => Object.keys(outcomes))).toEqual(world.relays.map(({ url }) => [url]));
  expect(world.relays.map(({ store }) => store.events.has(event.id))).toEqual([true, true, false]);
});

test('an older version is not sent to a relay to which a later call takes the newer one', async () => {
  const world = new World([{}, { delayMs: 2_000 }]);
  const [first, second] = [world.urlOf(0), world.urlOf(1)];
  const older = { ...next(), kind: 0, created_at: 1_700_000_000 };
  const newer = { ...next(), kind: 0, created_at: 1_700_000_100 };
  world.relays[1]?.set({ refuse: true });
  world.relays[1]?.cut();
  world.clock.advance(100);
  const calls = [
    world.pool.publish(older, { relays: [first, second], quorum: 1 }),
    world.pool.publish(newer, { relays: [first], quorum: 1, until: 'first' }),
    world.pool.publish(newer, { relays: [second], quorum: 1, timeoutMs: 1_000 }),
  ];
  for (const call of calls) await world.settled(call);
  world.relays[1]?.heal();
  world.clock.advance(120_000);
  expect([older, newer].map(({ id }) => world.relays[1]?.store.events.has(id))).toEqual([false, true]);
});

test('every relay that can be reached has answered, whatever the one does that cannot be', async () => {
  const world = new World([{}, { delayMs: 300 }, { refuse: true }]);
  const { outcomes } = await world.settled(world.pool.publish(next(), { until: 'answered' }), 5_000);
  expect(world.relays.map(({ url }) => outcomes[url]?.status)).toEqual(['accepted', 'accepted', 'queued']);
  expect(outcomes[world.urlOf(2)]).toMatchObject({ reason: expect.stringContaining('connection refused') });
});

test('the last outcome is waited for as long as its caller says, and not longer', async () => {
  const world = new World([{}, { refuse: true }]);
  const receipt = await world.settled(world.pool.publish(next(), { quorum: 1 }));
  const askedAt = world.clock.now();
  const last = await world.settled(receipt.completed({ timeoutMs: 3_000 }));
  expect(world.clock.now() - askedAt).toBeLessThanOrEqual(3_100);
  expect(last.outcomes[world.urlOf(1)]?.status).toBe('queued');
});

test('a relay that refuses by a notice has refused', async () => {
  const world = new World([{ noticeAcks: 'blocked: not you' }]);
  const { status, outcomes } = await world.settled(world.pool.publish(next()), 5_000);
  expect(status).toBe('failed');
  expect(outcomes[world.urlOf(0)]).toMatchObject({ status: 'rejected', refusal: { prefix: 'blocked' } });
});

test('a relay that answers error to every event keeps its connection, and is not published to', async () => {
  const world = new World([{ refuseWith: 'error: the disk is full' }, {}]);
  for (let time = 0; time < 10; time += 1) {
    await world.settled(world.pool.publish(next(), { relays: [world.urlOf(0)], timeoutMs: 200 }));
  }
  expect(world.pool.relayMetrics(world.urlOf(0))).toMatchObject({
    circuit: 'closed',
    writeCircuit: 'open',
    reason: 'publishing is suspended: error: the disk is full',
  });
  expect(world.facts.filter(({ type }) => type === 'relay.disconnected')).toEqual([]);
  world.relays[0]?.heal();
  const receipt = await world.settled(world.pool.publish(next(), { quorum: 'all' }));
  expect(receipt.status).toBe('confirmed');
  expect(world.pool.relayMetrics(world.urlOf(0))).toMatchObject({ writeCircuit: 'closed' });
});

test.each([1009, 1006])(
  'an event that is too large for one relay is given up there (%i), and nothing else',
  async (code) => {
    const world = new World([{ messageBytesMax: 4_000, tooLargeCode: code }, {}]);
    const large = next('x'.repeat(10_000));
    const others = Array.from({ length: 5 }, () => world.pool.publish(next(), { quorum: 'all' }));
    const call = world.pool.publish(large, { quorum: 1 });
    for (const other of others) expect((await world.settled(other, 120_000)).status).toBe('confirmed');
    expect((await world.settled(call)).status).toBe('confirmed');
    for (let second = 0; second < 120; second += 1) world.clock.advance(1_000);
    const later = await world.settled(world.pool.publish(next(), { quorum: 'all' }), 60_000);
    expect(later.status).toBe('confirmed');
    expect(world.pool.status()[world.urlOf(0)]).toBe('connected');
    expect(world.relays[0]?.store.events.has(large.id)).toBe(false);
  },
);

test('a relay whose name hangs, and one that says nothing, hold up nobody', async () => {
  const world = new World([{}, {}, {}]);
  world.network.link(world.urlOf(1)).set({ name: 'hangs' });
  world.relays[1]?.cut();
  world.relays[2]?.set({ tarpit: true });
  world.relays[2]?.cut();
  world.clock.advance(20_000);
  const startedAt = world.clock.now();
  const receipt = await world.settled(world.pool.publish(next(), { quorum: 1 }));
  expect(world.clock.now() - startedAt).toBeLessThan(500);
  expect(receipt.status).toBe('confirmed');
  expect(world.pool.relayMetrics(world.urlOf(1))?.lastEnd).toMatchObject({ errorCode: 'ETIMEOUT' });
  expect(world.pool.relayMetrics(world.urlOf(2))?.lastEnd).toMatchObject({ errorCode: 'ETIMEDOUT' });
});

test('a relay that closes politely and keeps TCP open is left at once', async () => {
  const world = new World([{}]);
  world.relays[0]?.set({ lingers: true });
  world.relays[0]?.close(1001);
  world.clock.advance(50);
  expect(world.pool.status()[world.urlOf(0)]).not.toBe('connected');
  world.relays[0]?.heal();
  const receipt = await world.settled(world.pool.publish(next()), 10_000);
  expect(receipt.status).toBe('confirmed');
});

test('one code of an application is an ordinary loss; three in a row are a refusal', () => {
  const world = new World([{}]);
  world.relays[0]?.close(4000);
  world.clock.advance(5_000);
  expect(world.pool.status()[world.urlOf(0)]).toBe('connected');
  world.relays[0]?.set({ closeOnAccept: 4000 });
  world.relays[0]?.close(4000);
  world.clock.advance(30_000);
  expect(world.facts.find(({ type }) => type === 'relay.circuit-opened')).toMatchObject({
    cause: 'refused',
    reason: 'closed with 4000',
  });
});

test('a pool that starts offline does not dial until the network is back', () => {
  let tell: (online: boolean) => void = () => {};
  const subscribe = (listener: (online: boolean) => void): (() => void) => {
    tell = listener;
    return () => {};
  };
  const world = new World([{}], { network: { isOnline: false, subscribe } });
  expect(world.dialsOf(0)).toBe(0);
  expect(world.pool.status()[world.urlOf(0)]).toBe('paused');
  tell(true);
  world.clock.advance(5_000);
  expect(world.pool.status()[world.urlOf(0)]).toBe('connected');
});
