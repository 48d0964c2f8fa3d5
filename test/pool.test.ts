import { describe, expect, test } from 'vitest';
import { assign, createActor, setup } from 'xstate';
import {
  createPool,
  type Frame,
  type NostrEvent,
  poolMachine,
  providePoolMachine,
  type Transport,
  type TransportHandlers,
} from '../src/index.ts';
import { signedEvents, type VirtualClock } from '../src/testing/index.ts';
import type { MemoryRelay } from './kit/memory-relay.ts';
import { readingWorld, SECOND } from './kit/reading-world.ts';
import { startRelays } from './kit/relays.ts';
import { world } from './kit/world.ts';

const events = signedEvents();
const next = () => events.next().value;
const MINUTE = 60_000;

describe('a pool', () => {
  test('keeps what it accepted through an outage of a minute, says so, and delivers it on recovery', async () => {
    const { clock, relays, pool, types } = world(3);
    clock.advance(10);
    for (const relay of relays) relay.stop();
    clock.advance(10);
    expect(types()).toContain('pool.stranded');
    const early = Array.from({ length: 10 }, () => pool.publish(next(), { quorum: 2, timeoutMs: 20_000 }));
    clock.advance(MINUTE);
    const receipts = await Promise.all(early);
    expect(new Set(receipts.map(({ status }) => status))).toEqual(new Set(['pending']));
    for (const relay of relays) relay.start();
    clock.advance(3 * MINUTE);
    const confirmed = await Promise.all(receipts.map((receipt) => receipt.confirmed()));
    expect(new Set(confirmed.map(({ status }) => status))).toEqual(new Set(['confirmed']));
    expect(types()).toContain('pool.recovered');
    for (const relay of relays) expect(relay.stored.size).toBe(10);
    for (const relay of relays) expect(relay.openMost).toBe(1);
    void pool.close();
    clock.advance(MINUTE);
    await pool.close();
    expect(clock.pending).toBe(0);
  });

  /** A pool at one relay whose messages are handed on in another way. */
  const handingOn = (pass: (handlers: TransportHandlers, frame: Frame, clock: VirtualClock) => void) => {
    const { clock, network, relays, parts } = world(1);
    const [relay] = relays as [MemoryRelay];
    const transport: Transport = {
      name: 'handing on',
      open: (url, options, handlers) =>
        network.transport.open(url, options, { ...handlers, onFrame: (frame) => pass(handlers, frame, clock) }),
    };
    const pool = createPool({ ...parts, transport, relays: [relay.url] });
    clock.advance(10);
    return { clock, relay, pool };
  };

  test('counts an answer from when its bytes arrived, however late it is looked at', async () => {
    const LATE_MS = 20;
    const { clock, relay, pool } = handingOn((handlers, frame, late) => {
      handlers.onRead?.();
      late.setTimeout(() => handlers.onFrame(frame), LATE_MS);
    });
    const publishing = pool.publish(next());
    clock.advance(MINUTE);
    expect(await publishing).toMatchObject({ status: 'confirmed' });
    expect(pool.relayMetrics(relay.url)?.latencyMs).toBeLessThan(LATE_MS / 2);
    void pool.close({ drainMs: 0 });
    clock.advance(MINUTE);
  });

  test('dates no answer before what it answers', async () => {
    let isRead = false;
    const { clock, relay, pool } = handingOn((handlers, frame) => {
      if (!isRead) handlers.onRead?.();
      isRead = true;
      handlers.onFrame(frame);
    });
    relay.delayMs = 5;
    for (let count = 0; count < 3; count += 1) {
      const publishing = pool.publish(next());
      clock.advance(MINUTE);
      const { outcomes, first } = await publishing;
      expect(first?.latencyMs).toBeGreaterThanOrEqual(relay.delayMs);
      expect(outcomes[relay.url]).toMatchObject({ status: 'accepted' });
    }
    void pool.close({ drainMs: 0 });
    clock.advance(MINUTE);
  });

  test('puts no relay aside for settings alone, however many trip by them at one time', async () => {
    const { clock, relays, pool } = readingWorld(4, { breaker: { failureThreshold: 20 } });
    // Three messages that are none count as one failed call.
    for (const relay of relays) relay.set({ babble: true });
    const failing = Array.from({ length: 12 }, () => pool.publish(next(), { timeoutMs: SECOND }));
    clock.advance(SECOND);
    await Promise.all(failing);
    const states = (): readonly string[] => Object.values(pool.status());
    expect(states()).not.toContain('open-circuit');
    pool.configure({ breaker: { failureThreshold: 2 } });
    clock.advance(1);
    expect(states().filter((state) => state === 'open-circuit')).toHaveLength(0);
    expect(states()).toContain('degraded');
    void pool.close({ drainMs: 0 });
    clock.advance(MINUTE);
  });

  test('leaves no timer behind, however it was left', async () => {
    const { clock, relays, pool } = world(2);
    clock.advance(10);
    relays[0]?.stop();
    for (let index = 0; index < 5; index += 1) void pool.publish(next(), { quorum: 2 });
    clock.advance(100);
    const closed = pool.close({ drainMs: 0 });
    clock.advance(5_000);
    await closed;
    expect(clock.pending).toBe(0);
    expect(relays[1]?.peers.size).toBe(0);
  });

  test('tells every caller when it closes over what is open', async () => {
    const { clock, relays, pool } = world(1);
    answering(relays[0], () => undefined);
    clock.advance(10);
    const publishing = pool.publish(next());
    const closed = pool.close({ drainMs: 1_000 });
    const late = pool.publish(next());
    expect(await late).toMatchObject({ status: 'refused', cause: 'closing' });
    clock.advance(5_000);
    expect(await publishing).toMatchObject({ status: 'failed', cause: 'closed' });
    await closed;
  });

  test('gives a relay that was healthy for long the short waits again', () => {
    const { clock, relays, pool } = world(1);
    const [relay] = relays;
    const url = relay?.url ?? '';
    relay?.stop();
    clock.advance(10_000);
    expect(pool.metrics().relays[url]?.retryCount).toBeGreaterThan(2);
    relay?.start();
    clock.advance(5 * MINUTE);
    expect(pool.metrics().relays[url]).toMatchObject({ status: 'connected', retryCount: 0, circuit: 'closed' });
  });

  test('replaces a relay actor that throws, within a limit, and takes nobody down', () => {
    const { clock, relays, pool, types } = world(2);
    clock.advance(10);
    const [url, other] = relays.map((relay) => relay.url) as [string, string];
    const crash = (): void => {
      // The chart cannot decide anything without its settings.
      pool.actor.getSnapshot().children[`relay:${url}`]?.send({ type: 'CONFIGURE', settings: null } as never);
      clock.advance(2_000);
    };
    crash();
    expect(types().filter((type) => type === 'relay.restarted')).toHaveLength(1);
    expect(pool.status()).toEqual({ [url]: 'connected', [other]: 'connected' });
    expect(relays[0]?.openMost).toBe(1);
    expect(pool.metrics().relays[url]).toMatchObject({ restarts: 1 });
    for (let index = 0; index < 4; index += 1) crash();
    expect(types().filter((type) => type === 'relay.restarted')).toHaveLength(3);
    expect(types()).toContain('relay.abandoned');
    expect(pool.status()).toEqual({ [url]: 'stopped', [other]: 'connected' });
    expect(relays[0]?.peers.size).toBe(0);
    pool.removeRelay(url);
    pool.addRelay(url);
    clock.advance(1_000);
    expect(pool.status()[url]).toBe('connected');
  });

  test('draws from nothing but its own clock and dice: the same seed tells the same story', () => {
    const story = () => {
      const { clock, relays, facts } = world(3);
      clock.advance(5_000);
      relays[1]?.stop();
      clock.advance(MINUTE);
      relays[1]?.start();
      clock.advance(MINUTE);
      return JSON.stringify(facts);
    };
    expect(story()).toBe(story());
    expect(story().length).toBeGreaterThan(1_000);
  });

  test('survives listeners that throw', async () => {
    const { clock, pool } = world(1);
    const thrown: unknown[] = [];
    const note = (error: unknown): void => {
      thrown.push(error);
    };
    process.on('uncaughtException', note);
    pool.on('publication.confirmed', () => {
      throw new Error('mine');
    });
    clock.advance(10);
    const publishing = pool.publish(next());
    clock.advance(10);
    expect(await publishing).toMatchObject({ status: 'confirmed' });
    await new Promise((resolve) => setImmediate(resolve));
    process.off('uncaughtException', note);
    expect(thrown).toEqual([new Error('mine')]);
  });

  test('that was put to a wrong use says so in facts where nobody can catch', () => {
    const { pool, facts } = world(1);
    pool.actor.send({ type: 'ADD_RELAY', url: 'ws://10.0.0.1' });
    pool.actor.send({ type: 'PUBLISH', event: { id: 'x' } });
    expect(facts.filter(({ type }) => /refused/.test(type))).toMatchObject([
      { type: 'pool.command-refused', command: 'ADD_RELAY', problem: expect.stringContaining('private address') },
      { type: 'publication.refused', cause: 'invalid', problem: expect.stringContaining('not a signed Nostr event') },
    ]);
    expect(() => createPool({ relays: ['http://x'] })).toThrow(expect.objectContaining({ code: 'INVALID_URL' }));
    expect(() => createPool({ publish: { window: 0 } })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  test('publishes nothing without a relay', async () => {
    const { pool } = world(0);
    await expect(pool.publish(next())).rejects.toMatchObject({ code: 'NO_RELAYS' });
  });
});

/** Takes a relay's answers away, or replaces them. */
function answering(relay: MemoryRelay | undefined, answer: (id: string) => unknown[] | undefined): void {
  if (!relay) return;
  relay.answer = answer;
}

describe('the books', () => {
  const settle = async (clock: VirtualClock, ms: number): Promise<void> => {
    clock.advance(ms);
    await Promise.resolve();
  };

  test('count a relay that refused and then left once', async () => {
    const { clock, relays, pool } = world(3);
    answering(relays[0], (id) => ['OK', id, false, 'blocked: no']);
    for (const relay of relays.slice(1)) answering(relay, () => undefined);
    clock.advance(10);
    const publishing = pool.publish(next(), { quorum: 2 });
    clock.advance(10);
    pool.removeRelay(relays[0]?.url ?? '');
    clock.advance(10);
    for (const relay of relays.slice(1)) answering(relay, (id) => ['OK', id, true, '']);
    clock.advance(20_000);
    expect(await publishing).toMatchObject({ status: 'confirmed', accepted: 2 });
  });

  test('count a host that left and came back once', async () => {
    const { clock, relays, pool } = world(2);
    const [a, b] = relays;
    answering(b, () => undefined);
    clock.advance(10);
    const event = next();
    const first = pool.publish(event, { quorum: 2, timeoutMs: 5_000 });
    clock.advance(10);
    pool.removeRelay(a?.url ?? '');
    clock.advance(100);
    pool.addRelay(a?.url ?? '');
    clock.advance(100);
    const second = pool.publish(event, { quorum: 2, timeoutMs: 5_000 });
    clock.advance(6_000);
    expect(await first).toMatchObject({ status: 'partly-confirmed', accepted: 1 });
    expect(await second).toMatchObject({ status: 'partly-confirmed', accepted: 1 });
  });

  test('tell a caller who wants more than can be had, and nobody else', async () => {
    const { clock, relays, pool } = world(3);
    for (const relay of relays.slice(0, 2)) answering(relay, (id) => ['OK', id, false, 'blocked: no']);
    answering(relays[2], () => undefined);
    clock.advance(10);
    const event = next();
    const modest = pool.publish(event);
    clock.advance(10);
    expect(await pool.publish(event, { quorum: 'all' })).toMatchObject({ status: 'failed', cause: 'rejected' });
    const heard: string[] = [];
    pool.actor.on('publication.failed', ({ id }) => heard.push(id));
    pool.actor.send({ type: 'PUBLISH', event, options: { quorum: 'all' } });
    expect(heard).toEqual([event.id]);
    answering(relays[2], (id) => ['OK', id, true, '']);
    clock.advance(10_000);
    expect(await modest).toMatchObject({ status: 'confirmed' });
  });

  test('ask the relay that is left when one leaves and another is silent', async () => {
    const { clock, relays, pool } = world(3);
    for (const relay of relays) answering(relay, () => undefined);
    clock.advance(10);
    const publishing = pool.publish(next(), { relays: 1 });
    const asked = () => relays.filter((relay) => relay.seen.size > 0);
    clock.advance(10);
    expect(asked()).toHaveLength(1);
    pool.removeRelay(asked()[0]?.url ?? '');
    clock.advance(20_000);
    expect(asked()).toHaveLength(3);
    for (const relay of relays) answering(relay, (id) => ['OK', id, true, '']);
    clock.advance(60_000);
    expect((await publishing).status).toMatch(/pending|confirmed/);
    expect(pool.metrics().openPublications).toBe(0);
  });

  test('go back to a relay that was passed over once it serves', async () => {
    const { clock, relays, pool } = world(2, { connect: false });
    // The second is asked first, and passed over because it is not connected.
    const [b, a] = relays;
    answering(b, () => undefined);
    const publishing = pool.publish(next(), { relays: 1 });
    pool.connect(b?.url);
    clock.advance(100);
    // It comes up while the other is being waited for, and is not needed yet.
    pool.connect(a?.url);
    clock.advance(100);
    expect(a?.seen.size).toBe(0);
    clock.advance(20_000);
    expect(await publishing).toMatchObject({ status: 'confirmed', first: { relay: a?.url } });
  });

  test('send again what a lost socket had not answered, in its order, before what is new', async () => {
    const { clock, relays, pool } = world(1);
    const [relay] = relays;
    answering(relay, () => undefined);
    clock.advance(10);
    const old = Array.from({ length: 3 }, () => next());
    const publishing = old.map((event) => pool.publish(event));
    clock.advance(10);
    expect(relay?.seen.size).toBe(3);
    relay?.stop();
    clock.advance(10);
    const fresh = next();
    publishing.push(pool.publish(fresh));
    const order: string[] = [];
    answering(relay, (id) => {
      order.push(id);
      return ['OK', id, true, ''];
    });
    relay?.start();
    clock.advance(20_000);
    expect(order).toEqual([...old, fresh].map(({ id }) => id));
    expect((await Promise.all(publishing)).map(({ status }) => status)).toEqual(Array(4).fill('confirmed'));
  });

  test('go back to a relay that was passed over when the other one leaves', async () => {
    const { clock, relays, pool } = world(2, { connect: false });
    const [b, a] = relays;
    answering(b, () => undefined);
    const publishing = pool.publish(next(), { relays: 1 });
    pool.connect(b?.url);
    clock.advance(100);
    pool.connect(a?.url);
    clock.advance(100);
    pool.removeRelay(b?.url ?? '');
    clock.advance(100);
    expect(await publishing).toMatchObject({ status: 'confirmed', first: { relay: a?.url } });
  });

  test('do not fill with what is confirmed while one relay stays away', async () => {
    const { clock, relays, pool, types } = world(2, { publish: { queueBytesMax: 2_048 } });
    relays[1]?.stop();
    clock.advance(10);
    for (let index = 0; index < 20; index += 1) {
      const publishing = pool.publish(next());
      clock.advance(10);
      expect(await publishing).toMatchObject({ status: 'confirmed' });
    }
    expect(pool.metrics().queueBytes).toBeLessThanOrEqual(2_048);
    expect(types().filter((type) => type === 'publication.completed').length).toBeGreaterThan(10);
  });

  test('stay right when a listener cancels what it is told about', async () => {
    const { clock, pool } = world(2, { publish: { publicationsMax: 2 } });
    pool.on('publication.acknowledged', ({ id }) => pool.cancel(id));
    clock.advance(10);
    for (let index = 0; index < 10; index += 1) {
      const publishing = pool.publish(next());
      clock.advance(10);
      expect((await publishing).status).not.toBe('refused');
    }
    expect(pool.metrics()).toMatchObject({ openPublications: 0, unconfirmedPublications: 0 });
  });

  test('give up what matters less, once, though its sender publishes it again at once', async () => {
    const { clock, pool, facts } = world(1, { connect: false, publish: { publicationsMax: 2 } });
    const low = [next(), next()];
    for (const event of low) void pool.publish(event, { priority: 'low' });
    for (const type of ['publication.failed', 'publication.completed'] as const) {
      pool.on(type, ({ id }) => {
        const event = low.find((each) => each.id === id);
        if (event) void pool.publish(event, { priority: 'low' });
      });
    }
    const urgent = pool.publish(next(), { priority: 'high', timeoutMs: 10 });
    clock.advance(20);
    expect(await urgent).toMatchObject({ status: 'pending' });
    expect(facts.filter((fact) => fact.type === 'publication.failed')).toMatchObject([{ cause: 'evicted' }]);
    expect(await pool.publish(next(), { priority: 'low' })).toMatchObject({ status: 'refused', cause: 'backpressure' });
    expect(pool.metrics().openPublications).toBe(2);
  });

  test('are given up the sooner the less they matter, but not before their callers have stopped waiting', async () => {
    const { clock, relays, pool, facts } = world(1);
    for (const relay of relays) relay.stop();
    const failed = () => facts.flatMap((fact) => (fact.type === 'publication.failed' ? [fact.id] : []));
    const [low, patient, normal, high, critical] = Array.from({ length: 5 }, next) as [
      NostrEvent,
      NostrEvent,
      NostrEvent,
      NostrEvent,
      NostrEvent,
    ];
    void pool.publish(low, { priority: 'low' });
    void pool.publish(patient, { priority: 'low', timeoutMs: 2 * MINUTE });
    void pool.publish(normal);
    void pool.publish(high, { priority: 'high' });
    void pool.publish(critical, { priority: 'critical' });
    clock.advance(MINUTE / 2 + 1);
    expect(failed()).toEqual([low.id]);
    clock.advance(2 * MINUTE);
    expect(failed()).toEqual([low.id, patient.id]);
    clock.advance(3 * MINUTE);
    expect(failed()).toEqual([low.id, patient.id, normal.id]);
    clock.advance(60 * MINUTE);
    for (const relay of relays) relay.start();
    clock.advance(10 * MINUTE);
    expect([...(relays[0]?.stored.keys() ?? [])].sort()).toEqual([high.id, critical.id].sort());
  });

  test('are not brought to relays that take no frame so large, and are refused where too many are left out', async () => {
    const { clock, pool, relays } = world(3);
    const [small, ...large] = relays as [MemoryRelay, MemoryRelay, MemoryRelay];
    clock.advance(10);
    pool.configureRelay(small.url, { frameBytesMax: 2_048 });
    const big = { ...next(), content: 'é'.repeat(20_000) };
    const publishing = pool.publish(big, { until: 'complete' });
    clock.advance(100);
    expect(Object.keys((await publishing).outcomes)).toEqual(large.map(({ url }) => url));
    expect(small.stored.size).toBe(0);
    const problem = { code: 'INVALID_EVENT', message: expect.stringContaining('2 of 3 hosts') };
    await expect(pool.publish({ ...big, id: 'f'.repeat(64) }, { quorum: 'all' })).rejects.toMatchObject(problem);
    await expect(pool.publish({ ...big, id: 'e'.repeat(64) }, { relays: [small.url] })).rejects.toMatchObject({
      code: 'INVALID_EVENT',
    });
    pool.configureRelay(small.url, { frameBytesMax: 100_000 });
    void pool.publish({ ...big, id: 'd'.repeat(64) }, { quorum: 'all' });
    clock.advance(100);
    expect(small.stored.size).toBe(1);
  });

  test('of low priority go the newest first once the oldest are late', async () => {
    const { clock, pool, relays } = world(1, { publish: { window: 1 } });
    clock.advance(10);
    const [relay] = relays as [MemoryRelay];
    relay.stop();
    clock.advance(10);
    const waiting = Array.from({ length: 6 }, next);
    for (const event of waiting) void pool.publish(event, { priority: 'low' });
    // Late by now, all of them; before, they would go in their order.
    clock.advance(20_000);
    relay.start();
    for (let step = 0; step < 20_000 && relay.stored.size < waiting.length; step += 1) clock.advance(1);
    expect([...relay.stored.keys()]).toEqual(waiting.map(({ id }) => id).reverse());
  });

  test('send the newest version, whatever listeners do in between', async () => {
    const { clock, pool, relays } = world(1);
    clock.advance(10);
    const version = (at: number, digit: string) => ({ ...next(), kind: 0, created_at: at, id: digit.repeat(64) });
    const [old, cancelled, older, newer] = [version(1, 'a'), version(2, 'b'), version(3, 'c'), version(4, 'd')];
    relays[0]?.stop();
    clock.advance(10);
    pool.on('publication.accepted', ({ id }) => {
      if (id === cancelled.id) pool.cancel(id);
      if (id === older.id) void pool.publish(newer);
    });
    void pool.publish(old);
    void pool.publish(cancelled);
    expect(pool.metrics().openPublications).toBe(1);
    const superseded = pool.publish(older);
    relays[0]?.start();
    clock.advance(MINUTE);
    expect(await superseded).toMatchObject({ status: 'failed', cause: 'superseded' });
    expect([...(relays[0]?.stored ?? [])]).toEqual([newer.id]);
  });

  test('count as open what a listener asks more of when it is confirmed', async () => {
    const { clock, pool, relays } = world(2);
    clock.advance(10);
    const [, silent] = relays;
    if (silent) silent.answer = () => undefined;
    const event = next();
    let asked = 0;
    pool.on('publication.confirmed', () => {
      asked += 1;
      if (asked === 1) void pool.publish(event, { quorum: 2 });
    });
    void pool.publish(event);
    clock.advance(10);
    expect(asked).toBe(1);
    expect(pool.metrics()).toMatchObject({ openPublications: 1, unconfirmedPublications: 1 });
  });

  test('answer a caller who joins in the caller’s own time', async () => {
    const { clock, relays, pool } = world(1);
    answering(relays[0], () => undefined);
    clock.advance(10);
    const event = next();
    void pool.publish(event);
    const joined = pool.publish(event, { timeoutMs: 1_000, expiresMs: 1_000 });
    await settle(clock, 1_000);
    expect(await joined).toMatchObject({ status: 'failed', cause: 'expired' });
  });

  test('follow a relay that is removed and added at once', async () => {
    const { clock, relays, pool } = world(1);
    clock.advance(10);
    const url = relays[0]?.url ?? '';
    pool.removeRelay(url);
    pool.addRelay(url);
    const publishing = pool.publish(next());
    clock.advance(5_000);
    expect(await publishing).toMatchObject({ status: 'confirmed' });
    expect(relays[0]?.openMost).toBe(1);
  });

  test('close as soon as nothing is on its way, though a relay is down', async () => {
    const { clock, relays, pool } = world(2);
    clock.advance(10);
    relays[1]?.stop();
    clock.advance(10);
    const publishing = pool.publish(next());
    const closing = pool.close();
    clock.advance(1_000);
    expect(await publishing).toMatchObject({ status: 'confirmed' });
    await closing;
    expect(clock.pending).toBe(0);
  });
});

describe('a connection, over a long time,', () => {
  test('obeys a Retry-After up to ten minutes, and is never dialled in a loop by a longer one', () => {
    const { clock, parts } = world(0);
    let dials = 0;
    const report = { code: 1006, reason: 'busy', httpStatus: 503, retryAfterMs: 3e9 };
    const transport = {
      name: 'busy',
      open: (_url: string, _options: unknown, handlers: { onClose(report: object): void }) => {
        dials += 1;
        clock.setTimeout(() => handlers.onClose(dials === 1 ? { ...report, httpStatus: 403 } : report), 1);
        return { bufferedBytes: 0, send: () => false, close: () => {}, terminate: () => {} };
      },
    };
    const pool = createPool({ ...parts, transport: transport as never, relays: ['wss://busy.example'] });
    clock.advance(60 * MINUTE);
    expect(dials).toBeGreaterThan(3);
    expect(dials).toBeLessThan(12);
    void pool.close();
  });

  test('degrades when its answers become slow, gets less to do, and recovers by itself', () => {
    const { clock, relays, pool, facts } = world(2);
    const [slow] = relays;
    const url = slow?.url ?? '';
    const publish = (count: number, copies: number): void => {
      for (let index = 0; index < count; index += 1) {
        void pool.publish(next(), { relays: copies });
        clock.advance(100);
      }
    };
    const told = () => facts.filter((fact) => 'url' in fact && fact.url === url).map(({ type }) => type);
    publish(40, 2);
    if (slow) slow.delayMs = 1_500;
    publish(40, 2);
    clock.advance(20_000);
    expect(pool.status()[url]).toBe('degraded');
    expect(told()).toContain('relay.degraded');
    const before = slow?.seen.size;
    publish(20, 1);
    expect(slow?.seen.size).toBe(before);
    clock.advance(MINUTE);
    expect(pool.status()[url]).toBe('degraded');
    if (slow) slow.delayMs = 0;
    clock.advance(MINUTE);
    expect(pool.status()[url]).toBe('connected');
    expect(told()).toContain('relay.recovered');
  });

  test('forgets failures of long ago', () => {
    const { clock, relays, pool, types } = world(1);
    const [relay] = relays;
    relay?.stop();
    while ((pool.metrics().relays[relay?.url ?? '']?.connectionAttempts ?? 0) < 4) clock.advance(100);
    relay?.start();
    for (let index = 0; index < 20; index += 1) {
      clock.advance(MINUTE);
      void pool.publish(next());
    }
    relay?.stop();
    clock.advance(1_500);
    expect(types()).not.toContain('relay.circuit-opened');
  });

  test('is not punished for requests to close and open that came while it rested', () => {
    const { clock, relays, pool, facts } = world(1);
    relays[0]?.stop();
    const opened = () => facts.filter(({ type }) => type === 'relay.circuit-opened');
    while (opened().length < 2) clock.advance(100);
    const dials = pool.metrics().relays[relays[0]?.url ?? '']?.connectionAttempts;
    const before = pool.metrics().relays[relays[0]?.url ?? '']?.nextRetryAt;
    for (let index = 0; index < 5; index += 1) {
      pool.disconnect();
      pool.connect();
    }
    expect(opened()).toHaveLength(2);
    expect(pool.metrics().relays[relays[0]?.url ?? '']).toMatchObject({
      nextRetryAt: before,
      connectionAttempts: dials,
    });
  });
});

test('a pool whose own chart throws leaves nothing running', () => {
  const { clock, relays, pool } = world(1);
  clock.advance(10);
  pool.actor.send({
    type: 'relay.status-changed',
    get url(): never {
      throw new Error('broken');
    },
  } as never);
  clock.advance(10);
  expect(pool.actor.getSnapshot().status).toBe('error');
  expect(relays[0]?.peers.size).toBe(0);
});

describe('whatever the application does', () => {
  const hostile = {
    get id(): never {
      throw new Error('mine');
    },
  };

  test.each([
    ['an event that throws when it is read', { type: 'PUBLISH', event: hostile }],
    ['a reply address that is none', { type: 'PUBLISH', event: null, replyTo: {} }],
    [
      'options that throw when they are read',
      {
        type: 'ADD_RELAY',
        url: 'wss://x.example',
        options: {
          get stableMs() {
            throw new Error('mine');
          },
        },
      },
    ],
    ['a command without what it needs', { type: 'CONFIGURE' }],
    ['a relay that is not there', { type: 'CONFIGURE_RELAY', url: 'wss://nobody.example' }],
    ['no URL at all', { type: 'ADD_RELAY' }],
    ['an unknown command', { type: 'WHATEVER' }],
  ])('%s does not end the pool', (_what, command) => {
    const { clock, pool } = world(1);
    clock.advance(10);
    pool.actor.send(command as never);
    expect(pool.actor.getSnapshot().status).toBe('active');
    expect(Object.values(pool.status())).toEqual(['connected']);
  });

  test('its options stay its own', () => {
    const options = { reconnect: { initialDelayMs: 500 } };
    const { clock, relays, pool } = world(1);
    clock.advance(10);
    pool.addRelay('wss://other.example', options);
    pool.configureRelay(relays[0]?.url ?? '', options);
    clock.advance(10);
    expect(Object.isFrozen(options.reconnect)).toBe(false);
  });

  test('publishing an event that throws when it is read is refused with a reason', async () => {
    const { pool } = world(1);
    await expect(pool.publish(hostile)).rejects.toMatchObject({ code: 'INVALID_EVENT' });
    await expect(pool.publish(next(), { until: 'never' as never })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(pool.publish(next(), { signal: {} as never })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });
});

describe('the exported machine', () => {
  test('works as it stands', async () => {
    const relays = await startRelays(2);
    const input = { relays: relays.map((relay) => relay.url), options: { trust: { allowPrivate: true } } };
    const actor = createActor(poolMachine, { input }).start();
    const event = next();
    const confirmed = new Promise((resolve) => actor.on('publication.confirmed', resolve));
    actor.send({ type: 'PUBLISH', event, options: { quorum: 2 } });
    expect(await confirmed).toMatchObject({ id: event.id });
    const done = new Promise<void>((resolve) => actor.subscribe({ complete: resolve }));
    actor.send({ type: 'DRAIN' });
    await done;
    expect(relays.map((relay) => relay.open)).toEqual([0, 0]);
  });

  test('works as a child of another machine, answers to it, and ends with it', () => {
    const { clock, relays, parts } = world(1);
    const pool = providePoolMachine(parts);
    const application = setup({
      types: { context: {} as { confirmed: string[] }, events: {} as { type: string; id?: string; event?: unknown } },
      actors: { pool },
    }).createMachine({
      context: { confirmed: [] },
      invoke: { id: 'pool', src: 'pool', input: { relays: relays.map((relay) => relay.url) } },
      on: {
        SAY: {
          actions: ({ self, event }) => {
            self.getSnapshot().children.pool?.send({ type: 'PUBLISH', event: event.event, replyTo: self } as never);
          },
        },
        'publication.confirmed': {
          actions: assign({ confirmed: ({ context, event }) => [...context.confirmed, event.id ?? ''] }),
        },
      },
    });
    const actor = createActor(application, { clock }).start();
    clock.advance(10);
    const event = next();
    actor.send({ type: 'SAY', event });
    clock.advance(10);
    expect(actor.getSnapshot().context.confirmed).toEqual([event.id]);
    expect(relays[0]?.peers.size).toBe(2);
    actor.stop();
    clock.advance(10);
    expect(relays[0]?.peers.size).toBe(1);
  });
});
