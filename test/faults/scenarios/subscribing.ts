import { negentropy } from '../../../src/protocol/nostr/negentropy.ts';
import { signedEvents } from '../../../src/testing/index.ts';
import { Reader } from '../reader.ts';
import type { RemoteRelay } from '../remote-relay.ts';
import type { Pace, Scenario, Stage } from '../scenario.ts';

/** Milliseconds until a relay that is there again has been dialled and asked, whatever stood in the way. */
const backAgain = ({ firstRetryMs, openMs, connectMs, slackMs }: Pace): number =>
  8 * firstRetryMs + 8 * openMs + connectMs + 2 * slackMs;

/** Until one that only ended a connection has been. */
const soonAgain = ({ firstRetryMs, slackMs }: Pace): number => 3 * firstRetryMs + slackMs;

/** Until one that was away for so long has been: waits grow with the time that it is away. */
const backAfter =
  (name: 'short' | 'long') =>
  ({ outageMs, openMs, connectMs, slackMs }: Pace): number =>
    2.5 * outageMs[name] + 4 * openMs + connectMs + 2 * slackMs;

/** The relay fails in some way; what is published there meanwhile and afterwards is due. */
const gap = (
  name: string,
  fail: (relay: RemoteRelay, stage: Stage) => Promise<void> | void,
  mend: (relay: RemoteRelay, stage: Stage) => Promise<void> | void = () => {},
  within: Scenario['within'] = backAgain,
): Scenario => ({
  name: `a subscription, and ${name}`,
  observe: 'what was published before, meanwhile and after comes once; one request a connection',
  general: true,
  within,
  async run(stage) {
    const [relay] = stage.relays;
    const reader = new Reader(stage);
    await reader.put(relay);
    const subject = await stage.open([relay]);
    subject.subscribe(reader.receive);
    await reader.caughtUp('what was stored');
    await fail(relay, stage);
    await reader.put(relay);
    await mend(relay, stage);
    await reader.put(relay);
    const tookMs = await stage.time(() => reader.caughtUp());
    const { requests } = await relay.report();
    stage.check(
      requests.length <= relay.proxy.dials,
      `${requests.length} requests in ${relay.proxy.dials} connections`,
    );
    reader.check();
    return tookMs;
  },
});

/** The relay is away for a while: connections are cut, and new ones refused. */
const outage = (name: 'short' | 'long'): Scenario =>
  gap(
    `${name === 'short' ? 'an outage of eight seconds' : 'an outage of a minute'}`,
    async (relay, stage) => {
      relay.proxy.set({ refuse: true });
      relay.proxy.reset();
      await stage.pass(stage.pace.outageMs[name]);
    },
    (relay) => relay.proxy.heal(),
    backAfter(name),
  );

/** While the relay is away, it gets an event that is a day old, which no overlap reaches. */
const datedBack: Scenario = {
  name: 'a subscription, and what was dated back by a day during an outage',
  observe: 'found by comparing (NIP-77), and comes once',
  within: backAfter('short'),
  async run(stage) {
    const [relay] = stage.relays;
    const reader = new Reader(stage);
    await reader.put(relay);
    const pool = stage.pool([relay], { reconciler: negentropy });
    pool.subscribe({ kinds: [1] }, { onEvent: ({ event }) => reader.receive(event) });
    await reader.caughtUp('what was stored');
    relay.proxy.set({ refuse: true });
    relay.proxy.reset();
    await reader.put(relay);
    const old = signedEvents('a day old', 24 * 3_600);
    for (const event of [old.next().value, old.next().value]) await reader.expect(event, relay);
    await stage.pass(stage.pace.outageMs.short);
    relay.proxy.heal();
    await reader.caughtUp();
    reader.check();
    return undefined;
  },
};

