import { describe, expect, onTestFinished, test } from 'vitest';
import { type CreatePoolOptions, createPool, type NostrEvent, type Pool } from '../src/index.ts';
import { SimulatedNetwork, seededRandom, signedEvents, VirtualClock } from '../src/testing/index.ts';
import { MemoryRelay } from './kit/memory-relay.ts';

const events = signedEvents();
const { id: _id, ...template } = events.next().value;
let count = 0;

/** Nobody here checks signatures; ids only have to differ. */
function next(): NostrEvent {
  count += 1;
  return { id: count.toString(16).padStart(64, '0'), ...template };
}

/** A pool that publishes to one of its relays at a time. */
class Field {
  readonly clock = new VirtualClock(1_000_000);
  readonly relays: readonly MemoryRelay[];
  readonly pool: Pool;

  constructor(size: number, options: CreatePoolOptions = {}, wayMsOf: (index: number) => number = () => 0) {
    const network = new SimulatedNetwork({ clock: this.clock });
    const urls = Array.from({ length: size }, (_, index) => `wss://relay${index}.example/`);
    this.relays = urls.map((url) => new MemoryRelay(network, url, this.clock));
    urls.forEach((url, index) => {
      network.link(url).set({ latency: { minMs: wayMsOf(index), spreadMs: 0 } });
    });
    // Quick enough that nothing is late.
    for (const relay of this.relays) relay.delayMs = 10;
    this.pool = createPool({
      clock: this.clock,
      transport: network.transport,
      random: seededRandom(3),
      relays: urls,
      publish: { publicationsMax: 100_000 },
      ...options,
    });
    onTestFinished(async () => {
      const closed = this.pool.close({ drainMs: 0 });
      this.clock.advance(5_000);
      await closed;
    });
    // Long enough for all to have their full share.
    this.clock.advance(40_000);
  }

  publish(times: number, everyMs = 50, options: object = {}): void {
    for (let time = 0; time < times; time += 1) {
      void this.pool.publish(next(), { relays: 1, ...options });
      this.clock.advance(everyMs);
    }
  }

  /** How many events each relay has seen since this was last asked. */
  seen(): number[] {
    const sizes = this.relays.map(({ seen }) => seen.size);
    for (const { seen } of this.relays) seen.clear();
    return sizes;
  }
}

