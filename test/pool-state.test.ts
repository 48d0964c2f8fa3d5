import { describe, expect, onTestFinished, test } from 'vitest';
import { KEEP_MS } from '../machines/policy/limits.ts';
import { poolSettings } from '../machines/policy/settings.ts';
import { MemoryStore } from '../src/delivery/outbox/memory-outbox.ts';
import { type CreatePoolOptions, createPool, openState, type Pool } from '../src/index.ts';
import { SimulatedNetwork, seededRandom, signedEvents, VirtualClock } from '../src/testing/index.ts';
import { MemoryRelay } from './kit/memory-relay.ts';

const A = 'wss://a.example/';
const B = 'wss://b.example/';
const C = 'wss://c.example/';

/** Relays, and a store that outlives processes. */
class Field {
  readonly clock = new VirtualClock(1_700_000_000_000);
  readonly network = new SimulatedNetwork({ clock: this.clock });
  readonly store = new MemoryStore();
  readonly events = signedEvents();

  constructor() {
    for (const url of [A, B, C]) new MemoryRelay(this.network, url, this.clock);
  }

  async start(options: CreatePoolOptions = {}): Promise<Pool> {
    const pool = createPool({
      clock: this.clock,
      transport: this.network.transport,
      random: seededRandom(7),
      state: await openState(this.store),
      ...options,
    });
    onTestFinished(() => this.end(pool));
    await this.pass(500);
    return pool;
  }

  async pass(ms: number): Promise<void> {
    for (let times = 0; times < 10; times += 1) {
      this.clock.advance(ms / 10);
      for (let turns = 0; turns < 10; turns += 1) await null;
    }
  }

  async end(pool: Pool): Promise<void> {
    const closed = pool.close({ drainMs: 0 }).catch(() => {});
    await this.pass(2_000);
    await closed;
  }
}

describe('with a state, a pool goes on where the last one stopped', () => {
  test('with the relays that it had by then, and not with those that it is given', async () => {
    const field = new Field();
    const first = await field.start({ relays: [A, B] });
    first.removeRelay(A);
    first.addRelay(C, { weight: 3 });
    await field.pass(2 * KEEP_MS.change);
    await field.end(first);
    const second = await field.start({ relays: [A, B] });
    expect(second.status()).toEqual({ [B]: 'connected', [C]: 'connected' });
    expect(second.actor.getSnapshot().context.relays[C]?.settings.weight).toBe(3);
  });

  test('with the options that were changed while it ran, and the others as they are given', async () => {
    const field = new Field();
    const first = await field.start({ relays: [A], heartbeatMs: 20_000, connectTimeoutMs: 4_000 });
    first.configure({ heartbeatMs: 30_000, reconnect: { attemptsMax: Number.POSITIVE_INFINITY, multiplier: 3 } });
    await field.end(first);
    const second = await field.start({
      heartbeatMs: 20_000,
      connectTimeoutMs: 6_000,
      reconnect: { attemptsMax: 5, initialDelayMs: 500 },
    });
    const { settings } = second.actor.getSnapshot().context.relays[A] ?? {};
    expect(settings).toMatchObject({ heartbeatMs: 30_000, connectTimeoutMs: 6_000 });
    expect(settings?.reconnect).toMatchObject({
      attemptsMax: Number.POSITIVE_INFINITY,
      multiplier: 3,
      initialDelayMs: 500,
    });
    await field.end(second);
    const third = await field.start();
    expect(third.actor.getSnapshot().context.relays[A]?.settings.heartbeatMs).toBe(30_000);
  });

  test('with how each relay has been', async () => {
    const field = new Field();
    const first = await field.start({ relays: [A] });
    const published = first.publish(field.events.next().value);
    await field.pass(1_000);
    expect((await published).status).toBe('confirmed');
    field.network.link(A).cut();
    await field.pass(10_000);
    const before = first.relayMetrics(A);
    expect(before).toMatchObject({ successfulConnections: 2, successes: 1 });
    expect(before?.connections).toMatchObject([{ closedAtMs: expect.any(Number), code: 1006 }, {}]);
    await field.end(first);
    const second = await field.start();
    const after = second.relayMetrics(A);
    expect(after).toMatchObject({ successfulConnections: 3, successes: 1 });
    expect(after?.connections).toHaveLength(3);
    expect(after?.connections.slice(0, 2)).toEqual(before?.connections);
  });

  test('also after a crash, but for what changed in the last second', async () => {
    const field = new Field();
    const first = await field.start({ relays: [A, B] });
    await field.pass(2 * KEEP_MS.change);
    first.removeRelay(B);
    await field.pass(2 * KEEP_MS.change);
    first.addRelay(C);
    // What the process does from here on, it does not live to do.
    const left = new MemoryStore();
    await left.writeState((await field.store.readState()) ?? '');
    const second = await field.start({ state: await openState(left) });
    expect(Object.keys(second.status())).toEqual([A]);
  });
});

