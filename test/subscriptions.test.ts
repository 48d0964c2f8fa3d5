import { describe, expect, test } from 'vitest';
import { createActor, fromCallback, setup } from 'xstate';
import { SEEN } from '../machines/policy/limits.ts';
import { type Codec, createPool, type NostrEvent, nostrCodec, type Received, type Verifier } from '../src/index.ts';
import { providePoolMachine } from '../src/pool/pool-machine.ts';
import { SimulatedNetwork, SimulatedRelay, seededRandom, VirtualClock } from '../src/testing/index.ts';
import { BEGINNING, believing, handingOn, MINUTE, readingWorld, SECOND, template } from './kit/reading-world.ts';

describe('a gap', () => {
  test('of a minute is asked for from the newest event on, less the overlap, without a limit', () => {
    const { clock, relays, pool, asked, put, ids, onEvent } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    const filter = Object.freeze({ kinds: Object.freeze([1]), limit: 1 });
    put(relay);
    const newest = put(relay);
    pool.subscribe(filter, { onEvent });
    clock.advance(SECOND);
    expect(ids()).toHaveLength(1);
    relay.stop();
    const missed = [put(relay), put(relay), put(relay)];
    clock.advance(MINUTE);
    missed.push(put(relay));
    relay.listen();
    clock.advance(3 * MINUTE);
    expect(asked.map(({ frame }) => frame.slice(2))).toEqual([
      [{ kinds: [1], limit: 1 }],
      [{ kinds: [1], since: newest.created_at - 600 }],
    ]);
    for (const { id } of missed) expect(ids()).toContain(id);
    expect(new Set(ids()).size).toBe(ids().length);
    expect(filter).toEqual({ kinds: [1], limit: 1 });
  });

  test('over, what there was is asked for before what is new, each once', () => {
    const { clock, relays, pool, asked } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    for (const kind of [1, 2, 3]) pool.subscribe({ kinds: [kind] }, { onEvent: () => {} });
    clock.advance(SECOND);
    relay.stop();
    clock.advance(SECOND);
    pool.subscribe({ kinds: [4] }, { onEvent: () => {} });
    asked.length = 0;
    relay.listen();
    clock.advance(MINUTE);
    expect(asked.map(({ frame }) => (frame[2] as { kinds: number[] }).kinds)).toEqual([[1], [2], [3], [4]]);
  });

  test('does not begin with what is dated ahead, however genuine it is', () => {
    const { clock, relays, pool, asked, put, event, ids, onEvent } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    const ahead = { created_at: 4_102_444_800 };
    relay.publish(event(ahead));
    const newest = put(relay);
    pool.subscribe({ kinds: [1] }, { onEvent });
    clock.advance(SECOND);
    relay.publish(event(ahead));
    clock.advance(SECOND);
    expect(ids()).toEqual([newest.id]);
    relay.stop();
    const missed = put(relay);
    clock.advance(MINUTE);
    relay.listen();
    clock.advance(MINUTE);
    const filter = asked.at(-1)?.frame[2] as { since: number } | undefined;
    expect(asked).toHaveLength(2);
    expect(filter?.since).toBeLessThanOrEqual(newest.created_at);
    expect(ids()).toEqual([newest.id, missed.id]);
    expect(pool.relayMetrics(relay.url)?.faults['event-ahead']).toBeGreaterThan(0);
  });

  test('that cuts what is stored short is asked for in full again', () => {
    const { clock, relays, pool, asked, put, ids, onEvent } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    const stored = [put(relay), put(relay)];
    relay.set({ swallowEose: true });
    pool.subscribe({ kinds: [1] }, { onEvent });
    clock.advance(SECOND);
    relay.heal();
    relay.cut();
    clock.advance(MINUTE);
    expect(asked.map(({ frame }) => frame[2])).toEqual([{ kinds: [1] }, { kinds: [1] }]);
    expect(ids().sort()).toEqual(stored.map(({ id }) => id).sort());
  });

  test('of a relay that had nothing is asked for from the beginning, and by our clock where nothing was asked for', () => {
    const { clock, relays, pool, asked, put, ids, onEvent } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    pool.subscribe({ kinds: [1] }, { onEvent });
    pool.subscribe({ kinds: [2], limit: 0 }, { onEvent });
    clock.advance(SECOND);
    relay.stop();
    const missed = put(relay);
    clock.advance(MINUTE);
    relay.listen();
    clock.advance(3 * MINUTE);
    const again = asked.slice(2).map(({ frame }) => frame[2] as { kinds: number[]; since: number });
    expect(again.find(({ kinds }) => kinds[0] === 1)).toEqual({ kinds: [1], since: 0 });
    const since = again.find(({ kinds }) => kinds[0] === 2)?.since ?? 0;
    expect(Math.abs(since - (BEGINNING / 1_000 - 600))).toBeLessThan(5);
    expect(ids()).toEqual([missed.id]);
  });

  test('is not asked for where nothing new can come', () => {
    const { clock, relays, pool, asked, put } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    put(relay);
    const subscription = pool.subscribe({ kinds: [1], limit: 0, until: BEGINNING / 1_000 - 3_600 });
    clock.advance(SECOND);
    relay.cut();
    clock.advance(MINUTE);
    expect(asked).toHaveLength(1);
    expect(subscription.status()[relay.url]?.state).toBe('live');
  });
});

