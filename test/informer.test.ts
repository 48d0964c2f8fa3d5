import { expect, test } from 'vitest';
import { INFORMATION } from '../machines/policy/limits.ts';
import type { StatedLimits } from '../machines/policy/stated-limits.ts';
import { Informer } from '../src/pool/informer.ts';
import { VirtualClock } from '../src/testing/index.ts';
import { readingWorld } from './kit/reading-world.ts';

const URL = 'wss://relay.example/';
const DOCUMENT = { limitation: { max_subscriptions: 3 } };
const LIMITS: StatedLimits = { subscriptionsMax: 3 };

/** An informer whose relays answer when, and as, the test says. */
function informed() {
  const clock = new VirtualClock(1_000_000);
  const asked: { answer(document: object): void; fail(): void; signal: AbortSignal }[] = [];
  const stated: StatedLimits[] = [];
  const informer = new Informer({
    clock,
    reader: {
      name: 'scripted',
      read: (_url, { signal }) =>
        new Promise((answer, reject) => asked.push({ answer, fail: () => reject(new Error('no')), signal })),
    },
    allowPrivate: false,
    stated: (_url, limits) => stated.push(limits),
  });
  return { clock, asked, stated, informer };
}

/** Whatever waits for a promise has its turn. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a relay is asked once an hour, however often it is met', async () => {
  const { clock, asked, stated, informer } = informed();
  informer.meet(URL);
  informer.meet(URL);
  asked[0]?.answer(DOCUMENT);
  await settled();
  expect(stated).toEqual([LIMITS]);
  expect(informer.limitsOf(URL)).toEqual(LIMITS);
  clock.advance(INFORMATION.freshMs - 1);
  informer.meet(URL);
  expect(asked).toHaveLength(1);
  clock.advance(1);
  informer.meet(URL);
  expect(asked).toHaveLength(2);
});

test('one that does not say is asked again after a while, and what it said before holds meanwhile', async () => {
  const { clock, asked, stated, informer } = informed();
  informer.meet(URL);
  asked[0]?.answer(DOCUMENT);
  await settled();
  clock.advance(INFORMATION.freshMs);
  informer.meet(URL);
  asked[1]?.fail();
  await settled();
  expect(informer.limitsOf(URL)).toEqual(LIMITS);
  expect(stated).toHaveLength(1);
  clock.advance(INFORMATION.retryMs - 1);
  informer.meet(URL);
  expect(asked).toHaveLength(2);
  clock.advance(1);
  informer.meet(URL);
  expect(asked).toHaveLength(3);
});

test('one that hangs is left at the deadline, and what it says afterwards is too late', async () => {
  const { clock, asked, stated, informer } = informed();
  informer.meet(URL);
  clock.advance(INFORMATION.timeoutMs);
  expect(asked[0]?.signal.aborted).toBe(true);
  asked[0]?.answer(DOCUMENT);
  await settled();
  expect(stated).toEqual([]);
  expect(informer.limitsOf(URL)).toEqual({});
});

test('one that leaves is asked no longer, and forgotten; added again, it is asked anew', async () => {
  const { clock, asked, stated, informer } = informed();
  informer.meet(URL);
  informer.forget(URL);
  expect(asked[0]?.signal.aborted).toBe(true);
  informer.meet(URL);
  asked[0]?.answer({ limitation: { max_subscriptions: 9 } });
  asked[1]?.answer(DOCUMENT);
  await settled();
  expect(stated).toEqual([LIMITS]);
  informer.dispose();
  expect(clock.pending).toBe(0);
});

test('a pool asks no longer about a relay that is removed, or when it stops', async () => {
  const signals: AbortSignal[] = [];
  const read = (_url: string, { signal }: { signal: AbortSignal }) => {
    signals.push(signal);
    return new Promise<never>(() => {});
  };
  const { clock, pool, relays } = readingWorld(2, { information: { name: 'hanging', read } });
  clock.advance(1_000);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  pool.removeRelay(relays[0]?.url ?? '');
  clock.advance(1_000);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  pool.actor.stop();
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
});

test('as many subscriptions as there may be are refused together where a relay takes none of them', async () => {
  const COUNT = 10_000;
  const read = async () => ({ limitation: { max_message_length: 1_024 } });
  const options = { information: { name: 'said', read }, subscribe: { subscriptionsMax: COUNT } };
  const { clock, pool, relays, asked } = readingWorld(1, options);
  clock.advance(1_000);
  await settled();
  relays[0]?.stop();
  clock.advance(1_000);
  const authors = Array.from({ length: 20 }, (_, index) => index.toString(16).padStart(64, '0'));
  const ends: string[] = [];
  for (let index = 0; index < COUNT; index += 1) pool.subscribe({ authors }, { onClosed: (end) => ends.push(end) });
  relays[0]?.listen();
  clock.advance(60_000);
  expect(ends).toEqual(Array(COUNT).fill('refused'));
  expect(asked).toEqual([]);
  // Questions end as well, and say why.
  const answer = pool.query({ authors });
  clock.advance(1_000);
  expect((await answer).relays[relays[0]?.url ?? '']?.refusal?.prefix).toBe('invalid');
});

test('one that is met after the end is not asked any more', () => {
  const { clock, asked, informer } = informed();
  informer.dispose();
  informer.meet(URL);
  expect(asked).toEqual([]);
  expect(clock.pending).toBe(0);
});

test('a reader that throws at once, or gives what cannot be read, is one that does not say', async () => {
  const clock = new VirtualClock();
  const hostile = new Proxy(
    {},
    {
      get: () => {
        throw new Error('mine');
      },
    },
  );
  for (const read of [
    () => {
      throw new Error('mine');
    },
    async () => hostile,
    async () => undefined as never,
  ]) {
    const informer = new Informer({ clock, reader: { name: 'bad', read }, allowPrivate: false, stated: () => {} });
    informer.meet(URL);
    await settled();
    expect(informer.limitsOf(URL)).toEqual({});
    expect(clock.pending).toBe(0);
  }
});
