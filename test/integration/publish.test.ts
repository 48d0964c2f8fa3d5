import { describe, expect, test } from 'vitest';
import { RecloserError } from '../../src/index.ts';
import { signedEvents } from '../../src/testing/index.ts';
import { nextFact, until } from '../kit/facts.ts';
import { QUICK, startPool, startRelays } from '../kit/relays.ts';

const events = signedEvents();
const next = () => events.next().value;

describe('publishing', () => {
  test('brings an event to every relay, and tells the first answer, the quorum and the last outcome apart', async () => {
    const relays = await startRelays(3);
    relays[1]?.set({ delayMs: 40 });
    relays[2]?.set({ delayMs: 80 });
    const pool = startPool(relays);
    const event = next();
    const first = await pool.publish(event, { quorum: 2, until: 'first' });
    expect(first).toMatchObject({ id: event.id, status: 'partly-confirmed', accepted: 1, quorum: 2 });
    expect(first.first?.relay).toBe(relays[0]?.url);
    const quorum = await first.confirmed();
    expect(quorum).toMatchObject({ status: 'confirmed', accepted: 2 });
    expect(quorum.confirmedMs).toBeGreaterThanOrEqual(35);
    const last = await quorum.completed();
    expect(Object.values(last.outcomes).map(({ status }) => status)).toEqual(['accepted', 'accepted', 'accepted']);
    for (const relay of relays) expect([...relay.store.events.keys()]).toEqual([event.id]);
    expect(pool.metrics()).toMatchObject({ openPublications: 0, unconfirmedPublications: 0, queueBytes: 0 });
  });

  test('goes to one relay, to those named, or to as many as asked for', async () => {
    const relays = await startRelays(4);
    const pool = startPool(relays);
    await until(pool, () => pool.metrics().activeConnections === 4);
    const [a, b] = relays.map((relay) => relay.url) as [string, string];
    const one = await pool.publish(next(), { relays: [a], until: 'complete' });
    expect(Object.keys(one.outcomes)).toEqual([a]);
    const two = await pool.publish(next(), { relays: 2, quorum: 2, until: 'complete' });
    expect(Object.keys(two.outcomes)).toHaveLength(2);
    const some = await pool.publish(next(), { relays: { among: [a, b], copies: 1 }, until: 'complete' });
    expect(Object.keys(some.outcomes)).toHaveLength(1);
    const stored = relays.reduce((sum, relay) => sum + relay.store.events.size, 0);
    expect(stored).toBe(4);
  });

  test('by an event to the actor is the same thing', async () => {
    const relays = await startRelays(2);
    const pool = startPool(relays);
    const event = next();
    const heard: string[] = [];
    pool.actor.on('publication.confirmed', ({ id }) => heard.push(id));
    const completed = nextFact(pool, 'publication.completed', ({ id }) => id === event.id);
    pool.actor.send({ type: 'PUBLISH', event, options: { quorum: 2 } });
    expect(await completed).toMatchObject({ status: 'confirmed' });
    expect(heard).toEqual([event.id]);
    for (const relay of relays) expect(relay.store.events.has(event.id)).toBe(true);
  });

  test('of the same event twice at once sends it once, and each call has a receipt of its own', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    relay.set({ delayMs: 30 });
    let frames = 0;
    relay.events.on('frame', () => {
      frames += 1;
    });
    const pool = startPool([relay]);
    const event = next();
    const [one, two] = await Promise.all([pool.publish(event), pool.publish(event)]);
    expect(one).toMatchObject({ status: 'confirmed' });
    expect(two).toMatchObject({ status: 'confirmed', quorum: 1, accepted: 1, outcomes: one.outcomes });
    expect(frames).toBe(1);
  });

  test('a second caller who wants more relays and a larger quorum gets them', async () => {
    const relays = await startRelays(2);
    const pool = startPool(relays);
    const [a] = relays.map((relay) => relay.url) as [string];
    relays[0]?.set({ delayMs: 30 });
    const event = next();
    const small = pool.publish(event, { relays: [a] });
    const large = pool.publish(event, { quorum: 2 });
    expect(await large).toMatchObject({ status: 'confirmed', quorum: 2, accepted: 2 });
    expect(await small).toMatchObject({ status: 'confirmed' });
  });

  test.each([
    ['blocked: not you', 'blocked'],
    ['invalid: no', 'invalid'],
    ['pow: too little', 'pow'],
    ['restricted: members only', 'restricted'],
    ['auth-required: who are you', 'auth-required'],
    ['no reason at all', 'unspecified'],
  ])('a refusal with %s is final and told', async (text, prefix) => {
    const relays = await startRelays(2);
    relays[0]?.set({ refuseWith: text });
    const pool = startPool(relays);
    const [a] = relays.map((relay) => relay.url) as [string];
    const receipt = await pool.publish(next(), { until: 'complete' });
    expect(receipt.status).toBe('confirmed');
    expect(receipt.outcomes[a]).toMatchObject({ status: 'rejected', refusal: { prefix, text } });
    const alone = await pool.publish(next(), { relays: [a] });
    expect(alone).toMatchObject({ status: 'failed', cause: 'rejected' });
  });

  test('a passing refusal is tried again until it passes', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    relay.set({ refuseWith: 'rate-limited: slow down' });
    const pool = startPool([relay]);
    let refused = 0;
    relay.events.on('frame', (frame) => {
      if (!frame.startsWith('["EVENT"')) return;
      refused += 1;
      if (refused === 2) relay.set({ refuseWith: undefined });
    });
    const receipt = await pool.publish(next());
    expect(receipt).toMatchObject({ status: 'confirmed', confirmedMs: expect.any(Number) });
    expect(refused).toBe(2);
    // It asked for rest, and gets it; its circuit has nothing against it.
    expect(pool.status()[relay.url]).toBe('degraded');
    expect(pool.metrics().relays[relay.url]).toMatchObject({ circuit: 'closed', failures: 0 });
  });

  test('a passing refusal that does not pass is given up after its tries', async () => {
    const [relay] = await startRelays(1, { faults: { refuseWith: 'rate-limited: slow down' } });
    if (!relay) return;
    const pool = startPool([relay], { publish: { ...QUICK.publish, triesMax: 3 } });
    let tries = 0;
    relay.events.on('frame', (frame) => {
      if (frame.startsWith('["EVENT"')) tries += 1;
    });
    expect(await pool.publish(next())).toMatchObject({ status: 'failed', cause: 'rejected' });
    expect(tries).toBe(3);
  });

  test('"duplicate" counts as accepted', async () => {
    const [relay] = await startRelays(1, { faults: { refuseWith: 'duplicate: have it' } });
    if (!relay) return;
    const receipt = await startPool([relay]).publish(next());
    expect(receipt.outcomes[relay.url]).toMatchObject({ status: 'accepted', duplicate: true });
  });

  test('what one relay does not answer goes to another', async () => {
    const relays = await startRelays(2);
    const pool = startPool(relays);
    await until(pool, () => pool.metrics().activeConnections === 2);
    relays[0]?.set({ silent: true });
    const receipts = await Promise.all(Array.from({ length: 4 }, () => pool.publish(next(), { relays: 1 })));
    expect(receipts.map(({ status }) => status)).toEqual(Array(4).fill('confirmed'));
  });

  test('what was in flight on a cut socket goes elsewhere at once', async () => {
    const relays = await startRelays(2);
    const pool = startPool(relays, { publish: { ackTimeoutMs: 60_000 } });
    await until(pool, () => pool.metrics().activeConnections === 2);
    for (const relay of relays) relay.set({ delayMs: 30 });
    const publishing = Promise.all(Array.from({ length: 6 }, () => pool.publish(next(), { relays: 1 })));
    relays[0]?.cut();
    expect((await publishing).map(({ status }) => status)).toEqual(Array(6).fill('confirmed'));
    expect(relays[1]?.store.events.size).toBeGreaterThanOrEqual(3);
  });

  test('an answer that never comes leaves the outcome unknown, and a late one still counts', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    const pool = startPool([relay], { stableMs: 10_000 });
    await until(pool, () => pool.metrics().activeConnections === 1);
    relay.set({ delayMs: 400 });
    const receipt = await pool.publish(next(), { timeoutMs: 250 });
    expect(receipt.status).toBe('pending');
    expect(['unknown', 'sent']).toContain(receipt.outcomes[relay.url]?.status);
    expect(await receipt.confirmed()).toMatchObject({ status: 'confirmed' });
  });

  test('with nobody there is kept, said, and done on recovery', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    await relay.stop();
    const pool = startPool([relay]);
    await nextFact(pool, 'pool.stranded');
    const publishing = Promise.all(Array.from({ length: 5 }, () => pool.publish(next())));
    await nextFact(pool, 'relay.reconnecting');
    const recovered = nextFact(pool, 'pool.recovered');
    await relay.listen();
    expect((await publishing).map(({ status }) => status)).toEqual(Array(5).fill('confirmed'));
    await recovered;
    expect(relay.store.events.size).toBe(5);
  });

  test('gives up at its deadline, and sends nothing after it said so', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    await relay.stop();
    const pool = startPool([relay]);
    const receipt = await pool.publish(next(), { timeoutMs: 50, expiresMs: 50 });
    expect(receipt).toMatchObject({ status: 'failed', cause: 'expired' });
    const connected = nextFact(pool, 'relay.connected');
    await relay.listen();
    await connected;
    await pool.publish(next(), { until: 'complete' });
    expect(relay.store.events.has(receipt.id)).toBe(false);
  });

  test('is cancelled by a signal, and by nobody else’s', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    relay.set({ swallowAcks: true });
    const pool = startPool([relay]);
    const mine = new AbortController();
    const other = new AbortController();
    const event = next();
    const first = pool.publish(event, { signal: mine.signal });
    const second = pool.publish(event, { signal: other.signal });
    mine.abort();
    expect(await first).toMatchObject({ status: 'cancelled' });
    expect(pool.metrics().openPublications).toBe(1);
    other.abort();
    expect(await second).toMatchObject({ status: 'cancelled' });
    expect(pool.metrics().openPublications).toBe(0);
    const before = await pool.publish(next(), { signal: mine.signal });
    expect(before).toMatchObject({ status: 'cancelled', outcomes: {} });
  });

  test('refuses at the door when too much is open', async () => {
    const [relay] = await startRelays(1, { faults: { swallowAcks: true } });
    if (!relay) return;
    const pool = startPool([relay], { publish: { publicationsMax: 2 } });
    void pool.publish(next());
    void pool.publish(next());
    expect(await pool.publish(next())).toMatchObject({ status: 'refused', cause: 'backpressure' });
  });

  test('what is confirmed does not fill the books while one relay stays away', async () => {
    const relays = await startRelays(2);
    await relays[1]?.stop();
    const pool = startPool(relays, { publish: { publicationsMax: 3 } });
    const completed: string[] = [];
    pool.on('publication.completed', ({ id }) => completed.push(id));
    const ids: string[] = [];
    for (let index = 0; index < 8; index += 1) {
      const receipt = await pool.publish(next());
      expect(receipt.status).toBe('confirmed');
      ids.push(receipt.id);
    }
    expect(completed).toEqual(ids.slice(0, 5));
    expect(pool.metrics().openPublications).toBe(3);
  });

  test('counts two URLs of one host as one voice', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    const pool = startPool([relay]);
    pool.addRelay(`${relay.url}second`);
    await expect(pool.publish(next(), { quorum: 2 })).rejects.toMatchObject({ code: 'INVALID_QUORUM' });
    const receipt = await pool.publish(next(), { until: 'complete' });
    expect(receipt).toMatchObject({ accepted: 1 });
    expect(Object.keys(receipt.outcomes)).toHaveLength(2);
  });

  test('misuse is a typed error that says what to do', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    const pool = startPool([relay]);
    const cases: readonly [Promise<unknown>, string][] = [
      [pool.publish({}), 'INVALID_EVENT'],
      [pool.publish(null), 'INVALID_EVENT'],
      [pool.publish({ ...next(), content: 'x'.repeat(2 ** 20) }), 'INVALID_EVENT'],
      [pool.publish(next(), { quorum: 0 }), 'INVALID_QUORUM'],
      [pool.publish(next(), { quorum: 2 }), 'INVALID_QUORUM'],
      [pool.publish(next(), { relays: ['wss://nobody.example/'] }), 'NO_RELAYS'],
      [pool.publish(next(), { relays: 0 }), 'INVALID_OPTION'],
      [pool.publish(next(), { timeoutMs: Number.NaN }), 'INVALID_OPTION'],
    ];
    for (const [promise, code] of cases) {
      const error = await promise.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(RecloserError);
      expect(error).toMatchObject({ code });
    }
    expect(() => pool.addRelay('ftp://x')).toThrow(RecloserError);
    expect(() => pool.configure({ stableMs: -1 })).toThrow('stableMs is -1; give a number from 10 to 3600000.');
    await pool.close();
    await expect(pool.publish(next())).rejects.toMatchObject({ code: 'POOL_CLOSED' });
  });
});
