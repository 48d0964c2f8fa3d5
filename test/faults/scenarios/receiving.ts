import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getEventHash } from 'nostr-tools/pure';
import type { RelayFaults } from '../../../src/testing/index.ts';
import { Reader } from '../reader.ts';
import type { Scenario, Stage } from '../scenario.ts';

/** What a relay sends beside what it was asked for, and what must not come of it. */
const despite = (name: string, observe: string, spoil: Partial<RelayFaults>, general?: true): Scenario => ({
  name,
  observe: `${observe}; what is due comes once`,
  within: ({ slackMs }) => 2 * slackMs,
  ...(general ? { general } : {}),
  async run(stage) {
    const [spoilt, honest] = stage.relays;
    await spoilt.set(spoil);
    const reader = new Reader(stage);
    // What is spoilt comes before what is right, and other events come only from the relay that spoils them.
    for (let count = 0; count < 5; count += 1) await reader.put(spoilt, honest);
    for (let count = 0; count < 3; count += 1) await reader.put(spoilt);
    const subject = await stage.open([spoilt, honest]);
    subject.subscribe(reader.receive);
    await reader.caughtUp('what was stored');
    await reader.put(spoilt, honest);
    await reader.put(spoilt);
    await reader.caughtUp('what is new');
    await stage.pass(100);
    reader.check();
    for (const relay of [spoilt, honest]) {
      const { requests } = await relay.report();
      stage.check(requests.length === 1, `${requests.length} requests`);
    }
    return undefined;
  },
});

/** A pool that has asked a relay for events: what it has received, and the name that it was asked under. */
async function listening(stage: Stage) {
  const [relay] = stage.relays;
  const pool = stage.pool([relay]);
  const received: string[] = [];
  pool.subscribe({ kinds: [1] }, { onEvent: ({ event }) => received.push(event.id) });
  await stage.until('a request', async () => (await relay.report()).requests.length > 0);
  const [request = '[]'] = (await relay.report()).requests;
  const [, id] = JSON.parse(request) as [string, string];
  return { relay, pool, received, id };
}

/** Milliseconds; more than a go of verifying takes by far, on a machine that is busy with other things as well. */
const HELD_UP_MS_MAX = 500;

const frame = (name: string, event: unknown): string => JSON.stringify(['EVENT', name, event]);

/** Something is said to a live subscription; nothing may come of it but a count. */
const said = (
  name: string,
  observe: string,
  say: (stage: Stage, subscription: string) => readonly string[],
  fault: string,
): Scenario => ({
  name,
  observe,
  within: ({ slackMs }) => slackMs,
  async run(stage) {
    const [relay] = stage.relays;
    const pool = stage.pool([relay]);
    const reader = new Reader(stage);
    pool.subscribe({ kinds: [1] }, { onEvent: ({ event }) => reader.receive(event) });
    await reader.put(relay);
    await reader.caughtUp();
    const [request = '[]'] = (await relay.report()).requests;
    const [, id] = JSON.parse(request) as [string, string];
    const frames = say(stage, id);
    for (const each of frames) await relay.send(each);
    const counted = () => pool.metrics().relays[relay.url]?.faults[fault] ?? 0;
    await stage.until(`${frames.length} ${fault}`, () => counted() === frames.length);
    await reader.put(relay);
    await reader.caughtUp('what came after it');
    reader.check();
    return undefined;
  },
});

