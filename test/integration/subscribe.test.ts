import { describe, expect, test } from 'vitest';
import { type NostrEvent, type Received, RecloserError } from '../../src/index.ts';
import { signedEvents } from '../../src/testing/index.ts';
import { until, untilAt } from '../kit/facts.ts';
import { startPool, startRelays } from '../kit/relays.ts';

const events = signedEvents();
const next = (): NostrEvent => events.next().value;

describe('subscribing', () => {
  test('brings what is stored, says so, and goes on with what is new; each event once', async () => {
    const relays = await startRelays(3);
    const stored = [next(), next()];
    for (const relay of relays) for (const event of stored) relay.publish(event);
    const pool = startPool(relays);
    const received: Received[] = [];
    const ended = new Promise<boolean>((resolve) => {
      pool.subscribe({ kinds: [1] }, { onEvent: (each) => received.push(each), onEose: resolve });
    });
    expect(await ended).toBe(true);
    expect(received.map(({ event }) => event.id).sort()).toEqual(stored.map(({ id }) => id).sort());
    expect(received.every((each) => each.stored)).toBe(true);
    const fresh = next();
    for (const relay of relays) relay.publish(fresh);
    await until(pool, () => received.length === 3);
    expect(received[2]).toMatchObject({ event: fresh, stored: false });
  });

  test('as an async iterator', async () => {
    const relays = await startRelays(2);
    const stored = next();
    relays[1]?.publish(stored);
    const pool = startPool(relays);
    for await (const { event, relay } of pool.subscribe({ ids: [stored.id] })) {
      expect(event).toEqual(stored);
      expect(relay).toBe(relays[1]?.url);
      break;
    }
    for (const relay of relays) await untilAt(relay, () => relay.subscriptions === 0);
  });

  test('of a relay that is believed, an event comes once however it is written', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    const pool = startPool([relay], { verify: false });
    const received: Received[] = [];
    pool.subscribe({ kinds: [1] }, { onEvent: (each) => received.push(each) });
    const event = next();
    await untilAt(relay, () => relay.subscriptions === 1);
    relay.publish(event);
    relay.send(`["EVENT", "r1", ${JSON.stringify(event)}]`.replace('"id":"', '"id" : "'));
    const last = next();
    relay.publish(last);
    await until(pool, () => received.some((each) => each.event.id === last.id));
    expect(received.map((each) => each.event.id)).toEqual([event.id, last.id]);
  });

  test('more than a reader of a real relay can take is held up, and all of it comes', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    const stored = Array.from({ length: 40 }, next);
    for (const event of stored) relay.publish(event);
    const pool = startPool([relay], { subscribe: { backlogMax: 5 } });
    const received = new Set<string>();
    await new Promise((resolve) => {
      pool.subscribe({ kinds: [1] }, { onEvent: ({ event }) => received.add(event.id), onEose: resolve });
    });
    expect(received.size).toBe(40);
    expect((await pool.publish(next())).status).toBe('confirmed');
  });

  test('query, get and count', async () => {
    const relays = await startRelays(2);
    const stored = [next(), next(), next()];
    for (const event of stored) relays[0]?.publish(event);
    relays[1]?.publish(stored[0] as NostrEvent);
    const pool = startPool(relays);
    const result = await pool.query({ kinds: [1] });
    expect(result.complete).toBe(true);
    expect(result.events).toHaveLength(3);
    expect(await pool.get({ ids: [stored[1]?.id ?? ''] })).toEqual(stored[1]);
    expect(await pool.count({ kinds: [1] })).toMatchObject({ count: 3, complete: true });
    expect(relays.map((relay) => relay.subscriptions)).toEqual([0, 0]);
    expect(() => pool.subscribe({ kinds: 'all' } as never)).toThrow(RecloserError);
  });
});
