import { describe, expect, onTestFinished, test } from 'vitest';
import { LocalOutbox } from '../src/delivery/outbox/local-outbox.ts';
import { MemoryStore } from '../src/delivery/outbox/memory-outbox.ts';
import type { Change, RecordStore, StoredRecord } from '../src/delivery/outbox/record-store.ts';
import { type CreatePoolOptions, createPool, type Fact, type Outbox, type Pool } from '../src/index.ts';
import { SimulatedNetwork, seededRandom, signedEvents, VirtualClock } from '../src/testing/index.ts';
import { MemoryRelay } from './kit/memory-relay.ts';

const events = signedEvents();
const next = () => events.next().value;

/** A store that holds back writes until it is let, or fails them. */
class FaultyStore extends MemoryStore {
  override readonly durability = 'power-loss' as never;
  isFull = false;
  #readsToFail = 0;
  #gate: Promise<void> | undefined;
  #open: () => void = () => {};

  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  go(): void {
    this.#gate = undefined;
    this.#open();
  }

  override async read(number: number): Promise<StoredRecord | undefined> {
    if (this.#readsToFail > 0) {
      this.#readsToFail -= 1;
      throw new Error('the disk is away');
    }
    return super.read(number);
  }

  failReads(count: number): void {
    this.#readsToFail = count;
  }

  override async write(changes: readonly Change[]): Promise<void> {
    await this.#gate;
    if (this.isFull) throw new Error('no space left on device');
    await super.write(changes);
  }
}

interface Process {
  readonly pool: Pool;
  readonly outbox: Outbox;
  readonly facts: Fact[];
}

/** Relays, a store that outlives processes, and processes with a pool. */
class Field {
  readonly clock = new VirtualClock(1_000_000);
  readonly network = new SimulatedNetwork({ clock: this.clock });
  readonly store = new FaultyStore();
  readonly relays: readonly MemoryRelay[];
  readonly urls: readonly string[];

  constructor(count: number) {
    this.urls = Array.from({ length: count }, (_, index) => `wss://relay${index}.example/`);
    this.relays = this.urls.map((url) => new MemoryRelay(this.network, url, this.clock));
  }

  start(options: CreatePoolOptions = {}, store: RecordStore = this.store): Process {
    const { clock, network, urls } = this;
    const outbox = new LocalOutbox(store, { clock });
    const pool = createPool({
      clock,
      transport: network.transport,
      random: seededRandom(7),
      relays: urls,
      outbox,
      ...options,
    });
    const facts: Fact[] = [];
    pool.on('*', (fact) => facts.push(fact));
    onTestFinished(() => this.end(pool));
    return { pool, outbox, facts };
  }

  async end(pool: Pool, drainMs = 0): Promise<void> {
    const closed = pool.close({ drainMs });
    await this.pass(drainMs + 5_000);
    await closed;
  }

