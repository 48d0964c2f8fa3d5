import { describe, expect, test } from 'vitest';
import { BACKFILL } from '../machines/policy/limits.ts';
import { type NostrEvent, type NostrFilter, type Reconciler, textOf, type Verifier } from '../src/index.ts';
import { negentropy } from '../src/protocol/nostr/negentropy.ts';
import type { SimulatedRelay } from '../src/testing/index.ts';
import type { MemoryRelay } from './kit/memory-relay.ts';
import { believing, MINUTE, pingless, readingWorld, SECOND } from './kit/reading-world.ts';
import { world } from './kit/world.ts';

const DAY_SECONDS = 24 * 3_600;

/** A relay that cannot be reached for a while, and meanwhile gets what is dated back further than the overlap. */
function gap(
  filter: NostrFilter,
  {
    faults = {},
    verifier = believing,
    reconciler = negentropy,
    count = 3,
  }: { faults?: object; verifier?: Verifier; reconciler?: Reconciler; count?: number } = {},
) {
  const scene = readingWorld(1, { reconciler, verifier });
  const { clock, relays, pool, event, put, onEvent } = scene;
  const [relay] = relays as [SimulatedRelay];
  const before = [put(relay), put(relay)];
  const old = event({ created_at: Math.floor(clock.now() / 1_000) - 10 * DAY_SECONDS });
  relay.publish(old);
  pool.subscribe(filter, { onEvent });
  clock.advance(SECOND);
  relay.set(faults);
  relay.stop();
  clock.advance(MINUTE);
  const missed = Array.from({ length: count }, () =>
    event({ created_at: Math.floor(clock.now() / 1_000) - DAY_SECONDS }),
  );
  for (const each of missed) relay.publish(each);
  const recent = put(relay);
  const frames: unknown[][] = [];
  relay.received = (frame: string) => frames.push(JSON.parse(frame) as unknown[]);
  relay.listen();
  const again = (): void => {
    clock.advance(3 * MINUTE);
  };
  again();
  const verbs = (): unknown[] => frames.map(([verb]) => verb).filter((verb) => String(verb).startsWith('NEG'));
  return { ...scene, relay, before: [...before, old], missed, recent, frames, verbs, again };
}

const idsOf = (events: readonly NostrEvent[]): readonly string[] => events.map(({ id }) => id).sort();

