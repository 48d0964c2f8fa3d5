import { fork } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Fact } from '../../src/index.ts';
import { type FaultableRelay, signedEvents } from '../../src/testing/index.ts';
import { nextFact, until } from '../kit/facts.ts';
import { QUICK, startPool, startRelays } from '../kit/relays.ts';

const events = signedEvents();
const next = () => events.next().value;

/** What nobody caught would end a real process. */
const uncaught: unknown[] = [];
const note = (error: unknown): void => {
  uncaught.push(error);
};

async function oneRelay(): Promise<FaultableRelay> {
  const [relay] = await startRelays(1);
  if (!relay) throw new Error('no relay');
  return relay;
}

describe('a connection', () => {
  beforeEach(() => {
    uncaught.length = 0;
    process.on('uncaughtException', note);
    process.on('unhandledRejection', note);
  });
  afterEach(() => {
    process.off('uncaughtException', note);
    process.off('unhandledRejection', note);
    expect(uncaught).toEqual([]);
  });

  test('to a relay that is down at start comes up with it', async () => {
    const relay = await oneRelay();
    await relay.stop();
    const pool = startPool([relay]);
    await nextFact(pool, 'relay.reconnecting', ({ attempt }) => attempt >= 2);
    const publishing = pool.publish(next());
    await relay.listen();
    expect(await publishing).toMatchObject({ status: 'confirmed' });
    expect(relay.openMost).toBe(1);
  });

  test.each([
    ['a clean close (1001)', (relay: FaultableRelay) => relay.close(1001)],
    ['a clean close (1000)', (relay: FaultableRelay) => relay.close(1000)],
    ['an abrupt cut', (relay: FaultableRelay) => relay.cut()],
    ['a protocol error', (relay: FaultableRelay) => relay.close(1002)],
  ])('comes back after %s, on one socket', async (_name, end) => {
    const relay = await oneRelay();
    const pool = startPool([relay]);
    expect(await pool.publish(next())).toMatchObject({ status: 'confirmed' });
    const reconnected = nextFact(pool, 'relay.reconnected');
    end(relay);
    const publishing = pool.publish(next());
    expect(await reconnected).toMatchObject({ generation: 2 });
    expect(await publishing).toMatchObject({ status: 'confirmed' });
    expect(relay.openMost).toBe(1);
  });

  test('to a tarpit ends at its own deadline, and comes up once it answers', async () => {
    const relay = await oneRelay();
    relay.set({ tarpit: true });
    const pool = startPool([relay]);
    const publishing = pool.publish(next());
    await nextFact(pool, 'relay.reconnecting', ({ attempt }) => attempt >= 2);
    relay.heal();
    expect(await publishing).toMatchObject({ status: 'confirmed' });
    expect(relay.openMost).toBe(1);
  });

  test('that is accepted and closed at once is not tried more often than the backoff allows', async () => {
    const relay = await oneRelay();
    relay.set({ closeOnAccept: 1000 });
    const delays: number[] = [];
    const reconnect = { ...QUICK.reconnect, initialDelayMs: 100, maxDelayMs: 5_000, minDelayMs: 10 };
    const breaker = { openMs: 200, openMaxMs: 2_000 };
    const pool = startPool([relay], { connect: false, reconnect, breaker });
    pool.on('relay.reconnecting', ({ delayMs }) => delays.push(delayMs));
    pool.on('relay.circuit-opened', ({ delayMs }) => delays.push(delayMs));
    const started = performance.now();
    pool.connect();
    // Ten seconds of it, or as long as the delays that were announced say.
    await new Promise<void>((resolve) => {
      pool.on('relay.status-changed', () => {
        if (performance.now() - started > 10_000) resolve();
      });
    });
    const elapsed = performance.now() - started;
    const announced = delays.slice(0, -1).reduce((sum, delay) => sum + delay, 0);
    expect(elapsed).toBeGreaterThanOrEqual(announced * 0.99);
    // Each attempt but the first has waited for its own delay.
    expect(relay.dials).toBeLessThanOrEqual(delays.length + 1);
    expect(relay.dials).toBeLessThan(25);
    expect(relay.openMost).toBe(1);
    const publishing = pool.publish(next());
    relay.heal();
    expect(await publishing).toMatchObject({ status: 'confirmed' });
  });

  test('that fails five times opens its circuit, and closes it after three answers', async () => {
    const relay = await oneRelay();
    relay.set({ refuse: true });
    const pool = startPool([relay]);
    const journey: string[] = [];
    pool.on('relay.status-changed', ({ status }) => journey.push(status));
    expect(await nextFact(pool, 'relay.circuit-opened')).toMatchObject({ cause: 'consecutive' });
    expect(relay.dials).toBe(5);
    let pings = 0;
    relay.events.on('ping', () => {
      pings += 1;
    });
    const closed = nextFact(pool, 'relay.circuit-closed');
    relay.heal();
    await closed;
    expect(pings).toBeGreaterThanOrEqual(3);
    expect(journey.slice(-3)).toEqual(['connecting', 'half-open', 'connected']);
  });

  test('to a relay that upgrades and never answers is found out, although nobody publishes', async () => {
    const relay = await oneRelay();
    relay.set({ silent: true, noPongs: true });
    const pool = startPool([relay]);
    const { reason } = await nextFact(pool, 'relay.disconnected');
    expect(reason).toMatch(/no answer to a probe|silent for too long/);
  });

  test.each([
    [{ httpStatus: 503, httpHeaders: { 'Retry-After': '1' } }, 'relay.reconnecting'],
    [{ httpStatus: 403 }, 'relay.circuit-opened'],
    [{ closeOnAccept: 1008 }, 'relay.circuit-opened'],
    [{ httpStatus: 410 }, 'relay.gave-up'],
    [{ httpStatus: 302, httpHeaders: { Location: 'ws://127.0.0.1:1/' } }, 'relay.reconnecting'],
  ] as const)('refused with %o leads to %s', async (faults, type) => {
    const relay = await oneRelay();
    relay.set(faults);
    const fact: Fact = await nextFact(startPool([relay]), type);
    if ('httpHeaders' in faults && faults.httpStatus === 503)
      expect(fact).toMatchObject({ delayMs: expect.any(Number) });
    if (fact.type === 'relay.reconnecting' && 'httpStatus' in faults && faults.httpStatus === 503) {
      expect(fact.delayMs).toBeGreaterThanOrEqual(1_000);
    }
    if (fact.type === 'relay.circuit-opened') expect(fact.cause).toBe('refused');
  });

  test('that was given up comes back when somebody asks', async () => {
    const relay = await oneRelay();
    await relay.stop();
    const pool = startPool([relay], { reconnect: { ...QUICK.reconnect, attemptsMax: 2 } });
    expect(await nextFact(pool, 'relay.gave-up')).toMatchObject({ cause: 'attempts' });
    const receipt = await pool.publish(next(), { timeoutMs: 20 });
    expect(receipt.outcomes[relay.url]).toMatchObject({ status: 'skipped', relay: 'locked-out' });
    await relay.listen();
    pool.connect(relay.url);
    expect(await receipt.confirmed()).toMatchObject({ status: 'confirmed' });
  });

  test('can be closed and opened again, and its settings changed while it lives', async () => {
    const relay = await oneRelay();
    const pool = startPool([relay]);
    await until(pool, () => pool.status()[relay.url] === 'connected');
    const closed = once(relay.events, 'close');
    pool.disconnect(relay.url);
    expect(await closed).toEqual([1000]);
    await until(pool, () => pool.status()[relay.url] === 'idle');
    pool.connect(relay.url);
    await until(pool, () => pool.status()[relay.url] === 'connected');
    pool.configureRelay(relay.url, { reconnect: { enabled: false } });
    const idle = nextFact(pool, 'relay.status-changed', ({ status }) => status === 'idle');
    relay.cut();
    await idle;
    pool.configureRelay(relay.url, { reconnect: { enabled: true } });
    await until(pool, () => pool.status()[relay.url] === 'connected');
  });

  test('of a relay that is removed ends, and what was on its way goes elsewhere', async () => {
    const relays = await startRelays(2);
    const [a, b] = relays as [FaultableRelay, FaultableRelay];
    const pool = startPool(relays);
    await until(pool, () => pool.metrics().activeConnections === 2);
    a.set({ swallowAcks: true });
    const publishing = Promise.all(Array.from({ length: 4 }, () => pool.publish(next(), { relays: 1 })));
    const removed = nextFact(pool, 'relay.removed');
    pool.removeRelay(a.url);
    expect((await publishing).map(({ status }) => status)).toEqual(Array(4).fill('confirmed'));
    expect(await removed).toMatchObject({ url: a.url });
    expect(a.open).toBe(0);
    expect(Object.keys(pool.status())).toEqual([b.url]);
    pool.addRelay(a.url);
    await until(pool, () => pool.status()[a.url] === 'connected');
    expect(a.openMost).toBe(1);
  });

  test('of two pools that are dropped together do not retry together', async () => {
    const relay = await oneRelay();
    const pools = Array.from({ length: 8 }, () => startPool([relay], { reconnect: { initialDelayMs: 1_000 } }));
    await Promise.all(pools.map((pool) => until(pool, () => pool.status()[relay.url] === 'connected')));
    const delays = Promise.all(pools.map(async (pool) => (await nextFact(pool, 'relay.reconnecting')).delayMs));
    relay.cut();
    const drawn = (await delays).sort((a, b) => a - b);
    expect(new Set(drawn).size).toBe(8);
    expect((drawn.at(-1) ?? 0) - (drawn[0] ?? 0)).toBeGreaterThan(500);
  });

  test('leaves nothing behind: after close the process ends by itself', async () => {
    const relay = await oneRelay();
    const program = new URL('./closing-process.mjs', import.meta.url);
    const child = fork(program, [relay.url], { stdio: 'pipe' });
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    expect(relay.store.events.size).toBe(1);
    expect(relay.open).toBe(0);
  });
});