/** A relay closes what is asked for with these words. */
const closed = (
  text: string,
  observe: string,
  wanted: 'asked again' | 'asked once',
  state: 'resting' | 'refused',
): Scenario => ({
  name: `subscriptions are closed with "${text}"`,
  observe,
  within: ({ slackMs }) => 4 * slackMs,
  async run(stage) {
    const [relay] = stage.relays;
    await relay.set({ closeWith: text });
    const pool = stage.pool([relay], { subscribe: { retryDelayMs: 50, retryDelayMaxMs: 400 } });
    const reader = new Reader(stage);
    await reader.put(relay);
    const subscription = pool.subscribe({ kinds: [1] }, { onEvent: ({ event }) => reader.receive(event) });
    await stage.until('a refusal', () => subscription.status()[relay.url]?.refusal !== undefined);
    const standing = subscription.status()[relay.url];
    stage.check(standing?.state === state, `it is ${standing?.state}`);
    stage.check(standing?.refusal?.text === text, `it says ${standing?.refusal?.text}`);
    await stage.pass(600);
    const { requests } = await relay.report();
    stage.check(requests.length <= 12, `${requests.length} requests in 600 ms`);
    if (wanted === 'asked once') stage.check(requests.length === 1, `${requests.length} requests`);
    else await stage.until('another request', async () => (await relay.report()).requests.length > 1);
    if (wanted === 'asked once') {
      stage.check(subscription.isClosed, 'nobody serves it, and it is still open');
      return undefined;
    }
    await relay.heal();
    await reader.caughtUp();
    reader.check();
    return undefined;
  },
});

/** Thirty subscriptions are wanted of a relay that serves ten. */
const crowded = (name: string, byNotice: boolean): Scenario => ({
  name: `thirty subscriptions on a relay that serves ten, and says so by ${name}`,
  observe: 'ten are served, the others wait and say so, and are served when there is room',
  within: ({ slackMs }) => 8 * slackMs,
  async run(stage) {
    const [relay] = stage.relays;
    await relay.set({ subscriptionsMax: 10, tooManyByNotice: byNotice });
    const pool = stage.pool([relay], { subscriptionsMax: 30, subscribe: { answerTimeoutMs: 300, retryDelayMs: 50 } });
    const readers = Array.from({ length: 30 }, () => new Reader(stage));
    const subscriptions = readers.map((reader) =>
      pool.subscribe({ kinds: [1] }, { onEvent: ({ event }) => reader.receive(event) }),
    );
    const states = () => subscriptions.map((each) => (each.isClosed ? 'closed' : each.status()[relay.url]?.state));
    const live = () => states().filter((state) => state === 'live').length;
    await stage.until('ten', () => live() === 10);
    await stage.until('the others to wait', () => states().every((state) => state !== 'opening'));
    const event = stage.event();
    for (const reader of readers) await reader.expect(event);
    await relay.put(event);
    // Whoever has a slot gets the event, and then gives it to another.
    const served = () => subscriptions.find((_, index) => readers[index]?.missing === 0 && states()[index] === 'live');
    for (let closed = 0; closed < 20; closed += 1) {
      await stage.until('the event', () => served() !== undefined);
      served()?.close();
      await stage.until('the next', () => live() === 10);
    }
    await stage.until('the event, everywhere', () => readers.every(({ missing }) => missing === 0));
    for (const reader of readers) reader.check();
    const { requests, subscriptions: open } = await relay.report();
    stage.check(open === 10, `${open} are open at the relay`);
    stage.check(requests.length <= 90, `${requests.length} requests for 30 subscriptions`);
    return undefined;
  },
});