  /** Lets time pass, and promises settle on the way. */
  async pass(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    await settled();
    while ((this.clock.nextInMs ?? Number.POSITIVE_INFINITY) <= until - this.clock.now()) {
      this.clock.step();
      await settled();
    }
    this.clock.advance(until - this.clock.now());
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await null;
}

const typesOf = (facts: readonly Fact[], id: string): string[] =>
  facts
    .filter((fact) => 'id' in fact && fact.id === id && fact.type.startsWith('publication.'))
    .map(({ type }) => type);

describe('with an outbox', () => {
  test('nothing is sent before it is kept, and receipt and fact say how durable that is', async () => {
    const field = new Field(1);
    const { pool, facts } = field.start();
    await field.pass(100);
    field.store.hold();
    const event = next();
    const publishing = pool.publish(event);
    await field.pass(1_000);
    expect(field.relays[0]?.seen.size).toBe(0);
    expect(typesOf(facts, event.id)).toEqual([]);
    field.store.go();
    await field.pass(100);
    expect(await publishing).toMatchObject({ status: 'confirmed', durability: 'power-loss' });
    expect(facts).toContainEqual(expect.objectContaining({ type: 'publication.accepted', durability: 'power-loss' }));
    const { pool: bare } = field.start({ outbox: undefined });
    await field.pass(100);
    const receipt = bare.publish(next());
    await field.pass(100);
    expect((await receipt).durability).toBe('none');
  });

  test('what was accepted and not confirmed is published after a restart, with its wishes and the same id', async () => {
    const field = new Field(3);
    const first = field.start();
    await field.pass(100);
    for (const relay of field.relays) relay.answer = () => undefined;
    const event = next();
    const lost = first.pool.publish(event, { quorum: 2, relays: 2, priority: 'high' });
    await field.pass(10);
    await field.end(first.pool);
    expect(await lost).toMatchObject({ status: 'failed', cause: 'closed' });
    await first.outbox.close();
    for (const relay of field.relays) {
      relay.answer = (id) => ['OK', id, true, ''];
      relay.seen.clear();
    }
    const second = field.start();
    await field.pass(2_000);
    expect(typesOf(second.facts, event.id)).toEqual([
      'publication.accepted',
      'publication.acknowledged',
      'publication.confirmed',
      'publication.completed',
    ]);
    expect(second.facts).toContainEqual(
      expect.objectContaining({ type: 'publication.accepted', quorum: 2, relays: 2 }),
    );
    expect(field.relays.filter(({ stored }) => stored.has(event.id)).length).toBeGreaterThanOrEqual(2);
    expect(await second.outbox.stats()).toEqual({ waiting: 0, leased: 0, dead: 0, damaged: 0 });
  });

  test('it is forgotten at its quorum, before anybody hears of that, and not earlier', async () => {
    const field = new Field(2);
    const { pool, outbox } = field.start();
    await field.pass(100);
    const [, slow] = field.relays;
    if (slow) slow.delayMs = 400;
    let kept: number | undefined;
    pool.on('publication.confirmed', () => {
      void field.store.open().then(({ records }) => {
        kept = records.length;
      });
    });
    const publishing = pool.publish(next(), { quorum: 2 });
    await field.pass(300);
    expect(await outbox.stats()).toMatchObject({ leased: 1 });
    await field.pass(200);
    expect(await publishing).toMatchObject({ status: 'confirmed', accepted: 2 });
    expect(kept).toBe(0);
  });

  test('what cannot be kept is refused at the door, and taken again when there is room', async () => {
    const field = new Field(1);
    const { pool, facts, outbox } = field.start();
    await field.pass(100);
    field.store.isFull = true;
    const event = next();
    const [refused, joined] = [pool.publish(event), pool.publish(event, { until: 'complete' })];
    await field.pass(100);
    expect(await refused).toMatchObject({ status: 'refused', cause: 'not-kept' });
    expect((await joined).problem).toContain('no space left');
    expect(typesOf(facts, event.id)).toEqual(['publication.refused']);
    expect(field.relays[0]?.seen.size).toBe(0);
    expect(pool.metrics()).toMatchObject({ openPublications: 0, queueBytes: 0 });
    field.store.isFull = false;
    const again = pool.publish(event);
    await field.pass(100);
    expect(await again).toMatchObject({ status: 'confirmed' });
    expect(await outbox.stats()).toMatchObject({ waiting: 0, leased: 0 });
  });

  test('what every relay refuses, or nobody takes in time, is a dead letter that can be sent again', async () => {
    const field = new Field(1);
    const { pool, outbox } = field.start();
    await field.pass(100);
    const [relay] = field.relays;
    if (!relay) return;
    relay.answer = (id) => ['OK', id, false, 'blocked: not you'];
    const [refused, late] = [next(), next()];
    const first = pool.publish(refused);
    await field.pass(100);
    expect(await first).toMatchObject({ status: 'failed', cause: 'rejected' });
    relay.answer = () => undefined;
    const second = pool.publish(late, { expiresMs: 2_000, timeoutMs: 5_000 });
    await field.pass(3_000);
    expect(await (await second).completed()).toMatchObject({ status: 'failed', cause: 'expired' });
    await field.pass(10);
    const letters = await outbox.deadLetters();
    expect(letters.map(({ id }) => id)).toEqual([refused.id, late.id]);
    expect(letters[0]?.reason).toContain('blocked: not you');
    relay.answer = (id) => ['OK', id, true, ''];
    // By then nobody waits for the answer that never came.
    await field.pass(5_000);
    expect(await outbox.revive()).toBe(2);
    await field.pass(20_000);
    expect([...relay.stored].sort()).toEqual([refused.id, late.id].sort());
    expect(await outbox.stats()).toMatchObject({ leased: 0, dead: 0 });
  });

  test('whoever withdraws while it is being kept is let go at once, and nothing is sent', async () => {
    const field = new Field(1);
    const { pool, facts, outbox } = field.start();
    await field.pass(100);
    field.store.hold();
    const withdrawal = new AbortController();
    const event = next();
    const publishing = pool.publish(event, { signal: withdrawal.signal });
    await field.pass(10);
    withdrawal.abort();
    expect(await publishing).toMatchObject({ status: 'cancelled' });
    field.store.go();
    await field.pass(100);
    expect(typesOf(facts, event.id)).toEqual([
      'publication.accepted',
      'publication.cancelled',
      'publication.completed',
    ]);
    expect(await outbox.stats()).toMatchObject({ waiting: 0, leased: 0, dead: 0 });
  });

  test('what is cancelled while it is being kept is not sent, but for whoever wants it by then', async () => {
    const field = new Field(1);
    const { pool } = field.start();
    await field.pass(100);
    const [relay] = field.relays;
    field.store.hold();
    const [gone, wanted] = [next(), next()];
    const cancelled = pool.publish(gone);
    void pool.publish(wanted);
    await field.pass(10);
    for (const { id } of [gone, wanted]) pool.cancel(id);
    const joined = pool.publish(wanted);
    field.store.go();
    await field.pass(100);
    expect(await cancelled).toMatchObject({ status: 'cancelled' });
    expect(await joined).toMatchObject({ status: 'confirmed' });
    expect([...(relay?.seen ?? [])]).toEqual([wanted.id]);
  });

  test('a pool that is closed while something is being kept does not send it', async () => {
    const field = new Field(1);
    const { pool, facts } = field.start();
    await field.pass(100);
    field.store.hold();
    const event = next();
    const publishing = pool.publish(event);
    await field.pass(10);
    const closed = pool.close({ drainMs: 0 });
    await field.pass(100);
    expect(await publishing).toMatchObject({ status: 'failed', cause: 'closed', durability: 'none' });
    expect(facts).toContainEqual(expect.objectContaining({ type: 'publication.accepted', durability: 'none' }));
    field.store.go();
    await field.pass(5_000);
    await closed;
    expect(field.relays[0]?.seen.size).toBe(0);
  });

  test('whoever asks a receipt for more after a refusal hears of the refusal', async () => {
    const field = new Field(1);
    const { pool } = field.start();
    await field.pass(100);
    field.store.hold();
    const publishing = pool.publish(next(), { timeoutMs: 100 });
    await field.pass(200);
    const receipt = await publishing;
    expect(receipt.status).toBe('pending');
    field.store.isFull = true;
    field.store.go();
    await field.pass(100);
    expect(await receipt.completed()).toMatchObject({ status: 'refused', cause: 'not-kept' });
    expect(await receipt.confirmed()).toMatchObject({ status: 'refused' });
  });

  test('what cannot be read at first is handed out later', async () => {
    const field = new Field(1);
    const first = field.start({ connect: false });
    const event = next();
    void first.pool.publish(event);
    await field.pass(10);
    await field.end(first.pool);
    await first.outbox.close();
    field.store.failReads(2);
    const { facts } = field.start();
    await field.pass(30_000);
    expect(facts).toContainEqual(expect.objectContaining({ type: 'outbox.failed' }));
    expect(field.relays[0]?.stored.has(event.id)).toBe(true);
  });

  test('options that cannot be kept are misuse, and leave nothing behind', async () => {
    const field = new Field(1);
    const { pool } = field.start();
    await field.pass(100);
    const event = next();
    await expect(pool.publish(event, { affinityKey: 1n as never })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    const relays = { among: field.urls, copies: 1, more: 1n };
    await expect(pool.publish(event, { relays })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    expect(pool.metrics().openPublications).toBe(0);
    const publishing = pool.publish(event);
    await field.pass(100);
    expect(await publishing).toMatchObject({ status: 'confirmed' });
  });

  test('who asks for more once the outbox has forgotten it is told that nothing keeps it', async () => {
    const field = new Field(2);
    const { pool } = field.start();
    await field.pass(100);
    const [, silent] = field.relays;
    if (silent) silent.answer = () => undefined;
    const event = next();
    const first = pool.publish(event);
    await field.pass(100);
    expect(await first).toMatchObject({ status: 'confirmed', durability: 'power-loss' });
    const second = pool.publish(event, { quorum: 2, timeoutMs: 100 });
    await field.pass(200);
    expect(await second).toMatchObject({ status: 'partly-confirmed', durability: 'none' });
  });

  test('a caller’s time runs while it is being kept', async () => {
    const field = new Field(1);
    const { pool } = field.start();
    await field.pass(100);
    field.store.hold();
    const publishing = pool.publish(next(), { timeoutMs: 500 });
    await field.pass(600);
    const receipt = await publishing;
    expect(receipt).toMatchObject({ status: 'pending', outcomes: {} });
    field.store.go();
    await field.pass(100);
    expect(await receipt.confirmed()).toMatchObject({ status: 'confirmed' });
  });

  test('what was kept for relays that are not there waits for them, and is a dead letter in the end', async () => {
    const field = new Field(1);
    const first = field.start({ connect: false });
    const [early, never] = [next(), next()];
    void first.pool.publish(early);
    await field.pass(10);
    await field.end(first.pool);
    await first.outbox.close();
    const second = field.start({ relays: [] });
    await field.pass(5_000);
    expect(await second.outbox.stats()).toMatchObject({ waiting: 1 });
    second.pool.addRelay(field.urls[0] ?? '');
    await field.pass(60_000);
    expect(field.relays[0]?.stored.has(early.id)).toBe(true);
    void second.pool.publish(never, { relays: field.urls });
    field.relays[0]?.stop();
    await field.pass(1);
    await field.end(second.pool);
    await second.outbox.close();
    const third = field.start({ relays: [], publish: { expiresMs: 10_000 } });
    await field.pass(120_000);
    expect(await third.outbox.stats()).toMatchObject({ dead: 1 });
  });

  test('what cannot be read is a dead letter', async () => {
    const field = new Field(1);
    const before = new LocalOutbox(field.store, { clock: field.clock });
    await before.enqueue([
      { id: 'a', body: 'what is this', priority: 'normal' },
      { id: 'b', body: '{"frame":5}', priority: 'normal' },
      { id: 'c', body: '{"frame":"[]","relays":{"among":7},"quorum":"many"}', priority: 'normal' },
    ]);
    await before.close();
    const { outbox, pool, facts } = field.start({ publish: { expiresMs: 5_000 } });
    await field.pass(60_000);
    const refused = facts.filter((fact) => fact.type === 'publication.refused');
    expect(refused.map((fact) => [fact.id, fact.cause])).toEqual(['a', 'b', 'c'].map((id) => [id, 'undeliverable']));
    expect((await outbox.deadLetters()).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect(pool.metrics().openPublications).toBe(0);
  });

  test('a pool that closes takes nothing more out of its outbox, and finishes what it accepted', async () => {
    const field = new Field(1);
    const before = new LocalOutbox(field.store, { clock: field.clock });
    const items = Array.from({ length: 10 }, () => next());
    await before.enqueue(
      items.map((event) => ({
        id: event.id,
        body: JSON.stringify({ frame: JSON.stringify(['EVENT', event]) }),
        priority: 'normal' as const,
      })),
    );
    await before.close();
    const { pool, outbox } = field.start({ publish: { publicationsMax: 2 }, connect: false });
    await field.pass(10);
    expect(pool.metrics().openPublications).toBe(2);
    field.store.hold();
    const last = next();
    pool.connect();
    const closed = pool.close({ drainMs: 5_000 });
    field.store.go();
    await field.pass(6_000);
    await closed;
    expect(field.relays[0]?.stored.size).toBeLessThan(items.length);
    expect(field.relays[0]?.stored.has(last.id)).toBe(false);
    const { waiting } = await outbox.stats();
    expect(waiting).toBe(items.length - (field.relays[0]?.stored.size ?? 0));
  });

  test('an older version goes on when the newer one cannot be kept', async () => {
    const field = new Field(1);
    const { pool } = field.start();
    await field.pass(100);
    const [relay] = field.relays;
    relay?.stop();
    await field.pass(10);
    const base = next();
    const version = (at: number, digit: string) => ({ ...base, kind: 0, created_at: at, id: digit.repeat(64) });
    const older = pool.publish(version(1_000, 'a'));
    await field.pass(10);
    field.store.isFull = true;
    const newer = pool.publish(version(2_000, 'b'));
    await field.pass(10);
    expect(await newer).toMatchObject({ status: 'refused', cause: 'not-kept' });
    field.store.isFull = false;
    relay?.start();
    await field.pass(20_000);
    expect(await older).toMatchObject({ status: 'confirmed' });
  });

  test('an outbox that cannot be opened is told, and tried again', async () => {
    const field = new Field(1);
    const store = field.store;
    const open = store.open.bind(store);
    let tries = 0;
    store.open = async () => {
      tries += 1;
      if (tries < 3) throw new Error('the disk is away');
      return open();
    };
    const { pool, facts } = field.start();
    await field.pass(1);
    expect(facts).toContainEqual({ type: 'outbox.failed', problem: expect.stringContaining('the disk is away') });
    await field.pass(60_000);
    const publishing = pool.publish(next());
    await field.pass(100);
    expect(await publishing).toMatchObject({ status: 'confirmed' });
  });
});