describe('an application', () => {
  test('may close its subscription while it hears of an event', () => {
    const { clock, relays, pool, put, received } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    put(relay);
    put(relay);
    const subscription = pool.subscribe(
      { kinds: [1] },
      {
        onEvent: (each) => {
          received.push(each);
          subscription.close();
        },
      },
    );
    clock.advance(SECOND);
    expect(received).toHaveLength(1);
    expect(subscription.isClosed).toBe(true);
    subscription.close();
  });

  test('may close the pool while it hears of an event, and nothing is left', async () => {
    const { clock, relays, pool, put } = readingWorld(2);
    put(...relays);
    const causes: string[] = [];
    let closed: Promise<void> | undefined;
    pool.subscribe(
      { kinds: [1] },
      {
        onEvent: () => {
          closed ??= pool.close({ drainMs: 0 });
        },
        onClosed: (cause) => causes.push(cause),
      },
    );
    clock.advance(MINUTE);
    await closed;
    expect(causes).toEqual(['pool-closed']);
    expect(clock.pending).toBe(0);
    expect(() => pool.subscribe({})).toThrow(expect.objectContaining({ code: 'POOL_CLOSED' }));
    await expect(pool.query({})).rejects.toMatchObject({ code: 'POOL_CLOSED' });
  });

  test('may subscribe again when the end is told, and may throw', async () => {
    const { clock, relays, pool, put, ids, onEvent } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    put(relay);
    const thrown: unknown[] = [];
    const note = (error: unknown) => thrown.push(error);
    process.on('uncaughtException', note);
    pool.subscribe(
      { kinds: [1] },
      {
        onEose: () => {
          pool.subscribe({ kinds: [1] }, { onEvent });
          throw new Error('mine');
        },
      },
    );
    clock.advance(SECOND);
    await new Promise((go) => setImmediate(go));
    process.off('uncaughtException', note);
    expect(thrown).toEqual([expect.objectContaining({ message: 'mine' })]);
    expect(ids()).toHaveLength(1);
  });

  test('withdraws by a signal, also by one that has been given already', () => {
    const { clock, relays, pool, ids, put, onEvent } = readingWorld(2);
    const controller = new AbortController();
    const subscriptions = [
      pool.subscribe({ kinds: [1] }, { onEvent, signal: controller.signal }),
      pool.subscribe({ kinds: [1] }, { onEvent, signal: controller.signal }),
      pool.subscribe({ kinds: [1] }, { onEvent, signal: AbortSignal.abort() }),
    ];
    clock.advance(SECOND);
    expect(subscriptions.map(({ isClosed }) => isClosed)).toEqual([false, false, true]);
    controller.abort();
    clock.advance(SECOND);
    put(...relays);
    clock.advance(SECOND);
    expect(ids()).toEqual([]);
    expect(subscriptions.every(({ isClosed }) => isClosed)).toBe(true);
  });

  test('is told at once what makes no sense', async () => {
    const { pool } = readingWorld(1, { subscribe: { subscriptionsMax: 1 } });
    const code = (name: string) => expect.objectContaining({ code: name });
    expect(() => pool.subscribe({ kinds: 'x' } as never)).toThrow(code('INVALID_FILTER'));
    expect(() => pool.subscribe({}, { relays: ['wss://nobody.example'] })).toThrow(code('NO_RELAYS'));
    expect(() => pool.subscribe({}, { relays: 0 })).toThrow(code('INVALID_OPTION'));
    expect(() => pool.subscribe({}, { onEvent: 'x' as never })).toThrow(code('INVALID_OPTION'));
    expect(() => pool.subscribe({}, { whenFull: 'x' as never })).toThrow(code('INVALID_OPTION'));
    expect(() => pool.subscribe({}, { bufferMax: 0 })).toThrow(code('INVALID_OPTION'));
    expect(() => pool.subscribe({}, { versions: 'x' as never })).toThrow(code('INVALID_OPTION'));
    expect(() => pool.subscribe({}, { affinityKey: 5 as never })).toThrow(code('INVALID_OPTION'));
    expect(() => pool.subscribe({}, { signal: {} as never })).toThrow(code('INVALID_OPTION'));
    expect(() => pool.subscribe({ '#t': ['x'.repeat(2_000_000)] })).toThrow(code('INVALID_FILTER'));
    await expect(pool.query({}, { timeoutMs: -1 })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    pool.subscribe({});
    expect(() => pool.subscribe({})).toThrow(code('TOO_MANY_SUBSCRIPTIONS'));
    const empty = createPool({ relays: [] });
    expect(() => empty.subscribe({})).toThrow(code('NO_RELAYS'));
    await empty.close();
  });
});

test('a subscription that has ended says where little came from, and lets go of much', () => {
  for (const [count, isKept] of [
    [SEEN.afterwards, true],
    [SEEN.afterwards + 1, false],
  ] as const) {
    const { clock, pool, relays, put } = readingWorld(1);
    const relay = relays[0] as SimulatedRelay;
    const sent = Array.from({ length: count }, () => put(relay).id);
    const asked: (readonly string[])[] = [];
    const subscription = pool.subscribe(
      { kinds: [1] },
      { onEvent: () => {}, onClosed: () => asked.push(subscription.relaysOf(sent[0] as string)) },
    );
    clock.advance(MINUTE);
    expect(subscription.delivered).toBe(count);
    subscription.close();
    expect(asked).toEqual([[relay.url]]);
    for (const id of sent) expect(subscription.relaysOf(id)).toEqual(isKept ? [relay.url] : []);
  }
});

describe('relays that come and go', () => {
  test('are asked when they are added, and what they have sent is kept when they are removed', () => {
    const { clock, network, relays, pool, put, ids, onEvent } = readingWorld(1);
    const subscription = pool.subscribe({ kinds: [1] }, { onEvent });
    clock.advance(SECOND);
    const late = new SimulatedRelay(network, { url: 'wss://late.example/', clock, dice: seededRandom('late') });
    const there = put(late);
    pool.addRelay(late.url);
    clock.advance(SECOND);
    expect(ids()).toEqual([there.id]);
    expect(Object.keys(subscription.status())).toHaveLength(2);
    pool.removeRelay(late.url);
    clock.advance(SECOND);
    expect(Object.keys(subscription.status())).toEqual([relays[0]?.url]);
    pool.addRelay(late.url);
    clock.advance(SECOND);
    expect(ids()).toEqual([there.id]);
    expect(subscription.relaysOf(there.id)).toEqual([late.url]);
  });

  test('of a number of relays, one that falls silent has another take its place', () => {
    const { clock, relays, pool, put, ids, onEvent } = readingWorld(3);
    const subscription = pool.subscribe({ kinds: [1] }, { relays: 1, onEvent });
    clock.advance(SECOND);
    const [url] = Object.keys(subscription.status());
    const first = relays.find((relay) => relay.url === url) as SimulatedRelay;
    first.set({ silent: true });
    void pool.publish({ ...template, id: 'f'.repeat(64) }, { relays: [first.url] });
    clock.advance(20 * SECOND);
    const [other] = Object.keys(subscription.status());
    expect(other).not.toBe(first.url);
    const fresh = put(relays.find((relay) => relay.url === other) as SimulatedRelay);
    clock.advance(SECOND);
    expect(ids()).toContain(fresh.id);
  });

  test('of a key, the same ones are asked by the strategy affinity, and of others, others', () => {
    const { clock, pool, asked } = readingWorld(6, { balance: { strategy: 'affinity' } });
    const placesOf = (affinityKey: string): string[] => {
      asked.length = 0;
      const subscription = pool.subscribe({ kinds: [1] }, { relays: 2, affinityKey });
      clock.advance(SECOND);
      subscription.close();
      clock.advance(SECOND);
      return asked.map(({ url }) => url).sort();
    };
    const first = placesOf('anna');
    expect(first).toHaveLength(2);
    for (let turn = 0; turn < 5; turn += 1) expect(placesOf('anna')).toEqual(first);
    const all = new Set(Array.from({ length: 12 }, (_, index) => placesOf(`somebody ${index}`).join()));
    expect(all.size).toBeGreaterThan(3);
    void pool.close();
  });

  test('by the thousand take nothing from those that stay', () => {
    const { clock, pool, relays, put, ids, onEvent } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    const subscription = pool.subscribe({ kinds: [1] }, { onEvent });
    clock.advance(SECOND);
    const before = put(relay);
    clock.advance(SECOND);
    for (let index = 0; index < 1_100; index += 1) {
      pool.addRelay(`wss://passing${index}.example/`, {});
      pool.removeRelay(`wss://passing${index}.example/`);
    }
    clock.advance(SECOND);
    relay.stop();
    clock.advance(MINUTE);
    const meanwhile = put(relay);
    relay.listen();
    clock.advance(2 * MINUTE);
    expect(ids()).toEqual([before.id, meanwhile.id]);
    expect(Object.keys(subscription.status())).toEqual([relay.url]);
    void pool.close();
  });

  test('that refuse in turns are not asked in turns as fast as they answer', () => {
    const { clock, relays, pool, asked, onEvent } = readingWorld(2);
    for (const relay of relays) relay.set({ closeWith: 'error: not now' });
    pool.subscribe({ kinds: [1] }, { relays: 1, onEvent });
    clock.advance(30 * SECOND);
    expect(asked.length).toBeGreaterThan(2);
    expect(asked.length).toBeLessThan(20);
  });
});

test('a relay whose requests fail is asked again once its circuit has waited, though others serve', () => {
  const { clock, relays, pool } = readingWorld(2, { balance: { strategy: 'round-robin' } });
  const [failing] = relays;
  if (!failing) throw new Error('There are two relays.');
  failing.set({ closeWith: 'error: not now' });
  for (let time = 0; time < 10; time += 1) {
    void pool.query({ kinds: [1] }, { timeoutMs: 500 });
    clock.advance(SECOND);
  }
  expect(pool.relayMetrics(failing.url)).toMatchObject({ requestCircuit: 'open' });
  failing.heal();
  clock.advance(2 * MINUTE);
  for (let time = 0; time < 4; time += 1) pool.subscribe({ kinds: [1] }, { relays: 1 });
  clock.advance(SECOND);
  expect(pool.relayMetrics(failing.url)).toMatchObject({ requestCircuit: 'closed' });
});

describe('a relay that refuses', () => {
  test('by a notice that it has too many is alive, whatever the question was', () => {
    const { clock, relays, pool, event } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    const opened: unknown[] = [];
    pool.on('relay.circuit-opened', (fact) => opened.push(fact));
    relay.set({ subscriptionsMax: 10, tooManyByNotice: true });
    for (let index = 0; index < 10; index += 1) pool.subscribe({ kinds: [1] });
    clock.advance(SECOND);
    relay.set({ refuseWith: 'rate-limited: slow down' });
    void pool.publish(event());
    clock.advance(SECOND);
    expect(pool.status()[relay.url]).toBe('degraded');
    relay.set({ refuseWith: undefined });
    clock.advance(2 * MINUTE);
    expect(opened).toEqual([]);
    expect(pool.status()[relay.url]).toBe('connected');
  });

  test('is asked for fewer than it serves, so that the question whether it lives has room', () => {
    const { clock, relays, pool } = readingWorld(1, { subscriptionsMax: 10 });
    const [relay] = relays as [SimulatedRelay];
    const subscriptions = Array.from({ length: 12 }, () => pool.subscribe({ kinds: [1] }));
    clock.advance(SECOND);
    const states = subscriptions.map((each) => each.status()[relay.url]?.state);
    expect(states.filter((state) => state === 'live')).toHaveLength(9);
    expect(states.filter((state) => state === 'queued')).toHaveLength(3);
  });

  test('does not end a subscription that another one has refused for now only', () => {
    const { clock, relays, pool, put, ids, onEvent } = readingWorld(2);
    const [a, b] = relays as [SimulatedRelay, SimulatedRelay];
    a.set({ closeWith: 'error: not now' });
    b.set({ closeWith: 'restricted: not you' });
    const subscription = pool.subscribe({ kinds: [1] }, { relays: 1, onEvent });
    clock.advance(SECOND / 4);
    expect(subscription.isClosed).toBe(false);
    a.heal();
    clock.advance(10 * SECOND);
    const fresh = put(a);
    clock.advance(SECOND);
    expect(ids()).toEqual([fresh.id]);
    b.set({ closeWith: 'restricted: not you' });
    a.set({ closeWith: 'restricted: nor you' });
    a.cut();
    clock.advance(MINUTE);
    expect(subscription.isClosed).toBe(true);
  });

  test('after the end of what is stored has still told that end', () => {
    const clock = new VirtualClock(BEGINNING);
    const network = new SimulatedNetwork({ clock });
    const url = 'wss://hasty.example/';
    network.listen(url, {
      admit: () => 'accept',
      accept: (peer) => {
        peer.onFrame = (frame) => {
          const [verb, id] = JSON.parse(frame) as [string, string];
          if (verb !== 'REQ') return;
          peer.send(JSON.stringify(['EVENT', id, { ...template, created_at: BEGINNING / 1_000 }]));
          peer.send(JSON.stringify(['EOSE', id]));
          peer.send(JSON.stringify(['CLOSED', id, 'restricted: enough']));
        };
        peer.onClose = () => {};
      },
    });
    const pool = createPool({
      clock,
      transport: network.transport,
      codec: nostrCodec,
      random: seededRandom(7),
      verifier: believing,
      relays: [url],
    });
    const said: unknown[] = [];
    pool.subscribe(
      { kinds: [1] },
      {
        onEvent: () => said.push('event'),
        onEose: (complete) => said.push(complete),
        onClosed: (cause) => said.push(cause),
      },
    );
    clock.advance(SECOND);
    expect(said).toEqual(['event', true, 'refused']);
  });
});

describe('a codec that names events by what is no id', () => {
  test('delivers none of them, and breaks nothing', () => {
    const codec: Codec = {
      ...nostrCodec,
      skim: () => undefined,
      decode: (frame) => {
        const message = nostrCodec.decode(frame);
        return message.type === 'event' ? { ...message, id: 'short' } : message;
      },
    };
    const { clock, relays, pool, put, ids, onEvent } = readingWorld(1, { codec });
    const [relay] = relays as [SimulatedRelay];
    put(relay);
    const stored: boolean[] = [];
    pool.subscribe({ kinds: [1] }, { onEvent, onEose: (complete) => stored.push(complete) });
    clock.advance(SECOND);
    expect(ids()).toEqual([]);
    expect(stored).toEqual([true]);
    expect(pool.relayMetrics(relay.url)?.faults).toEqual({ 'event-id': 1 });
  });
});

describe('more than can be verified at once', () => {
  test.each([1, 4])('is not read for a while, and all of it comes: at most %i wait', async (backlogMax) => {
    const open: (() => void)[] = [];
    const verifier: Verifier = {
      name: 'slow',
      batchMax: 1,
      parallel: 1,
      verify: (events) => new Promise((resolve) => open.push(() => resolve(events.map(() => true)))),
    };
    const { clock, relays, pool, put, ids, onEvent } = readingWorld(1, { verifier, subscribe: { backlogMax } });
    const [relay] = relays as [SimulatedRelay];
    const stored = Array.from({ length: 12 }, () => put(relay));
    pool.subscribe({ kinds: [1] }, { onEvent });
    for (let turn = 0; turn < 400 && ids().length < stored.length; turn += 1) {
      clock.advance(SECOND / 4);
      open.shift()?.();
      for (let promise = 0; promise < 5; promise += 1) await null;
    }
    expect(new Set(ids())).toEqual(new Set(stored.map(({ id }) => id)));
    expect(ids()).toHaveLength(stored.length);
  });

  test('a refusal that waits for it counts, whatever becomes of the connection meanwhile', () => {
    const verifier: Verifier = { ...believing, verify: () => new Promise(() => {}) };
    const { clock, relays, pool, put, asked } = readingWorld(1, { verifier });
    const [relay] = relays as [SimulatedRelay];
    put(relay);
    const causes: string[] = [];
    pool.subscribe({ kinds: [1] }, { onClosed: (cause) => causes.push(cause) });
    clock.advance(SECOND);
    relay.closeSubscriptions('blocked: not you');
    clock.advance(SECOND);
    relay.cut();
    clock.advance(MINUTE);
    expect(pool.status()[relay.url]).toBe('connected');
    expect(asked).toHaveLength(1);
    expect(causes).toEqual(['refused']);
  });
});

describe('a subscription that is not served, and no reason is given', () => {
  test('says that its relay does not speak of it', async () => {
    const { clock, relays, pool, event } = readingWorld(1, { subscribe: { answerTimeoutMs: SECOND } });
    const [relay] = relays as [SimulatedRelay];
    relay.set({ swallowEose: true });
    const subscription = pool.subscribe({ kinds: [1] });
    clock.advance(100);
    // It lives, and says so.
    void pool.publish(event({ kind: 7 }));
    clock.advance(1_300);
    expect(subscription.status()[relay.url]).toMatchObject({ state: 'resting', trouble: 'unanswered' });
    relay.set({ swallowEose: false });
    clock.advance(MINUTE);
    const { state, trouble } = subscription.status()[relay.url] ?? {};
    expect([state, trouble]).toEqual(['live', undefined]);
  });

  test('says that its relay does not speak at all', () => {
    const { clock, network, relays, pool, event } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    network.link(relay.url).lose();
    void pool.publish(event({ kind: 7 }));
    clock.advance(2_500);
    const subscription = pool.subscribe({ kinds: [1] });
    clock.advance(10);
    expect(subscription.status()[relay.url]).toMatchObject({ state: 'waiting', trouble: 'silent' });
  });
});

describe('a relay that wants to be asked less often', () => {
  test('is asked a few times a second at most, and counts as well', () => {
    const { clock, relays, pool, asked } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    const perSecond = (closeWith: string): readonly number[] => {
      relay.set({ closeWith });
      const subscriptions = Array.from({ length: 15 }, (_, kind) => pool.subscribe({ kinds: [kind] }));
      const counts = Array.from({ length: 20 }, () => {
        const before = asked.length;
        clock.advance(SECOND);
        return asked.length - before;
      });
      for (const subscription of subscriptions) subscription.close();
      return counts;
    };
    const [, ...paced] = perSecond('rate-limited: slow down');
    expect(Math.max(...paced)).toBeLessThanOrEqual(2);
    expect(paced.reduce((sum, count) => sum + count)).toBeGreaterThan(0);
    expect(pool.status()[relay.url]).toBe('connected');
    clock.advance(5 * MINUTE);
    const [, ...others] = perSecond('error: not now');
    expect(Math.max(...others)).toBeGreaterThan(5);
  });
});

test('an event that is sent five thousand times is verified once, and delivered once', async () => {
  let verified = 0;
  const counting: Verifier = {
    name: 'counting',
    batchMax: 1,
    parallel: 1,
    verify: (events) => {
      verified += events.length;
      return events.map(() => true);
    },
  };
  let times = 0;
  /** A way there on which every event becomes as many. */
  const repeating = handingOn((frame, handOn) => {
    const isEvent = String(frame).startsWith('["EVENT"');
    for (let count = isEvent ? 5_000 : 1; count > 0; count -= 1) handOn(frame);
    times += isEvent ? 5_000 : 0;
  });
  const { clock, relays, pool, put, ids, onEvent } = readingWorld(1, { verifier: counting }, repeating);
  pool.subscribe({ kinds: [1] }, { onEvent });
  clock.advance(SECOND);
  const { id } = put(...relays);
  clock.advance(SECOND);
  expect([ids(), verified, times]).toEqual([[id], 1, 5_000]);
});

describe('a question', () => {
  test.each(['silent', 'stopped'])('is answered in time by a relay that is %s', async (how) => {
    const { clock, relays, pool } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    if (how === 'stopped') relay.stop();
    else relay.set({ silent: true });
    const asking = Promise.all([
      pool.query({ kinds: [1] }, { timeoutMs: 3 * SECOND }),
      pool.get({ kinds: [1] }, { timeoutMs: 3 * SECOND }),
      pool.count({ kinds: [1] }, { timeoutMs: 3 * SECOND }),
    ]);
    clock.advance(3 * SECOND);
    const [queried, got, counted] = await asking;
    expect(queried).toMatchObject({ complete: false, events: [] });
    expect(got).toBeUndefined();
    expect(counted).toMatchObject({ complete: false, count: undefined, counts: {} });
  });
});

describe('a reader that does not keep up', () => {
  test('ends its subscription, and gets what had come before', async () => {
    const { clock, relays, pool, put } = readingWorld(1);
    const ends: unknown[] = [];
    const subscription = pool.subscribe({ kinds: [1] }, { bufferMax: 3, onClosed: (cause) => ends.push(cause) });
    clock.advance(SECOND);
    const kept = Array.from({ length: 4 }, () => put(...relays)).slice(0, 3);
    clock.advance(SECOND);
    expect(ends).toEqual(['buffer-full']);
    const read: NostrEvent[] = [];
    const reading = async (): Promise<void> => {
      for await (const { event } of subscription) read.push(event);
    };
    await expect(reading()).rejects.toMatchObject({ code: 'BUFFER_FULL' });
    expect(read).toEqual(kept);
  });

  test('loses the oldest where that was agreed, and they are counted', async () => {
    const { clock, relays, pool, put } = readingWorld(1);
    const subscription = pool.subscribe({ kinds: [1] }, { bufferMax: 3, whenFull: 'drop-oldest' });
    clock.advance(SECOND);
    const events = Array.from({ length: 5 }, () => put(...relays));
    clock.advance(SECOND);
    expect([subscription.dropped, subscription.isClosed]).toEqual([2, false]);
    const read: NostrEvent[] = [];
    for await (const { event } of subscription) {
      read.push(event);
      if (read.length === 3) break;
    }
    expect(read).toEqual(events.slice(2));
    expect(subscription.isClosed).toBe(true);
  });
});

describe('a relay that forges more than anybody has time for', () => {
  test.each([
    ['before', 1],
    ['after', 400],
  ])('does not hold a question up: it is known for that %s the time is up', async (_when, verifyMs) => {
    const judge = (events: readonly unknown[]) => (events as NostrEvent[]).map(({ sig }) => sig === template.sig);
    const verifier: Verifier = {
      name: 'slow',
      batchMax: 100,
      parallel: 1,
      verify: (events) => new Promise((resolve) => clock.setTimeout(() => resolve(judge(events)), verifyMs)),
    };
    const { clock, relays, pool, put } = readingWorld(2, { verifier });
    const [honest, forging] = relays as [SimulatedRelay, SimulatedRelay];
    const genuine = put(honest);
    // As much as does not open its circuit, but takes time.
    for (let count = 0; count < 800; count += 1) put(forging);
    forging.set({ poison: 0.2 });
    let answer: { readonly complete: boolean; readonly events: readonly NostrEvent[] } | undefined;
    void pool.query({ kinds: [1] }, { timeoutMs: SECOND }).then((answered) => {
      answer = answered;
    });
    for (let ms = 0; ms < 4 * SECOND && !answer; ms += 10) {
      clock.advance(10);
      for (let promise = 0; promise < 5; promise += 1) await null;
    }
    expect(answer?.complete).toBe(false);
    expect(answer?.events).toContainEqual(genuine);
  });
});

describe('versions', () => {
  test('only what is newer than what has come is brought, unless all are asked for', async () => {
    const { clock, relays, pool, event, received } = readingWorld(2);
    const [a, b] = relays as [SimulatedRelay, SimulatedRelay];
    const at = (seconds: number, id: string) =>
      event({ kind: 0, id: id.repeat(64), created_at: BEGINNING / 1_000 + seconds });
    const all: Received[] = [];
    pool.subscribe({ kinds: [0] }, { onEvent: (each) => received.push(each) });
    pool.subscribe({ kinds: [0] }, { onEvent: (each) => all.push(each), versions: 'all' });
    clock.advance(SECOND);
    const [older, newer, equal] = [at(1, 'b'), at(2, 'c'), at(2, 'a')];
    for (const [relay, each] of [
      [a, newer],
      [b, older],
      [b, equal],
      [b, newer],
    ] as const) {
      relay.publish(each);
      clock.advance(SECOND);
    }
    expect(received.map((each) => each.event.id)).toEqual([newer.id, equal.id]);
    expect(all.map((each) => each.event.id)).toEqual([newer.id, older.id, equal.id]);
    const asked = pool.query({ kinds: [0] });
    const newest = pool.get({ kinds: [0] });
    clock.advance(SECOND);
    expect((await asked).events).toEqual([equal]);
    expect(await newest).toEqual(equal);
  });
});

describe('as actors', () => {
  test('a subscription by an event answers to whoever asked, and one of the same name takes its place', () => {
    const { clock, relays, parts, put } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    put(relay);
    const heard: string[] = [];
    const pool = createActor(providePoolMachine(parts), { input: { relays: [relay.url] }, clock }).start();
    const listener = createActor(
      setup({ actors: { hear: fromCallback(() => {}) } }).createMachine({
        on: { '*': { actions: ({ event }) => void heard.push(event.type) } },
      }),
    ).start();
    clock.advance(SECOND);
    const subscribe = (filters: unknown) =>
      pool.send({ type: 'SUBSCRIBE', id: 'mine', filters, replyTo: listener as never });
    subscribe({ kinds: [1] });
    clock.advance(SECOND);
    expect(heard.filter((type) => type !== 'subscription.status-changed')).toEqual([
      'subscription.accepted',
      'subscription.event',
      'subscription.eose',
    ]);
    subscribe({ kinds: [2] });
    clock.advance(SECOND);
    expect(heard).toContain('subscription.closed');
    subscribe({ kinds: 'x' });
    expect(heard.at(-1)).toBe('subscription.refused');
    pool.send({ type: 'UNSUBSCRIBE', id: 'mine' });
    pool.send({ type: 'UNSUBSCRIBE', id: 'nobody' });
    expect(heard.at(-1)).toBe('subscription.closed');
    pool.send({ type: 'STOP' });
    clock.advance(MINUTE);
  });
});
