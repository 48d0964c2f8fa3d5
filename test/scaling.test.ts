import { describe, expect, onTestFinished, test } from 'vitest';
import { SCALING } from '../machines/policy/limits.ts';
import { connectionsWanted, type ScalingInput } from '../machines/policy/scaling.ts';
import { DEFAULT_RELAY_SETTINGS } from '../machines/policy/settings.ts';
import { change, initialScalingContext } from '../machines/scaling/scaling.context.ts';
import { type CreatePoolOptions, createPool, type Pool, type Receipt, type Transport } from '../src/index.ts';
import { SimulatedNetwork, type SimulatedPeer, seededRandom, VirtualClock } from '../src/testing/index.ts';
import { MemoryRelay } from './kit/memory-relay.ts';
import { eventOf } from './simulation/events.ts';

const URL_A = 'wss://a.example/';

/** One relay that takes a tenth of a second to answer, so that a window of four is forty events a second. */
class Field {
  readonly clock = new VirtualClock(1_700_000_000_000);
  readonly network = new SimulatedNetwork({ clock: this.clock });
  readonly relay = new MemoryRelay(this.network, URL_A, this.clock);
  readonly pool: Pool;
  readonly sizes: number[] = [];
  readonly receipts: Receipt[] = [];
  #published = 0;

  constructor(options: CreatePoolOptions = {}, wrap: (open: Transport['open']) => Transport['open'] = (open) => open) {
    this.relay.delayMs = 100;
    this.pool = createPool({
      relays: [URL_A],
      clock: this.clock,
      transport: { name: 'wrapped', open: wrap((...given) => this.network.transport.open(...given)) },
      random: seededRandom(7),
      connectionsMax: 3,
      ...options,
      publish: { window: 4, publicationsMax: 100_000, ...options.publish },
    });
    this.pool.on('relay.resized', ({ connections }) => this.sizes.push(connections));
    onTestFinished(() => this.close());
    this.clock.advance(1_000);
  }

  async close(): Promise<void> {
    const closed = this.pool.close({ drainMs: 0 });
    this.clock.advance(10_000);
    await closed;
    expect(this.clock.pending).toBe(0);
    expect(this.relay.peers.size).toBe(0);
  }

  get open(): number {
    return this.relay.peers.size;
  }