describe('a pool', () => {
  test('asks in turn', () => {
    const field = new Field(3, { balance: 'round-robin' });
    field.publish(30);
    expect(field.seen()).toEqual([10, 10, 10]);
  });

  test('asks who was away as often as the others, and not for all that it missed', () => {
    const field = new Field(3, { balance: 'round-robin' });
    const [away] = field.relays;
    away?.stop();
    field.publish(60);
    away?.start();
    field.clock.advance(60_000);
    field.seen();
    field.publish(30);
    expect(Math.max(...field.seen())).toBeLessThanOrEqual(11);
  });

  test('asks by weight, and by the new one when it is changed', () => {
    const field = new Field(2, { balance: { strategy: 'weighted', healthWeight: 0 } });
    const [first, second] = field.relays;
    field.pool.configureRelay(first?.url ?? '', { weight: 3 });
    field.publish(40);
    expect(field.seen()).toEqual([30, 10]);
    field.pool.configure({ weight: 2 });
    field.pool.configureRelay(second?.url ?? '', { weight: 6 });
    field.publish(40);
    const [a = 0, b = 0] = field.seen();
    expect(b).toBeGreaterThan(1.5 * a);
  });

  test('goes on to the next tier by as much as the first lacks, also where its relays are down', () => {
    const relays = Array.from({ length: 12 }, (_, index) => ({
      url: `wss://relay${index}.example/`,
      options: { priority: index < 10 ? 0 : 1 },
    }));
    const field = new Field(12, { balance: 'priority', relays });
    field.publish(100);
    expect(field.seen().slice(10)).toEqual([0, 0]);
    for (const relay of field.relays.slice(0, 9)) relay.stop();
    field.clock.advance(1_000);
    field.publish(200);
    // A tenth of the first tier is left, and takes 1.4 times that.
    const left = field.seen()[9] ?? 0;
    expect(left).toBeGreaterThan(0.07 * 200);
    expect(left).toBeLessThan(0.28 * 200);
  });

  test('asks degraded relays as well while so few serve that none can be spared', () => {
    const field = new Field(8);
    const degraded = field.relays.slice(5, 7);
    for (const relay of degraded) {
      relay.answer = (id) => ['OK', id, false, 'rate-limited: slow down'];
      void field.pool.publish(next(), { relays: [relay.url] });
    }
    field.clock.advance(200);
    for (const relay of degraded) relay.answer = (id) => ['OK', id, true, ''];
    // What was refused has been sent again.
    field.clock.advance(4_000);
    field.seen();
    field.publish(30);
    expect(field.seen().slice(5, 7)).toEqual([0, 0]);
    for (const relay of field.relays.slice(0, 5)) relay.stop();
    field.clock.advance(500);
    expect(degraded.map(({ url }) => field.pool.status()[url])).toEqual(['degraded', 'degraded']);
    field.seen();
    field.publish(60);
    const [, , , , , first = 0, second = 0, healthy = 0] = field.seen();
    for (const each of [first, second, healthy]) expect(each).toBeGreaterThan(0);
  });

  test('asks one that was degraded less at first', () => {
    const field = new Field(2);
    const [back] = field.relays as [MemoryRelay, MemoryRelay];
    back.answer = (id) => ['OK', id, false, 'rate-limited: slow down'];
    void field.pool.publish(next(), { relays: [back.url] });
    field.clock.advance(100);
    back.answer = (id) => ['OK', id, true, ''];
    expect(field.pool.status()[back.url]).toBe('degraded');
    while (field.pool.status()[back.url] !== 'connected') field.clock.advance(100);
    field.seen();
    field.publish(40);
    const [soon = 0] = field.seen();
    field.clock.advance(60_000);
    field.publish(40);
    const [later = 0] = field.seen();
    expect(soon).toBeLessThan(0.15 * later);
  });

  test('keeps a key with its relay while that serves, and takes it elsewhere while it does not', () => {
    const field = new Field(5, { balance: 'affinity' });
    const homes = (): (string | undefined)[] =>
      Array.from({ length: 20 }, (_, key) => {
        field.seen();
        field.publish(3, 50, { affinityKey: `key ${key}` });
        const used = field.relays.filter(({ seen }) => seen.size > 0);
        return used.length === 1 ? used[0]?.url : undefined;
      });
    const before = homes();
    expect(before).not.toContain(undefined);
    expect(new Set(before).size).toBeGreaterThan(3);
    const [gone] = field.relays;
    gone?.stop();
    field.clock.advance(10);
    const without = homes();
    expect(without).not.toContain(gone?.url);
    expect(without.filter((home, key) => home !== before[key] && before[key] !== gone?.url)).toEqual([]);
    gone?.start();
    field.clock.advance(120_000);
    expect(homes()).toEqual(before);
  });

  test('asks an application’s own strategy, and gets along with one that fails', async () => {
    const seen: number[] = [];
    const last = new Field(3, {
      balance: (candidates) => {
        seen.push(candidates.length);
        return candidates.at(-1);
      },
    });
    last.publish(5);
    expect(last.seen()).toEqual([0, 0, 5]);
    expect(new Set(seen)).toEqual(new Set([3]));
    const throwing = () => {
      throw new Error('no idea');
    };
    for (const balance of [throwing, () => undefined, () => ({ url: 'wss://elsewhere.example/' }) as never]) {
      const field = new Field(3, { balance });
      field.publish(20);
      expect(field.seen().reduce((sum, each) => sum + each)).toBe(20);
    }
  });

  test('publishes to clusters, with confirmations from their members', async () => {
    const urls = [1, 2, 3].map((index) => `wss://relay${index}.example/`);
    const field = new Field(5, { clusters: { inner: urls, lost: ['wss://nobody.example/'] } });
    const publishing = field.pool.publish(next(), { relays: { cluster: 'inner' }, quorum: 2 });
    field.clock.advance(100);
    expect(await publishing).toMatchObject({ status: 'confirmed', accepted: 2, quorum: 2 });
    expect(field.seen()).toEqual([0, 1, 1, 1, 0]);
    field.publish(30, 50, { relays: { cluster: 'inner', copies: 1 } });
    const [outer, ...inner] = field.seen();
    expect([outer, inner.pop()]).toEqual([0, 0]);
    expect(Math.min(...inner)).toBeGreaterThan(0);
    await expect(field.pool.publish(next(), { relays: { cluster: 'outer' } })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('inner, lost'),
    });
    await expect(field.pool.publish(next(), { relays: { cluster: 'lost' } })).rejects.toMatchObject({
      code: 'NO_RELAYS',
    });
    await expect(field.pool.publish(next(), { relays: { cluster: 'inner' }, quorum: 4 })).rejects.toMatchObject({
      code: 'INVALID_QUORUM',
    });
  });
});