test('what cannot be read is left out, and what is not there is no reason to fail', async () => {
  const field = new Field();
  expect((await openState(field.store)).kept).toBeUndefined();
  for (const text of ['', '{', '[]', 'null', '{"relays":7}']) {
    await field.store.writeState(text);
    expect((await openState(field.store)).kept).toBeUndefined();
  }
  const history = { dials: -1 };
  const relays = [{ url: 'nonsense' }, 7, { url: A, options: { weight: 'much' } }, { url: B, options: {}, history }];
  await field.store.writeState(JSON.stringify({ options: { heartbeatMs: 'x' }, relays }));
  expect((await openState(field.store)).fitting(poolSettings())).toEqual({
    options: {},
    relays: [{ url: B, options: {} }],
  });
  await field.store.writeState(JSON.stringify({ options: {}, relays: [7, { url: 'nonsense' }] }));
  const pool = await field.start({ relays: [C] });
  expect(Object.keys(pool.status())).toEqual([C]);
});

describe('what does not fit the options of a later program', () => {
  test('is left out, and kept for one that it fits', async () => {
    const field = new Field();
    const LOCAL = 'ws://127.0.0.1:7777/';
    const first = await field.start({ relays: [A, LOCAL], trust: { allowPrivate: true } });
    first.configure({ reconnect: { initialDelayMs: 50_000 } });
    await field.end(first);
    const second = await field.start({ reconnect: { maxDelayMs: 10_000 } });
    expect(Object.keys(second.status())).toEqual([A]);
    await field.pass(2 * KEEP_MS.change);
    await field.end(second);
    const few = await field.start({ supervisor: { relaysMax: 1 }, trust: { allowPrivate: true } });
    expect(Object.keys(few.status())).toEqual([A]);
    await field.end(few);
    const last = await field.start({ trust: { allowPrivate: true } });
    expect(Object.keys(last.status())).toEqual([A, LOCAL]);
  });

  test('is what fits nothing but the options of its own pool no less', async () => {
    const field = new Field();
    const options = { reconnect: { maxDelayMs: 600_000 } };
    const first = await field.start({ ...options, relays: [A] });
    first.addRelay(C, { reconnect: { initialDelayMs: 90_000 } });
    await field.end(first);
    const second = await field.start(options);
    expect(Object.keys(second.status())).toEqual([A, C]);
  });
});

test('what is left undefined is not given, and erases nothing', async () => {
  const field = new Field();
  const first = await field.start({ relays: [A] });
  first.configure({ heartbeatMs: 30_000, reconnect: { multiplier: 3 } });
  first.configure({ heartbeatMs: undefined, reconnect: { multiplier: undefined } });
  await field.end(first);
  const second = await field.start();
  const { settings } = second.actor.getSnapshot().context.relays[A] ?? {};
  expect(settings).toMatchObject({ heartbeatMs: 30_000, reconnect: { multiplier: 3 } });
});

test('one state serves one pool after the other', async () => {
  const field = new Field();
  const state = await openState(field.store);
  const first = await field.start({ state, relays: [A] });
  first.addRelay(B);
  await field.end(first);
  const second = await field.start({ state });
  expect(Object.keys(second.status())).toEqual([A, B]);
});

test('a relay that is removed and added again while it closes goes on with its history', async () => {
  const field = new Field();
  const pool = await field.start({ relays: [A] });
  pool.removeRelay(A);
  pool.addRelay(A);
  await field.pass(5_000);
  expect(pool.relayMetrics(A)).toMatchObject({ status: 'connected', successfulConnections: 2 });
});

test('a last write that fails is told by close, and all is closed', async () => {
  const field = new Field();
  const pool = await field.start({ relays: [A, B] });
  await field.pass(2 * KEEP_MS.change);
  field.store.writeState = () => Promise.reject(new Error('no space left on device'));
  pool.removeRelay(B);
  const closed = pool.close({ drainMs: 0 });
  const told = expect(closed).rejects.toThrow('no space left on device');
  await field.pass(2_000);
  await told;
  expect(field.clock.pending).toBe(0);
});

test('a store that cannot be written is told of once, tried again, and harms nobody', async () => {
  const field = new Field();
  const pool = await field.start({ relays: [A] });
  const problems: string[] = [];
  pool.on('state.failed', ({ problem }) => problems.push(problem));
  const write = field.store.writeState.bind(field.store);
  field.store.writeState = () => Promise.reject(new Error('no space left on device'));
  pool.addRelay(B);
  await field.pass(3 * KEEP_MS.history);
  expect(problems).toEqual(['no space left on device']);
  expect(pool.status()[B]).toBe('connected');
  field.store.writeState = write;
  await field.pass(2 * KEEP_MS.history);
  expect((await openState(field.store)).kept?.relays.map(({ url }) => url)).toEqual([A, B]);
});
