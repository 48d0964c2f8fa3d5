import 'fake-indexeddb/auto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { createIndexedDbOutbox } from 'recloser/outbox-indexeddb';
import { createLevelOutbox } from 'recloser/outbox-level';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Priority } from '../../machines/policy/priority.ts';
import { LocalOutbox, type LocalOutboxOptions } from '../../src/delivery/outbox/local-outbox.ts';
import { MemoryStore } from '../../src/delivery/outbox/memory-outbox.ts';
import type { Lease, Outbox, OutboxItem } from '../../src/delivery/outbox/outbox.ts';
import type { StateStore } from '../../src/delivery/outbox/state-store.ts';
import { VirtualClock } from '../../src/testing/index.ts';

/** A place where an outbox can be opened again and again. */
type Place = (options?: LocalOutboxOptions) => Outbox & StateStore;

let names = 0;

const PLACES: readonly (readonly [name: string, find: () => Place])[] = [
  [
    'memory',
    () => {
      const store = new MemoryStore();
      return (options) => new LocalOutbox(store, options);
    },
  ],
  [
    'LevelDB',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'recloser-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      return (options) => createLevelOutbox(join(folder, 'outbox'), options);
    },
  ],
  [
    'IndexedDB',
    () => {
      names += 1;
      const name = `outbox ${names}`;
      return (options) => createIndexedDbOutbox(name, options);
    },
  ],
];

const item = (id: string, priority: Priority = 'normal'): OutboxItem => ({ id, body: `the body of ${id}`, priority });

/** Opens an outbox that is closed with the test. */
function opened(place: Place, options?: LocalOutboxOptions): Outbox & StateStore {
  const outbox = place(options);
  onTestFinished(() => outbox.close());
  return outbox;
}

/** Leases until there are so many. */
async function leased(
  outbox: Outbox,
  count: number,
  window = 100,
): Promise<{ leases: Lease[]; stop(): Promise<void> }> {
  const stopping = new AbortController();
  const leases: Lease[] = [];
  const iterator = outbox.lease({ window, signal: stopping.signal })[Symbol.asyncIterator]();
  while (leases.length < count) {
    const { value, done } = await iterator.next();
    if (done) break;
    leases.push(value);
  }
  return {
    leases,
    async stop() {
      stopping.abort();
      await iterator.return?.();
    },
  };
}