export const RECEIVING_SCENARIOS: readonly Scenario[] = [
  despite('a copy with a bad signature comes first', 'the genuine one is not held back by it', { poison: true }, true),
  despite('a copy with another content comes later', 'it is not delivered', { tamper: true }, true),
  despite('events that were not asked for', 'they are passed over', { unmatched: 0.5 }, true),
  despite('events from the far future', 'they are passed over, and deafen nobody', { ahead: 0.5 }),
  despite('events for subscriptions that there are not', 'they are passed over', { unknown: 0.3 }, true),
  despite('every event twice', 'delivered once', { repeatEvents: true }, true),
  despite('the end of what is stored is told twice', 'the second is ignored', { repeatEose: true }, true),
  despite('garbage in the middle of a stream', 'skipped', { babble: 0.2 }, true),
  {
    name: 'events from the far future, and then a gap',
    observe: 'what was missed is asked for by our own clock',
    within: ({ firstRetryMs, connectMs, slackMs }) => 8 * firstRetryMs + connectMs + 2 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      await relay.set({ ahead: true });
      const reader = new Reader(stage);
      await reader.put(relay);
      const subject = await stage.open([relay]);
      subject.subscribe(reader.receive);
      await reader.caughtUp();
      await relay.heal();
      relay.proxy.reset();
      await reader.put(relay);
      const tookMs = await stage.time(() => reader.caughtUp('what was missed'));
      reader.check();
      return tookMs;
    },
  },
  said(
    'an event whose tags are no list',
    'counted, and nothing else',
    (stage, id) => [frame(id, { ...stage.event(), tags: 'x' }), frame(id, { ...stage.event(), tags: [{}] })],
    'event-shape',
  ),
  said(
    'an event of an impossible time',
    'counted, and nothing else',
    (stage, id) => [frame(id, stage.event()).replace(/"created_at":\d+/, '"created_at":1e400')],
    'event-shape',
  ),
  said(
    'an event five thousand lists deep',
    'counted, and nothing else',
    (stage, id) => [frame(id, stage.event()).replace('"tags":[', `"tags":[${'['.repeat(5_000)}${']'.repeat(5_000)},`)],
    'event-shape',
  ),
  said(
    'the end of a subscription that there is not',
    'counted, and nothing else',
    () => ['["EOSE","nobody"]', '["CLOSED","nobody","error: what"]'],
    'unknown-subscription',
  ),
  said(
    'a count that nobody asked for',
    'counted',
    (_stage, id) => [`["COUNT","${id}",{"count":5}]`],
    'unexpected-count',
  ),
  said('a second end', 'counted', (_stage, id) => [`["EOSE","${id}"]`], 'repeated-end'),
  {
    name: 'an event with fields that there are not',
    observe: 'delivered with its seven fields, and nothing is poisoned by it',
    within: ({ slackMs }) => slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const pool = stage.pool([relay]);
      const received: object[] = [];
      pool.subscribe({ kinds: [1] }, { onEvent: ({ event }) => received.push(event) });
      await stage.until('a request', async () => (await relay.report()).requests.length > 0);
      const [request = '[]'] = (await relay.report()).requests;
      const [, id] = JSON.parse(request) as [string, string];
      const event = stage.event();
      const text = frame(id, { polluting: { polluted: 1 }, ...event, extra: 'x' });
      await relay.send(text.replace('"polluting"', '"__proto__"'));
      await stage.until('the event', () => received.length === 1);
      const [only] = received as [object];
      stage.check(Object.keys(only).length === 7, `it has ${Object.keys(only).join(', ')}`);
      stage.check(Object.getPrototypeOf(only) === Object.prototype, 'it has another prototype');
      stage.check(!('polluted' in {}), 'every object is polluted');
      stage.check(Object.isFrozen(only), 'it can be changed');
      return undefined;
    },
  },
  {
    name: 'ten thousand events that nobody asked for',
    observe: 'the relay is put aside for it',
    within: ({ slackMs }) => 2 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const pool = stage.pool([relay]);
      pool.subscribe({ kinds: [1] }, { onEvent: () => {} });
      await stage.until('a connection', () => pool.metrics().activeConnections === 1);
      const losses: string[] = [];
      pool.on('relay.status-changed', ({ status }) => losses.push(status));
      await relay.sendMany(frame('nobody', stage.event()), 10_000);
      await stage.until(
        'the end of its patience',
        () => losses.includes('open-circuit') || losses.includes('degraded'),
      );
      return undefined;
    },
  },
  {
    name: 'two thousand events that nobody signed',
    observe: 'none delivered, the relay charged, few verified, and nothing else held up by it',
    within: ({ slackMs }) => 4 * slackMs,
    async run(stage) {
      const { relay, pool, received, id } = await listening(stage);
      const event = stage.event();
      const forged = Array.from({ length: 2_000 }, (_, index) => {
        const content = `nobody said ${index}`;
        const one = { ...event, tags: event.tags.map((tag) => [...tag]), content };
        return frame(id, { ...one, id: getEventHash(one) });
      });
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      await relay.sendAll(forged);
      await stage.until('a charge', () => (pool.metrics().relays[relay.url]?.failures ?? 0) >= 5);
      await stage.until('consequences', () => !['connected', undefined].includes(pool.status()[relay.url]));
      delay.disable();
      // All of them would take seconds; in one go, nothing else would have its turn for as long.
      const heldUpMs = delay.max / 1e6;
      stage.check(heldUpMs < HELD_UP_MS_MAX, `other things were held up for ${heldUpMs.toFixed(0)} ms`);
      stage.check(pool.metrics().verifications <= 200, `${pool.metrics().verifications} were verified`);
      stage.check(received.length === 0, `${received.length} were delivered`);
      return undefined;
    },
  },
  {
    name: 'one forged event two thousand times',
    observe: 'the relay is charged for it, and it is not delivered',
    within: ({ slackMs }) => 4 * slackMs,
    async run(stage) {
      const { relay, pool, received, id } = await listening(stage);
      const event = stage.event();
      const forged = { ...event, sig: event.sig.slice(0, -1) + (event.sig.endsWith('0') ? '1' : '0') };
      const statuses: string[] = [];
      pool.on('relay.status-changed', ({ status }) => statuses.push(status));
      await relay.sendMany(frame(id, forged), 2_000);
      await stage.until('a charge', () => (pool.metrics().relays[relay.url]?.failures ?? 0) > 0);
      await stage.until('consequences', () => statuses.length > 0);
      stage.check(received.length === 0, `${received.length} were delivered`);
      return undefined;
    },
  },
  {
    name: 'a frame of twenty megabytes to a subscription',
    observe: 'the connection ends, comes back, and what was missed comes',
    within: ({ firstRetryMs, connectMs, slackMs }) => 8 * firstRetryMs + connectMs + 4 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const reader = new Reader(stage);
      const subject = await stage.open([relay]);
      subject.subscribe(reader.receive);
      await reader.put(relay);
      await reader.caughtUp();
      await relay.sendLarge(20 * 1024 * 1024);
      await reader.put(relay);
      const tookMs = await stage.time(() => reader.caughtUp());
      reader.check();
      return tookMs;
    },
  },
];