describe('what was dated back while a relay could not be reached', () => {
  test('is found by comparing, and comes once', () => {
    const { before, missed, recent, ids, verbs, frames, pool, relay } = gap({ kinds: [1] });
    expect(ids().sort()).toEqual(idsOf([...before, ...missed, recent]));
    expect(verbs()).toEqual(['NEG-OPEN', 'NEG-MSG', 'NEG-CLOSE']);
    const opened = frames.find(([verb]) => verb === 'NEG-OPEN')?.[2];
    const asked = frames
      .map(([, , each]) => each as { since?: number } | undefined)
      .find((each) => each?.since !== undefined);
    expect(opened).toEqual({ kinds: [1], since: 0, until: asked?.since });
    const fetched = frames.filter(
      ([verb, name, each]) => verb === 'REQ' && !String(name).startsWith('probe') && (each as { ids?: string[] }).ids,
    );
    expect(fetched.map(([, , filter]) => (filter as { ids: string[] }).ids.toSorted())).toEqual([idsOf(missed)]);
    expect(pool.relayMetrics(relay.url)?.faults).toEqual({});
  });

  test('is asked for in parts where there is much of it', () => {
    const count = 2 * BACKFILL.idsPerRequest + 1;
    const { before, missed, recent, ids } = gap({ kinds: [1] }, { count });
    expect(missed).toHaveLength(count);
    expect(ids().sort()).toEqual(idsOf([...before, ...missed, recent]));
  });

  test('is looked for no further back than there was anything, where only so much was wanted', () => {
    const { missed, recent, ids, frames, before } = gap({ kinds: [1], limit: 2 });
    expect(ids().sort()).toEqual(idsOf([...before.slice(0, 2), recent]));
    expect(frames.some(([verb]) => verb === 'NEG-OPEN')).toBe(false);
    expect(missed).toHaveLength(3);
  });

  test('is left where it is by relays that do not know how, which are not asked again', () => {
    const { before, recent, ids, verbs, again, relay, clock } = gap(
      { kinds: [1] },
      { faults: { comparing: 'unknown' } },
    );
    expect(ids().sort()).toEqual(idsOf([...before, recent]));
    expect(verbs().filter((verb) => verb === 'NEG-OPEN')).toHaveLength(1);
    relay.cut();
    again();
    clock.advance(10 * MINUTE);
    expect(verbs().filter((verb) => verb === 'NEG-OPEN')).toHaveLength(1);
  });

  test.each(['refuse', 'nonsense', 'stall'] as const)(
    'is asked for again after the next gap by relays that %s',
    (how) => {
      const { before, missed, recent, ids, again, relay, pool } = gap({ kinds: [1] }, { faults: { comparing: how } });
      expect(ids().sort()).toEqual(idsOf([...before, recent]));
      const { faults = {} } = pool.relayMetrics(relay.url) ?? {};
      if (how === 'refuse') expect(faults).toEqual({ 'comparison-refused': 1 });
      if (how === 'nonsense') expect(faults).toEqual({ 'comparison-nonsense': 1 });
      relay.heal();
      relay.cut();
      again();
      expect(ids().sort()).toEqual(idsOf([...before, ...missed, recent]));
    },
  );

  test('is verified like everything else', () => {
    const forged = new Set<string>();
    const verifier: Verifier = {
      ...believing,
      verify: (events) =>
        (events as readonly NostrEvent[]).map(({ id, created_at }) => {
          if (created_at % 2 === 0) return true;
          forged.add(id);
          return false;
        }),
    };
    const { ids, missed, recent, before } = gap({ kinds: [1] }, { verifier });
    const genuine = [...before, ...missed, recent].filter(({ created_at }) => created_at % 2 === 0);
    expect(genuine.length).toBeGreaterThan(0);
    expect(forged.size).toBeGreaterThan(0);
    expect(ids().sort()).toEqual(idsOf(genuine));
  });

  test('is nothing that was not asked for, whatever the relay says that is missing', () => {
    const { ids, before, missed, recent, relay, event, again, pool } = gap(
      { kinds: [1] },
      { faults: { comparing: 'strangers' } },
    );
    relay.publish(event({ kind: 7, created_at: 1_600_000_000 }));
    relay.cut();
    again();
    expect(ids().sort()).toEqual(idsOf([...before, ...missed, recent]));
    expect(pool.relayMetrics(relay.url)?.faults).toEqual({ 'unmatched-event': 1 });
  });

  test('harms nobody where an application’s own way of comparing throws, or names what is no event', () => {
    const throwing: Reconciler = {
      name: 'throwing',
      begin: () => {
        throw new Error('no idea');
      },
    };
    const naming: Reconciler = {
      name: 'naming',
      begin: () => ({ opening: '61', missing: new Set(['no id']), next: () => undefined }),
    };
    for (const reconciler of [throwing, naming]) {
      const { before, recent, ids, verbs } = gap({ kinds: [1] }, { reconciler });
      expect(ids().sort()).toEqual(idsOf([...before, recent]));
      expect(verbs()).toEqual(reconciler === throwing ? [] : ['NEG-OPEN', 'NEG-CLOSE']);
    }
  });

  test('leaves nothing behind when the pool is closed in the middle of it', async () => {
    const { relay, clock, pool } = gap({ kinds: [1] }, { faults: { comparing: 'stall' } });
    relay.cut();
    for (let step = 0; step < 60_000 && clock.pending > 0; step += 50) clock.advance(50);
    const closed = pool.close({ drainMs: 0 });
    clock.advance(MINUTE);
    await closed;
    expect(clock.pending).toBe(0);
  });

  test('is not looked for any more for subscriptions that have ended, however many', () => {
    const many = 5_000;
    const scene = readingWorld(1, {
      reconciler: negentropy,
      subscribe: { subscriptionsMax: many },
      subscriptionsMax: many,
    });
    const { clock, relays, pool, put } = scene;
    const [relay] = relays as [SimulatedRelay];
    put(relay);
    const subscriptions = Array.from({ length: many }, () => pool.subscribe({ kinds: [1] }));
    clock.advance(SECOND);
    relay.set({ comparing: 'stall' });
    relay.cut();
    let compared = 0;
    relay.received = (frame: string) => {
      if (frame.startsWith('["NEG-OPEN"')) compared += 1;
    };
    while (compared === 0) clock.advance(100);
    for (const subscription of subscriptions) subscription.close();
    clock.advance(MINUTE);
    expect(compared).toBe(1);
    expect(pool.status()[relay.url]).toBe('connected');
  });

  test('may be unasked: a message about a comparison that nobody began is charged', () => {
    const { relays, clock, pool } = world(1, { reconciler: negentropy });
    const [relay] = relays as [MemoryRelay];
    clock.advance(SECOND);
    for (const frame of ['["NEG-MSG","c1","61"]', '["NEG-MSG","c1","xyz"]', '["NEG-MSG","c1",""]', '["NEG-ERR",5]']) {
      for (const peer of relay.peers) peer.send(frame);
    }
    clock.advance(SECOND);
    expect(pool.relayMetrics(relay.url)?.faults).toEqual({
      'unknown-comparison': 1,
      'comparison-message': 2,
      'comparison-name': 1,
    });
  });
});