describe('by default', () => {
  test('equal relays get equal load', () => {
    const most = Array.from({ length: 41 }, (_, seed) => {
      const field = new Field(8, { random: seededRandom(seed) });
      for (const relay of field.relays) relay.delayMs = 100_000;
      for (let time = 0; time < 64; time += 1) void field.pool.publish(next(), { relays: 1 });
      return Math.max(...Object.values(field.pool.metrics().relays).map(({ inFlight, queued }) => inFlight + queued));
    });
    // Half as much again as its share, for most draws; drawn without looking, the median is above that.
    const median = [...most].sort((a, b) => a - b)[20];
    expect(median).toBeLessThanOrEqual(1.5 * (64 / 8));
  });

  test('a relay that fails fast gets hardly anything, though it answers first', () => {
    const field = new Field(5, { breaker: { failureThreshold: 20, failureRatio: 1 } });
    const [failing] = field.relays;
    if (!failing) return;
    failing.delayMs = 1;
    failing.answer = (id) => ['OK', id, false, 'error: no disk'];
    field.publish(200);
    expect(field.seen()[0]).toBeLessThanOrEqual(0.2 * (200 / 5));
  });

  test('traffic moves away from a relay while its answers are still becoming slower', () => {
    const field = new Field(4);
    const [rising] = field.relays;
    if (!rising) return;
    field.publish(100);
    expect(field.seen()[0]).toBeGreaterThan(10);
    for (let time = 0; time < 100; time += 1) {
      rising.delayMs += 2;
      field.publish(1);
    }
    const during = field.seen()[0] ?? 0;
    expect(field.pool.status()[rising.url]).toBe('connected');
    field.publish(100);
    expect(field.pool.status()[rising.url]).toBe('connected');
    expect(field.seen()[0]).toBeLessThan(Math.max(6, during));
  });

  test('a relay that has just come back is asked less at first', () => {
    const field = new Field(2);
    const [back] = field.relays;
    back?.stop();
    field.clock.advance(100);
    back?.start();
    while (field.pool.status()[back?.url ?? ''] !== 'connected') field.clock.advance(100);
    field.seen();
    field.publish(40, 25);
    const [early = 0] = field.seen();
    field.clock.advance(60_000);
    field.publish(40, 25);
    const [late = 0] = field.seen();
    expect(early).toBeLessThan(late / 2);
  });

  test('with very many relays it draws from the best, and goes elsewhere when those are lost', () => {
    const field = new Field(100, {}, (index) => (index < 10 ? 2 : 100));
    field.publish(100, 20);
    field.seen();
    field.publish(200, 20);
    const fast = field
      .seen()
      .slice(0, 10)
      .reduce((sum, each) => sum + each);
    expect(fast).toBeGreaterThan(150);
    for (const relay of field.relays.slice(0, 10)) relay.stop();
    field.clock.advance(10);
    field.seen();
    field.publish(100, 20);
    field.clock.advance(1_000);
    expect(field.seen().reduce((sum, each) => sum + each)).toBeGreaterThanOrEqual(100);
  });
});