  async publish(perSecond: number, forMs: number): Promise<void> {
    const until = this.clock.now() + forMs;
    while (this.clock.now() < until) {
      this.#published += 1;
      const event = { ...eventOf(1, this.#published), kind: 1 };
      void this.pool.publish(event, { timeoutMs: 120_000 }).then((receipt) => this.receipts.push(receipt));
      await this.pass(1_000 / perSecond);
    }
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await null;
  }

  /** Lets everything be answered: nothing that was published may be missing. */
  async settle(forMs = 20_000): Promise<void> {
    await this.pass(forMs);
    await null;
    expect(this.receipts).toHaveLength(this.#published);
    expect(this.receipts.every(({ status }) => status === 'confirmed')).toBe(true);
  }

  /** The connection that was opened last, as the relay sees it. */
  get newest(): SimulatedPeer {
    return [...this.relay.peers].at(-1) as SimulatedPeer;
  }
}

describe('a relay that may have several connections', () => {
  test('gets one more while the load asks for it, and gives them back when it does not', async () => {
    const field = new Field();
    await field.publish(20, 20_000);
    expect(field.open).toBe(1);
    await field.publish(100, 30_000);
    expect(field.open).toBe(3);
    expect(field.pool.relayMetrics(URL_A)).toMatchObject({ openConnections: 3 });
    await field.settle();
    // Asked for by the load of one second, given back after a minute without any, one by one.
    await field.pass(SCALING.downWithinMs);
    expect(field.open).toBe(2);
    await field.pass(SCALING.downWithinMs + 1_000);
    expect(field.open).toBe(1);
    expect(field.sizes).toEqual([2, 3, 2, 1]);
    expect(field.relay.stored.size).toBe(field.receipts.length);
  });

  test('never has more than it may, and one where nobody asked for more', async () => {
    const two = new Field({ connectionsMax: 2 });
    await two.publish(160, 20_000);
    expect(two.relay.openMost).toBe(2);
    await two.settle(60_000);
    const one = new Field({ connectionsMax: 1 });
    await one.publish(160, 20_000);
    expect(one.relay.openMost).toBe(1);
    expect(one.sizes).toEqual([]);
    await one.settle(100_000);
  });

  test('has no more where the relay wants to be asked less often', async () => {
    const field = new Field({ publish: { triesMax: 100 } });
    field.relay.answer = (id) => ['OK', id, false, 'rate-limited: slow down'];
    await field.publish(50, 20_000);
    expect(field.relay.openMost).toBe(1);
  });

  test('shares the bound of the pool', async () => {
    const field = new Field({ supervisor: { furtherConnectionsMax: 1 } });
    await field.publish(160, 20_000);
    expect(field.relay.openMost).toBe(2);
    await field.settle(60_000);
  });

  test('sends what was on a connection that is lost on the others, and dials again no sooner than a relay', async () => {
    const field = new Field();
    await field.publish(100, 10_000);
    expect(field.open).toBe(3);
    const dials = field.relay.dials;
    field.newest.cut();
    await field.publish(100, 300);
    expect(field.open).toBe(2);
    expect(field.pool.status()[URL_A]).toBe('connected');
    await field.publish(100, 20_000);
    expect(field.open).toBe(3);
    expect(field.relay.dials).toBe(dials + 1);
    await field.settle();
  });

  test('sends nothing on a connection that is silent, and gives it up when it stays so', async () => {
    // Without pings, so that a relay that says nothing is silent.
    const withoutPing =
      (open: Transport['open']): Transport['open'] =>
      (...given) =>
        new Proxy(open(...given), {
          get: (connection, key) => {
            const value = key === 'ping' ? undefined : Reflect.get(connection, key, connection);
            return typeof value === 'function' ? value.bind(connection) : value;
          },
        });
    const field = new Field({}, withoutPing);
    await field.publish(100, 10_000);
    expect(field.open).toBe(3);
    const silent = field.newest;
    const arrived: string[] = [];
    silent.onFrame = (frame) => void arrived.push(frame);
    await field.publish(100, 3_000);
    const before = arrived.filter((frame) => frame.startsWith('["EVENT"')).length;
    expect(before).toBeGreaterThan(0);
    await field.publish(100, 1_000);
    expect(arrived.filter((frame) => frame.startsWith('["EVENT"'))).toHaveLength(before);
    expect(field.pool.status()[URL_A]).toBe('connected');
    await field.publish(100, 8_000);
    expect([...field.relay.peers]).not.toContain(silent);
    // It is no failure of the relay, and nothing had to wait for it to be one.
    expect(field.pool.relayMetrics(URL_A)).toMatchObject({ status: 'connected', failures: 0 });
    await field.settle();
    expect(Math.max(...field.receipts.map(({ confirmedMs = 0 }) => confirmedMs))).toBeLessThan(3_000);
  });

  test('loses all of them with its first, and gets them again with the load', async () => {
    const field = new Field();
    await field.publish(100, 10_000);
    const [first] = field.relay.peers;
    first?.cut();
    await field.publish(100, 100);
    expect(field.open).toBe(0);
    await field.publish(100, 20_000);
    expect(field.open).toBe(3);
    await field.settle();
  });

  test('closes them when it is disconnected, and when it may have fewer', async () => {
    const field = new Field();
    await field.publish(100, 10_000);
    field.pool.configure({ connectionsMax: 1 });
    await field.publish(100, 5_000);
    expect(field.open).toBe(1);
    field.pool.configure({ connectionsMax: 3 });
    await field.publish(100, 10_000);
    expect(field.open).toBe(3);
    field.pool.disconnect(URL_A);
    await field.pass(5_000);
    expect(field.open).toBe(0);
    field.pool.connect(URL_A);
    await field.settle();
  });
});

test('a relay that refuses further connections keeps its first, and is not asked again and again', async () => {
  const field = new Field();
  const { network } = field;
  let refused = 0;
  network.listen(URL_A, {
    admit: () => {
      refused += 1;
      return { httpStatus: 429 };
    },
    accept: () => {},
  });
  await field.publish(100, 60_000);
  expect(refused).toBeGreaterThan(1);
  expect(refused).toBeLessThan(12);
  expect(field.pool.status()[URL_A]).toBe('connected');
  await field.pass(120_000);
  await field.settle();
});

test('connections that are about to be closed count against what the relay may have', () => {
  const settings = { ...DEFAULT_RELAY_SETTINGS, connectionsMax: 3 };
  const input = { url: URL_A, generation: 1, settings, supervisor: undefined };
  const busy = {
    ...initialScalingContext(input),
    reading: { nowMs: 10_000, random: 0.5 },
    look: { load: 100, window: 10, spare: 20 },
    series: [9_000, 9_500, 10_000].map((atMs) => ({ atMs, load: 100 })),
  };
  expect(change(busy)).toBe(1);
  expect(change({ ...busy, closing: ['connection:2'] })).toBe(1);
  expect(change({ ...busy, closing: ['connection:2', 'connection:3'] })).toBe(0);
  expect(change({ ...busy, connections: ['connection:4'], closing: ['connection:3'] })).toBe(0);
  expect(change({ ...busy, look: { ...busy.look, spare: 0 } })).toBe(0);
  expect(change({ ...busy, barredUntilMs: 10_001 })).toBe(0);
});

describe('how many connections are wanted', () => {
  const wanted = (loads: readonly number[], given: Partial<ScalingInput> = {}): number => {
    const nowMs = 1_000_000;
    const series = loads.map((load, index) => ({ atMs: nowMs - (loads.length - 1 - index) * SCALING.lookMs, load }));
    const input = { series, connections: 1, connectionsMax: 3, window: 10, changedAtMs: 0, nowMs, ...given };
    return connectionsWanted(input);
  };
  const minute = (load: number): number[] => Array(SCALING.downWithinMs / SCALING.lookMs).fill(load);

  test('follows what is under way', () => {
    expect(wanted(minute(8))).toBe(1);
    expect(wanted(minute(9))).toBe(2);
    expect(wanted(minute(17))).toBe(3);
    expect(wanted(minute(500))).toBe(3);
  });

  test('one look that finds much is no load', () => {
    expect(wanted([...minute(1), 500])).toBe(1);
    expect(wanted([500])).toBe(1);
    expect(wanted([...minute(1), 500, 500])).toBe(3);
  });

  test('grows no sooner than two seconds after it grew, and shrinks after a quiet minute by one', () => {
    expect(wanted(minute(500), { connections: 2, changedAtMs: 999_000 })).toBe(2);
    expect(wanted(minute(500), { connections: 2, changedAtMs: 998_000 })).toBe(3);
    expect(wanted(minute(1), { connections: 3 })).toBe(2);
    expect(wanted(minute(1), { connections: 3, changedAtMs: 950_000 })).toBe(3);
    expect(wanted([...minute(1).slice(5), 10, ...minute(1).slice(-4)], { connections: 3 })).toBe(3);
    expect(wanted([], { connections: 1 })).toBe(1);
  });

  test('is what is allowed where there are more', () => {
    expect(wanted(minute(500), { connections: 3, connectionsMax: 1, changedAtMs: 1_000_000 })).toBe(1);
  });
});