describe('what a relay leaves out of its answer, because it sends only so many events at a time', () => {
  /** A relay that sends at most so many gets more than that while it cannot be reached. */
  function longGap(missedCount: number, storedMax: number, spacingMs = SECOND, scene = readingWorld(1)) {
    const { clock, relays, pool, put, onEvent } = scene;
    const [relay] = relays as [SimulatedRelay];
    put(relay);
    const subscription = pool.subscribe({ kinds: [1] }, { onEvent });
    clock.advance(SECOND);
    relay.stop();
    const missed = Array.from({ length: missedCount }, () => {
      clock.advance(spacingMs);
      return put(relay).id;
    });
    // Answers take their time, so that something can happen in between.
    relay.set({ storedMax, delayMs: 100 });
    relay.listen();
    return { ...scene, relay, subscription, missed };
  }

  test('is asked for page by page, and only then counts as served', () => {
    const { clock, ids, missed, relay, asked, subscription } = longGap(1_200, 500);
    let sawIncomplete = false;
    for (let step = 0; step < 6_000 && ids().length < 1_201; step += 1) {
      clock.advance(50);
      const standing = subscription.status()[relay.url];
      const isBack = standing?.state === 'live' && ids().length > 1;
      if (isBack && standing.isStoredComplete) expect(ids()).toHaveLength(1_201);
      sawIncomplete ||= isBack && ids().length < 1_201;
    }
    clock.advance(SECOND);
    expect(new Set(ids())).toEqual(new Set([...missed, ids()[0]]));
    expect(ids()).toHaveLength(1_201);
    expect(sawIncomplete).toBe(true);
    expect(subscription.status()[relay.url]?.isStoredComplete).toBe(true);
    // The first, the gap, and three pages: after one of two hundred there may be more, after one of a single event not.
    expect(asked).toHaveLength(5);
  });

  test('is asked for page by page also where its pages are small, and it says so', async () => {
    const read = async () => ({ limitation: { max_limit: 40 } });
    const scene = readingWorld(1, { information: { name: 'said', read } });
    scene.clock.advance(SECOND);
    await new Promise((resolve) => setImmediate(resolve));
    const { clock, ids } = longGap(100, 40, SECOND, scene);
    clock.advance(5 * MINUTE);
    expect(new Set(ids()).size).toBe(101);
  });

  test('is asked for again after the next gap where the connection was lost in between', () => {
    const { clock, ids, relay, missed } = longGap(600, 200, 5 * SECOND);
    while (ids().length < 201) clock.advance(10);
    expect(ids().length).toBeLessThan(601);
    relay.cut();
    clock.advance(5 * MINUTE);
    expect(new Set(ids())).toEqual(new Set([...missed, ids()[0]]));
    expect(ids()).toHaveLength(601);
  });

  test('is asked for again where its end has not come in time, less and less often', () => {
    const { clock, ids, relay, asked, subscription } = longGap(600, 200);
    while (ids().length < 201) clock.advance(10);
    const before = asked.length;
    relay.set({ swallowEose: true });
    clock.advance(2 * MINUTE);
    expect(ids().length).toBeLessThan(601);
    expect(subscription.status()[relay.url]?.isStoredComplete).toBe(false);
    // Each is waited for ten seconds, and what is between them doubles.
    expect(asked.length - before).toBeGreaterThan(4);
    expect(asked.length - before).toBeLessThan(9);
    relay.heal();
    relay.set({ storedMax: 200 });
    clock.advance(2 * MINUTE);
    expect(ids()).toHaveLength(601);
    expect(subscription.status()[relay.url]?.isStoredComplete).toBe(true);
  });

  test('leaves nothing behind when the pool is closed before it is asked for again', async () => {
    const { clock, ids, relay, asked, pool } = longGap(600, 200);
    while (ids().length < 201) clock.advance(10);
    relay.set({ swallowEose: true });
    const before = asked.length;
    while (asked.length < before + 4) clock.advance(100);
    // Ten seconds later it is late, and the next is to be asked for after two to four.
    clock.advance(11 * SECOND);
    const closed = pool.close({ drainMs: 0 });
    clock.advance(SECOND);
    await closed;
    expect(clock.pending).toBe(0);
  });

  test('holds nothing else up that is to be fetched from the relay', () => {
    const { clock, relays, pool, event, received } = readingWorld(1);
    const [relay] = relays as [SimulatedRelay];
    for (const kind of [1, 2]) {
      relay.publish(event({ kind }));
      pool.subscribe({ kinds: [kind] }, { onEvent: (each) => received.push(each) });
    }
    clock.advance(SECOND);
    relay.stop();
    for (let count = 0; count < 400; count += 1) {
      clock.advance(SECOND);
      for (const kind of [1, 2]) relay.publish(event({ kind }));
    }
    relay.set({ storedMax: 150, delayMs: 100 });
    relay.received = (frame: string) => {
      const [verb, , filter] = JSON.parse(frame) as [string, string, { kinds?: number[]; until?: number }];
      // The end of the pages of one of the two never comes.
      if (verb === 'REQ') relay.set({ swallowEose: filter.until !== undefined && filter.kinds?.[0] === 1 });
    };
    relay.listen();
    clock.advance(10 * MINUTE);
    expect(received.filter(({ event: { kind } }) => kind === 2)).toHaveLength(401);
    expect(received.filter(({ event: { kind } }) => kind === 1).length).toBeLessThan(401);
  });

  test('is not asked for again on the same connection where the relay will not send it', () => {
    const { clock, ids, relay, asked } = longGap(600, 200);
    while (ids().length < 201) clock.advance(10);
    relay.set({ closeWith: 'blocked: no more of that' });
    clock.advance(SECOND);
    const refused = asked.length;
    clock.advance(30 * MINUTE);
    expect(asked).toHaveLength(refused);
    expect(ids().length).toBeLessThan(601);
  });

  test('goes on where more than a page is of one second, without asking for it for ever', () => {
    const { clock, ids, asked } = longGap(300, 150, 0);
    clock.advance(5 * MINUTE);
    expect(ids().length).toBeGreaterThanOrEqual(150);
    expect(asked.length).toBeLessThan(6);
  });

  /** What is open at a relay, and the most that ever was. */
  function slotsAt(relay: SimulatedRelay) {
    const open = new Set<unknown>();
    const seen = { most: 0, probes: 0 };
    relay.received = (frame: string) => {
      const [verb, name] = JSON.parse(frame) as unknown[];
      if (verb === 'REQ') {
        open.add(name);
        if (String(name).startsWith('probe')) seen.probes += 1;
      } else if (verb === 'CLOSE') open.delete(name);
      seen.most = Math.max(seen.most, open.size);
    };
    return seen;
  }

  test('has room where all of a relay’s slots are taken', () => {
    const { clock, ids, relay, pool } = longGap(600, 200);
    const slots = slotsAt(relay);
    for (let index = 0; index < 30; index += 1) pool.subscribe({ kinds: [2] });
    clock.advance(5 * MINUTE);
    expect(ids()).toHaveLength(601);
    expect(slots.most).toBe(20);
  });

  test.each([
    ['is itself the question whether the relay lives, where that has no slot left', 100, 4 * SECOND],
    ['waits for its slot until that question is answered', 1_500, 1_500],
  ])('%s', (_says, delayMs, laterMs) => {
    const { clock, ids, relay, pool } = longGap(600, 200, SECOND, readingWorld(1, {}, pingless));
    relay.set({ delayMs });
    const slots = slotsAt(relay);
    for (let index = 0; index < 30; index += 1) pool.subscribe({ kinds: [2] });
    while (ids().length < 201) clock.advance(10);
    relay.set({ delayMs: laterMs });
    const { probes } = slots;
    clock.advance(5 * MINUTE);
    expect(slots.probes).toBeGreaterThan(probes);
    expect(ids()).toHaveLength(601);
    expect(slots.most).toBe(20);
  });

  test('does not wait for ever for a question that is never answered, while the relay speaks', () => {
    let swallowed = 0;
    let swallows = false;
    const scene = readingWorld(1, {}, (transport) => ({
      name: transport.name,
      open: (url, options, handlers) =>
        pingless(transport).open(url, options, {
          ...handlers,
          onFrame: (frame) => {
            const isAnswer = swallows && textOf(frame)?.startsWith('["EOSE","probe');
            if (isAnswer) swallowed += 1;
            else handlers.onFrame(frame);
          },
        }),
    }));
    const { clock, ids, relay, pool, event } = longGap(600, 200, SECOND, scene);
    relay.set({ delayMs: 1_500 });
    for (let index = 0; index < 30; index += 1) pool.subscribe({ kinds: [2] });
    while (ids().length < 201) clock.advance(10);
    swallows = true;
    for (let second = 0; second < 240; second += 1) {
      clock.advance(SECOND);
      relay.publish(event({ kind: 2 }));
    }
    expect(swallowed).toBeGreaterThan(0);
    expect(ids()).toHaveLength(601);
  });
});