describe.each(PLACES)('an outbox in %s', (_name, find) => {
  test('hands out what it is given, once, with its body, and forgets what is settled', async () => {
    const outbox = opened(find());
    expect(await outbox.enqueue([item('a'), item('b')])).toEqual({ duplicates: [] });
    expect(await outbox.stats()).toEqual({ waiting: 2, leased: 0, dead: 0, damaged: 0 });
    const { leases } = await leased(outbox, 2);
    expect(leases.map(({ id, body, attempt }) => [id, body, attempt])).toEqual([
      ['a', 'the body of a', 1],
      ['b', 'the body of b', 1],
    ]);
    expect(await outbox.stats()).toMatchObject({ waiting: 0, leased: 2 });
    for (const lease of leases) await lease.settle();
    expect(await outbox.stats()).toEqual({ waiting: 0, leased: 0, dead: 0, damaged: 0 });
  });

  test('keeps what is the same once, also while it is being written', async () => {
    const outbox = opened(find());
    const [first, second] = await Promise.all([outbox.enqueue([item('a')]), outbox.enqueue([item('a'), item('b')])]);
    expect([first.duplicates, second.duplicates]).toEqual([[], ['a']]);
    expect(await outbox.enqueue([item('b'), item('b')])).toEqual({ duplicates: ['b'] });
    expect(await outbox.stats()).toMatchObject({ waiting: 2 });
  });

  test('still has after a restart what was not settled, in its order, and nothing else', async () => {
    const place = find();
    const before = place();
    await before.enqueue(['a', 'b', 'c', 'd'].map((id) => item(id)));
    const { leases } = await leased(before, 3);
    await leases[1]?.settle();
    await before.close();
    const after = opened(place);
    const again = await leased(after, 3);
    expect(again.leases.map(({ id, body }) => [id, body])).toEqual(
      ['a', 'c', 'd'].map((id) => [id, `the body of ${id}`]),
    );
    expect(again.leases[0]?.attempt).toBe(2);
    await again.leases[0]?.settle();
    await after.enqueue([item('a')]);
    expect(await after.stats()).toMatchObject({ waiting: 1, leased: 2 });
  });

  test('never has more open leases than its window', async () => {
    const outbox = opened(find());
    await outbox.enqueue(['a', 'b', 'c'].map((id) => item(id)));
    const stopping = new AbortController();
    const iterator = outbox.lease({ window: 2, signal: stopping.signal })[Symbol.asyncIterator]();
    const first = await iterator.next();
    await iterator.next();
    let third: string | undefined;
    const waiting = iterator.next().then(({ value }) => {
      third = (value as Lease | undefined)?.id;
    });
    await outbox.stats();
    expect(third).toBeUndefined();
    await (first.value as Lease).settle();
    await waiting;
    expect(third).toBe('c');
    stopping.abort();
  });

  test('can be told how it went after it stopped handing out, and only once', async () => {
    const outbox = opened(find());
    await outbox.enqueue(['a', 'b'].map((id) => item(id)));
    const { leases, stop } = await leased(outbox, 2);
    await stop();
    await leases[0]?.settle();
    await leases[1]?.nack({ delayMs: 0, reason: 'closing' });
    expect(await outbox.stats()).toMatchObject({ waiting: 1, leased: 0 });
    const again = await leased(outbox, 1);
    await leases[1]?.settle();
    await leases[1]?.bury('no');
    expect(again.leases[0]?.id).toBe('b');
    expect(await outbox.stats()).toMatchObject({ waiting: 0, leased: 1, dead: 0 });
  });

  test('hands out what matters more first, and lets nothing starve', async () => {
    const outbox = opened(find());
    const priorities: Priority[] = ['low', 'normal', 'high', 'critical'];
    await outbox.enqueue(
      priorities.flatMap((each) => Array.from({ length: 30 }, (_, n) => item(`${each} ${n}`, each))),
    );
    const { leases } = await leased(outbox, 43);
    const count = (priority: Priority): number => leases.filter((lease) => lease.priority === priority).length;
    expect(priorities.map(count)).toEqual([1, 4, 8, 30]);
  });

  test('keeps what could not be delivered for later, for as long as it is told', async () => {
    const clock = new VirtualClock(1_000);
    const place = find();
    const outbox = opened(place, { clock });
    await outbox.enqueue([item('a')]);
    const { leases, stop } = await leased(outbox, 1);
    await leases[0]?.nack({ delayMs: 5_000, reason: 'nobody is there' });
    await stop();
    expect(await outbox.stats()).toMatchObject({ waiting: 1, leased: 0 });
    let again: Lease | undefined;
    const waiting = leased(outbox, 1).then((result) => {
      [again] = result.leases;
    });
    clock.advance(4_999);
    await outbox.stats();
    expect(again).toBeUndefined();
    clock.advance(1);
    await waiting;
    expect([again?.id, again?.attempt]).toEqual(['a', 2]);
  });

  test('keeps dead letters, also over a restart, to be looked at, sent again or forgotten', async () => {
    const place = find();
    const before = place({ clock: new VirtualClock(7_000) });
    await before.enqueue(['a', 'b', 'c'].map((id) => item(id)));
    const { leases } = await leased(before, 3);
    for (const lease of leases) await lease.bury(`nobody wanted ${lease.id}`);
    await before.close();
    const outbox = opened(place);
    expect(await outbox.stats()).toMatchObject({ waiting: 0, dead: 3 });
    expect((await outbox.deadLetters({ limit: 1 }))[0]).toEqual({
      id: 'a',
      body: 'the body of a',
      priority: 'normal',
      reason: 'nobody wanted a',
      atMs: 7_000,
    });
    expect(await outbox.discard(['b', 'x'])).toBe(1);
    expect(await outbox.revive(['a'])).toBe(1);
    expect((await leased(outbox, 1)).leases[0]).toMatchObject({ id: 'a', attempt: 1 });
    // Publishing it again is another way.
    expect(await outbox.enqueue([item('c')])).toEqual({ duplicates: [] });
    expect(await outbox.stats()).toEqual({ waiting: 1, leased: 1, dead: 0, damaged: 0 });
  });

  test('refuses what is too much, and takes it when there is room', async () => {
    const outbox = opened(find(), { itemsMax: 2 });
    await outbox.enqueue([item('a')]);
    await expect(outbox.enqueue([item('b'), item('c')])).rejects.toMatchObject({ code: 'OUTBOX_FULL' });
    expect(await outbox.stats()).toMatchObject({ waiting: 1 });
    const { leases } = await leased(outbox, 1);
    await leases[0]?.settle();
    await outbox.enqueue([item('b'), item('c')]);
  });

  test('takes nothing after it is closed, and ends whoever waits', async () => {
    const outbox = opened(find());
    await outbox.enqueue([item('a')]);
    const iterator = outbox.lease({ window: 1, signal: new AbortController().signal })[Symbol.asyncIterator]();
    await iterator.next();
    const waiting = iterator.next();
    await outbox.close();
    expect(await waiting).toMatchObject({ done: true });
    await expect(outbox.enqueue([item('b')])).rejects.toMatchObject({ code: 'OUTBOX_CLOSED' });
  });

  test('hands out a dead letter once, whoever else revives, discards or publishes it meanwhile', async () => {
    const outbox = opened(find());
    await outbox.enqueue(['a', 'b', 'c'].map((id) => item(id)));
    const { leases, stop } = await leased(outbox, 3);
    for (const lease of leases) await lease.bury('no');
    await stop();
    const [first, second, discarded] = await Promise.all([
      outbox.revive(['a', 'b']),
      outbox.revive(),
      outbox.discard(['a', 'b', 'c']),
      outbox.enqueue([item('a')]),
    ]);
    expect([first, second, discarded]).toEqual([2, 1, 0]);
    const again = await leased(outbox, 3);
    expect(again.leases.map(({ id }) => id).sort()).toEqual(['a', 'b', 'c']);
    await Promise.all(again.leases.map((lease) => lease.settle()));
    expect(await outbox.stats()).toEqual({ waiting: 0, leased: 0, dead: 0, damaged: 0 });
  });

  test('keeps what is enqueued while the dead letter of it is being discarded', async () => {
    const outbox = opened(find());
    await outbox.enqueue([item('a')]);
    const { leases, stop } = await leased(outbox, 1);
    await leases[0]?.bury('no');
    await stop();
    const [discarded, { duplicates }] = await Promise.all([outbox.discard(['a']), outbox.enqueue([item('a')])]);
    expect([discarded, duplicates]).toEqual([1, []]);
    expect(await outbox.stats()).toMatchObject({ waiting: 1, dead: 0 });
    expect((await leased(outbox, 1)).leases[0]?.body).toBe('the body of a');
  });

  test('keeps a text beside what it hands out, also over a restart, and does not take it for damage', async () => {
    const place = find();
    const before = place();
    expect(await before.readState()).toBeUndefined();
    await before.writeState('one');
    await before.enqueue([item('a')]);
    await before.writeState('another');
    await before.close();
    await expect(before.readState()).rejects.toMatchObject({ code: 'OUTBOX_CLOSED' });
    const after = opened(place);
    expect(await after.readState()).toBe('another');
    expect(await after.stats()).toEqual({ waiting: 1, leased: 0, dead: 0, damaged: 0 });
  });

  test('takes ten thousand at once', async () => {
    const outbox = opened(find());
    await outbox.enqueue(Array.from({ length: 10_000 }, (_, index) => item(String(index))));
    const { leases } = await leased(outbox, 10_000, 10_000);
    await Promise.all(leases.map((lease) => lease.settle()));
    expect(await outbox.stats()).toMatchObject({ waiting: 0, leased: 0 });
  });
});

test('LevelDB goes on after a write that failed, with whatever is asked of it at once, and not after its end', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'recloser-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const outbox = createLevelOutbox(join(folder, 'outbox'));
  await outbox.enqueue(['a', 'b', 'c'].map((id) => item(id)));
  const { leases, stop } = await leased(outbox, 3);
  for (const lease of leases.slice(1)) await lease.bury('no');
  await stop();
  vi.spyOn(ClassicLevel.prototype, 'batch').mockRejectedValueOnce(new Error('no space left'));
  await expect(outbox.enqueue([item('d')])).rejects.toMatchObject({ code: 'OUTBOX_FAILED' });
  expect(await outbox.revive()).toBe(2);
  await Promise.all([outbox.enqueue([item('d')]), outbox.enqueue([item('e')]), outbox.deadLetters()]);
  await outbox.close();
  await Promise.all([leases[0]?.settle(), leases[0]?.settle()]);
  const next = createLevelOutbox(join(folder, 'outbox'));
  expect(await next.stats()).toMatchObject({ waiting: 5 });
  await next.close();
});