export const SUBSCRIBING_SCENARIOS: readonly Scenario[] = [
  gap('a clean close, going away (1001)', (relay) => relay.close(1001), undefined, soonAgain),
  gap('a clean close, normal (1000)', (relay) => relay.close(1000), undefined, soonAgain),
  gap('a reset connection', (relay) => relay.proxy.reset(), undefined, soonAgain),
  outage('short'),
  outage('long'),
  datedBack,
  gap(
    'a socket that is dead on one side',
    (relay) => {
      relay.proxy.set({ up: { held: true }, down: { held: true } });
    },
    async (relay, stage) => {
      // Nobody tells that it is dead; what is published meanwhile is found in the end.
      await stage.pass(stage.pace.heartbeatMs / 4);
      relay.proxy.set({ up: { held: true }, down: { held: true } });
      const dials = relay.proxy.dials;
      const heal = async (): Promise<void> => {
        await stage.until('a new attempt', () => relay.proxy.dials > dials);
        relay.proxy.heal();
      };
      void heal().catch(() => {});
    },
    (pace) => pace.heartbeatMs + pace.deadMs + backAgain(pace),
  ),
  {
    name: 'a subscription to a relay that is down at start',
    observe: 'served once it is there',
    general: true,
    within: backAgain,
    async run(stage) {
      const [relay] = stage.relays;
      await relay.stop();
      const reader = new Reader(stage);
      const subject = await stage.open([relay]);
      subject.subscribe(reader.receive);
      await stage.pass(2 * stage.pace.firstRetryMs);
      await relay.listen();
      await reader.put(relay);
      const tookMs = await stage.time(() => reader.caughtUp());
      reader.check();
      return tookMs;
    },
  },
  crowded('closing them', false),
  crowded('a notice', true),
  closed('error: the database is down', 'asked again after a delay that grows', 'asked again', 'resting'),
  closed('rate-limited: slow down', 'asked again, later and less often', 'asked again', 'resting'),
  closed('', 'no reason is none to give up', 'asked again', 'resting'),
  closed('auth-required: who are you', 'asked once, without a signer', 'asked once', 'refused'),
  closed('restricted: not for you', 'asked once, and closed', 'asked once', 'refused'),
  closed('blocked: not you', 'asked once, and closed', 'asked once', 'refused'),
  closed('invalid: what is this', 'asked once, and closed', 'asked once', 'refused'),
  closed('pow: work first', 'asked once, and closed', 'asked once', 'refused'),
  closed('unsupported: no such filter', 'asked once, and closed', 'asked once', 'refused'),
  closed('mute: nobody listens to you', 'asked once, and closed', 'asked once', 'refused'),
  {
    name: 'every subscription is closed again and again',
    observe: 'few requests, and all that was due once it stops',
    within: ({ slackMs }) => 6 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const pool = stage.pool([relay], { subscribe: { retryDelayMs: 50, retryDelayMaxMs: 800 } });
      const readers = Array.from({ length: 5 }, () => new Reader(stage));
      for (const reader of readers) {
        pool.subscribe({ kinds: [1] }, { onEvent: ({ event }) => reader.receive(event) });
      }
      await stage.until('a request', async () => (await relay.report()).requests.length > 0);
      for (let storm = 0; storm < 100; storm += 1) {
        await relay.closeSubscriptions('error: not now');
        await stage.pass(10);
      }
      const { requests } = await relay.report();
      stage.check(requests.length <= 60, `${requests.length} requests of five subscriptions in a second`);
      for (const event of [stage.event(), stage.event()]) {
        for (const reader of readers) await reader.expect(event);
        await relay.put(event);
      }
      await stage.until('what was due', () => readers.every(({ missing }) => missing === 0));
      for (const reader of readers) reader.check();
      return undefined;
    },
  },
  {
    name: 'a subscription on two of three relays, and one of them is lost',
    observe: 'the third takes its place; what came meanwhile comes once',
    within: backAgain,
    async run(stage) {
      const { relays } = stage;
      const pool = stage.pool();
      const reader = new Reader(stage);
      await stage.until('connections', () => pool.metrics().activeConnections === 3);
      const subscription = pool.subscribe({ kinds: [1] }, { relays: 2, onEvent: ({ event }) => reader.receive(event) });
      const at = () => Object.keys(subscription.status());
      stage.check(at().length === 2, `it is on ${at().length}`);
      await reader.put(...relays);
      await reader.caughtUp();
      const lost = relays.find(({ url }) => at().includes(url)) as RemoteRelay;
      lost.proxy.set({ refuse: true });
      lost.proxy.reset();
      const others = relays.filter((relay) => relay !== lost);
      const tookMs = await stage.time(() =>
        stage.until('two others', () => others.every(({ url }) => subscription.status()[url]?.state === 'live')),
      );
      await reader.put(...others);
      await reader.caughtUp();
      lost.proxy.heal();
      await stage.until('its return', () => pool.metrics().activeConnections === 3);
      stage.check(at().length === 2 && !at().includes(lost.url), 'it went back');
      reader.check();
      return tookMs;
    },
  },
  {
    name: 'a question to three relays, of which one is dead and one never comes to an end',
    observe: 'answered by the deadline, with what there was, and who was late',
    within: ({ slackMs }) => slackMs,
    async run(stage) {
      const [well, dead, endless] = stage.relays;
      await dead.stop();
      await endless.set({ swallowEose: true });
      const pool = stage.pool();
      await stage.until('connections', () => pool.metrics().activeConnections === 2);
      const [one, other] = [stage.event(), stage.event()];
      await well.put(one);
      await endless.put(other);
      let result = await pool.query({ kinds: [1] }, { timeoutMs: 300 });
      stage.check(!result.complete, 'it says that it is complete');
      stage.check(result.events.length === 2, `${result.events.length} events came`);
      stage.check(result.relays[endless.url]?.isStoredComplete === false, 'nobody says who was late');
      result = await pool.query({ kinds: [1] }, { relays: [well.url], timeoutMs: 60_000 });
      stage.check(result.complete && result.events.length === 1, 'the relay that is well was not waited for');
      return undefined;
    },
  },
];
