import { describe, expect, test } from 'vitest';
import { STORED_PATIENCE, VERIFY } from '../../machines/policy/limits.ts';
import { graceMs } from '../../machines/policy/stored-end.ts';
import type { Verifier } from '../../src/index.ts';
import type { SimulatedRelay, VirtualClock } from '../../src/testing/index.ts';
import { MINUTE, readingWorld, SECOND } from '../kit/reading-world.ts';

const FILTER = { kinds: [1] };

/** A world in which verifying takes its time, or never ends. */
function slowWorld(relays: number, perEventMs: number) {
  let clock: VirtualClock | undefined;
  const verifier: Verifier = {
    name: 'slow',
    batchMax: 1,
    parallel: 1,
    verify: (events) =>
      new Promise((resolve) => {
        if (Number.isFinite(perEventMs)) clock?.setTimeout(() => resolve(events.map(() => true)), perEventMs);
      }),
  };
  const world = readingWorld(relays, { verifier });
  clock = world.clock;
  /** Lets time pass, and what waits for promises happen. */
  const pass = async (ms: number, isOver = () => false): Promise<void> => {
    for (let passed = 0; passed < ms && !isOver(); passed += 1) {
      world.clock.advance(1);
      for (let turn = 0; turn < 6; turn += 1) await undefined;
    }
  };
  return { ...world, pass };
}

describe('the end of what is stored', () => {
  test.each([1, 2])('is complete where what came in time is verified late: %i events', async (count) => {
    const { relays, pool, put, pass } = slowWorld(1, 200);
    for (let made = 0; made < count; made += 1) put(...relays);
    const asking = pool.query(FILTER, { timeoutMs: 100 });
    await pass(SECOND);
    expect(await asking).toMatchObject({ complete: true, events: { length: count } });
  });

  test('is complete where another subscription has brought what is verified before it', async () => {
    const { relays, pool, put, pass } = slowWorld(1, 20);
    for (let made = 0; made < 50; made += 1) put(...relays);
    pool.subscribe(FILTER, { onEvent: () => {} });
    const asking = pool.query({ kinds: [7] }, { timeoutMs: 10 });
    await pass(2 * SECOND);
    expect(await asking).toMatchObject({ complete: true, events: [] });
  });

  test('is told after all of it, though verifying it takes longer than relays have', async () => {
    const { relays, pool, put, pass } = slowWorld(1, 20);
    const count = 2_500;
    for (let made = 0; made < count; made += 1) put(...relays);
    let delivered = 0;
    const told: unknown[] = [];
    pool.subscribe(FILTER, {
      onEvent: () => {
        delivered += 1;
      },
      onEose: (complete) => told.push([complete, delivered]),
    });
    await pass(2 * MINUTE, () => told.length > 0);
    expect(told).toEqual([[true, count]]);
  });

  test('is told on time where it is a relay that is late, though another has us verify much else', async () => {
    const { relays, pool, network, put, event, pass, clock } = slowWorld(2, 1);
    const [busy, late] = relays as [SimulatedRelay, SimulatedRelay];
    network.link(late.url).set({ latency: { minMs: 200, spreadMs: 0 } });
    clock.advance(10 * MINUTE);
    put(busy);
    for (let made = 0; made < 2_000; made += 1) busy.publish(event({ kind: 7 }));
    const began = clock.now();
    let tookMs = 0;
    const asking = pool.query(FILTER, { timeoutMs: 100 });
    void asking.then(() => {
      tookMs = clock.now() - began;
    });
    pool.subscribe({ kinds: [7] }, { onEvent: () => {} });
    await pass(3 * SECOND, () => tookMs > 0);
    expect(await asking).toMatchObject({ complete: false, events: { length: 1 } });
    expect(tookMs).toBe(100);
  });

  test('is not complete with what came after the time was up', async () => {
    const { relays, pool, network, put, pass, clock } = slowWorld(2, 1_000);
    const [prompt, late] = relays as [SimulatedRelay, SimulatedRelay];
    network.link(late.url).set({ latency: { minMs: 200, spreadMs: 0 } });
    clock.advance(10 * MINUTE);
    const [first] = [put(prompt), put(late)];
    const asking = pool.query(FILTER, { timeoutMs: 100 });
    await pass(5 * SECOND);
    expect(await asking).toMatchObject({ complete: false, events: [first] });
  });

  test('does not wait for a verifier that gets nowhere', async () => {
    const { relays, pool, put, pass, clock } = slowWorld(1, Number.POSITIVE_INFINITY);
    for (let made = 0; made < 5; made += 1) put(...relays);
    const began = clock.now();
    let tookMs = 0;
    void pool.query(FILTER, { timeoutMs: 10 * SECOND }).then(() => {
      tookMs = clock.now() - began;
    });
    await pass(5 * VERIFY.timeoutMs, () => tookMs > 0);
    expect(tookMs).toBeGreaterThan(0);
    expect(tookMs).toBeLessThanOrEqual(10 * SECOND + VERIFY.timeoutMs);
  });
});

test('time is added for as long as we are late, and not without end', () => {
  const wait = { timeoutMs: 100, addedMs: 0, lateMs: 0 };
  expect(graceMs(wait)).toBe(0);
  expect(graceMs({ ...wait, lateMs: 70 })).toBe(70);
  expect(graceMs({ ...wait, addedMs: STORED_PATIENCE * 100 - 30, lateMs: 70 })).toBe(30);
  expect(graceMs({ ...wait, addedMs: STORED_PATIENCE * 100, lateMs: 70 })).toBe(0);
});
