import type { RemoteRelay } from '../remote-relay.ts';
import type { Scenario, Stage, Subject } from '../scenario.ts';

const stored = async (relay: RemoteRelay, id: string): Promise<boolean> => (await relay.report()).stored.includes(id);

const connected = (stage: Stage, relay: RemoteRelay): Promise<void> =>
  stage.until('a connection', async () => (await relay.report()).open === 1);

/** Publishes until one is accepted: pools without a queue fail while nobody is there. */
async function insist(stage: Stage, subject: Subject): Promise<void> {
  await stage.until('an accepted event', () => subject.publish(stage.event()));
}

/** A relay is lost in some way, and has to serve again. */
const loss = (
  name: string,
  lose: (relay: RemoteRelay) => Promise<void> | void,
  within: Scenario['within'] = ({ firstRetryMs, connectMs, slackMs }) => 3 * firstRetryMs + connectMs + slackMs,
): Scenario => ({
  name,
  observe: 'an event published afterwards is accepted; one socket at a time',
  general: true,
  within,
  async run(stage) {
    const [relay] = stage.relays;
    const subject = await stage.open([relay]);
    await insist(stage, subject);
    await lose(relay);
    const tookMs = await stage.time(() => insist(stage, subject));
    stage.check((await relay.report()).openMost === 1, 'two sockets to one relay');
    return tookMs;
  },
});

/** A relay that cannot be connected to must not be hammered, and must be reached once it is well. */
const unreachable = (name: string, spoil: (relay: RemoteRelay) => Promise<void> | void): Scenario => ({
  name,
  observe: 'at most 12 attempts a second meanwhile, one socket at a time, accepted once it is well',
  general: true,
  within: ({ openMs, connectMs, firstRetryMs, slackMs }) => 8 * openMs + connectMs + 4 * firstRetryMs + slackMs,
  async run(stage) {
    const [relay] = stage.relays;
    await spoil(relay);
    const subject = await stage.open([relay]);
    void subject.publish(stage.event()).catch(() => false);
    const watchedMs = Math.max(1_000, 4 * stage.pace.firstRetryMs);
    await stage.pass(watchedMs);
    stage.check(relay.proxy.dials <= (12 * watchedMs) / 1_000, `${relay.proxy.dials} attempts in ${watchedMs} ms`);
    stage.check(relay.proxy.open <= 1, `${relay.proxy.open} sockets at once`);
    relay.proxy.heal();
    await relay.listen();
    await relay.heal();
    return stage.time(() => insist(stage, subject));
  },
});

/** The relay answers the upgrade with an HTTP status. */
const refusedUpgrade = (
  status: number,
  observe: string,
  check: (
    stage: Stage,
    relay: RemoteRelay,
    facts: readonly { type: string; delayMs?: number; cause?: string }[],
  ) => void,
): Scenario => ({
  name: `the upgrade is answered with HTTP ${status}`,
  observe,
  within: ({ connectMs, slackMs }) => connectMs + slackMs,
  async run(stage) {
    const [relay] = stage.relays;
    await relay.set({ httpStatus: status, httpHeaders: { 'Retry-After': '2', Location: stage.relays[1].directUrl } });
    const pool = stage.pool([relay]);
    const facts: { type: string; delayMs?: number; cause?: string }[] = [];
    pool.on('*', (fact) => facts.push(fact));
    await stage.until('a decision', () => facts.some(({ type }) => /reconnecting|circuit-opened|gave-up/.test(type)));
    check(stage, relay, facts);
    return undefined;
  },
});

const find = (facts: readonly { type: string; delayMs?: number; cause?: string }[], type: string) =>
  facts.find((fact) => fact.type === type);

export const CONNECTION_SCENARIOS: readonly Scenario[] = [
  {
    name: 'the relay is down at start',
    observe: 'an event is accepted once the relay is there',
    general: true,
    within: ({ firstRetryMs, openMs, connectMs, slackMs }) => 8 * firstRetryMs + 4 * openMs + connectMs + slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      await relay.stop();
      const subject = await stage.open([relay]);
      void subject.publish(stage.event()).catch(() => false);
      await stage.pass(2 * stage.pace.firstRetryMs);
      await relay.listen();
      return stage.time(() => insist(stage, subject));
    },
  },
  loss('a clean close, going away (1001)', (relay) => relay.close(1001)),
  loss('a clean close, normal (1000)', (relay) => relay.close(1000)),
  loss('a close for an internal error (1011)', (relay) => relay.close(1011)),
  loss('a reset connection', (relay) => relay.proxy.reset()),
  loss('an end without a close frame', (relay) => relay.proxy.end()),
  loss('a relay that is killed and started again', async (relay) => {
    await relay.kill();
    await relay.listen();
  }),
  {
    name: 'a relay that says it restarts (1012)',
    observe: 'not dialled for five seconds',
    within: ({ slackMs }) => slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const pool = stage.pool([relay]);
      await connected(stage, relay);
      const delays: number[] = [];
      pool.on('relay.reconnecting', ({ delayMs }) => delays.push(delayMs));
      await relay.close(1012);
      await stage.until('the announced wait', () => delays.length > 0);
      stage.check((delays[0] ?? 0) >= 5_000, `it waits for ${delays[0]} ms`);
      return undefined;
    },
  },
  {
    name: 'a relay that closes because it does not know us (3000)',
    observe: 'the circuit opens, nothing is dialled meanwhile',
    within: ({ slackMs }) => slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const pool = stage.pool([relay]);
      await connected(stage, relay);
      await relay.close(3000);
      await stage.until('an open circuit', () => pool.status()[relay.url] === 'open-circuit');
      await stage.pass(300);
      stage.check(relay.proxy.dials === 1, `${relay.proxy.dials} attempts`);
      return undefined;
    },
  },
  unreachable('a port that nobody listens on', (relay) => relay.stop()),
  unreachable('every connection is reset', (relay) => relay.proxy.set({ refuse: true })),
  unreachable('a tarpit: accepted, and never answered', (relay) => relay.proxy.set({ tarpit: true })),
  unreachable('accepted and closed at once', (relay) => relay.set({ closeOnAccept: 1000 })),
  unreachable('an upgrade that comes a byte at a time', (relay) =>
    relay.proxy.set({ down: { sliceBytes: 1, bytesPerSecond: 5 } }),
  ),
  refusedUpgrade(302, 'the redirect is not followed', (stage, _relay, facts) => {
    stage.check(find(facts, 'relay.reconnecting') !== undefined, 'it does not retry');
    stage.check(stage.relays[1].proxy.dials === 0, 'it went to the target of the redirect');
  }),
  refusedUpgrade(403, 'believed: the circuit opens', (stage, _relay, facts) => {
    stage.check(find(facts, 'relay.circuit-opened')?.cause === 'refused', 'the circuit did not open for it');
  }),
  refusedUpgrade(410, 'given up', (stage, _relay, facts) => {
    stage.check(find(facts, 'relay.gave-up')?.cause === 'gone', 'it was not given up');
  }),
  refusedUpgrade(429, 'the Retry-After of two seconds is obeyed', (stage, _relay, facts) => {
    const { delayMs = 0 } = find(facts, 'relay.reconnecting') ?? {};
    stage.check(delayMs >= 2_000 && delayMs < 33_000, `it waits for ${delayMs} ms`);
  }),
  refusedUpgrade(503, 'the Retry-After of two seconds is obeyed', (stage, _relay, facts) => {
    const { delayMs = 0 } = find(facts, 'relay.reconnecting') ?? {};
    stage.check(delayMs >= 2_000 && delayMs < 33_000, `it waits for ${delayMs} ms`);
  }),
  {
    name: 'twenty pools are dropped together',
    observe: 'they do not come back within 20 ms of each other, and all come back',
    within: ({ firstRetryMs, connectMs, slackMs }) => 6 * firstRetryMs + connectMs + 2 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const pools = Array.from({ length: 20 }, () =>
        stage.pool([relay], { reconnect: { initialDelayMs: Math.max(400, stage.pace.firstRetryMs) } }),
      );
      await stage.until('twenty connections', async () => (await relay.report()).open === 20);
      const before = (await relay.report()).dialledAt.length;
      relay.proxy.reset();
      const tookMs = await stage.time(() =>
        stage.until('all of them again', async () => {
          const { dialledAt } = await relay.report();
          return dialledAt.length >= before + 20 && pools.every((pool) => pool.metrics().activeConnections === 1);
        }),
      );
      const again = (await relay.report()).dialledAt.slice(before);
      const first = Math.min(...again);
      const crowd = again.filter((at) => at - first < 20).length;
      stage.check(crowd <= 8, `${crowd} of ${again.length} came back in the same 20 ms`);
      return tookMs;
    },
  },
  {
    name: 'connect, disconnect, remove and add in every order at once',
    observe: 'connected at the end, by one socket',
    within: ({ connectMs, firstRetryMs, slackMs }) => connectMs + 4 * firstRetryMs + 2 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const pool = stage.pool([relay]);
      for (let round = 0; round < 20; round += 1) {
        pool.disconnect(relay.url);
        pool.connect(relay.url);
        pool.removeRelay(relay.url);
        pool.addRelay(relay.url);
        await stage.pass(round % 5);
      }
      await stage.until('a connection', () => pool.status()[relay.url] === 'connected');
      await stage.until('one socket', async () => (await relay.report()).open === 1);
      stage.check(relay.proxy.dials <= 60, `${relay.proxy.dials} attempts`);
      return undefined;
    },
  },
  {
    name: 'a relay that upgrades and never says anything',
    observe: 'found out, although nobody publishes',
    within: ({ stableMs, connectMs, slackMs }) => stableMs + connectMs + 6 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      await relay.set({ silent: true, noPongs: true });
      const pool = stage.pool([relay]);
      let left = false;
      pool.on('relay.disconnected', () => {
        left = true;
      });
      return stage.time(() => stage.until('the end of the connection', () => left));
    },
  },
  {
    name: 'a late event is stored by a relay that came back',
    observe: 'what was accepted while all relays were down is stored by all of them',
    within: ({ firstRetryMs, openMs, connectMs, slackMs }) => 8 * firstRetryMs + 8 * openMs + connectMs + 2 * slackMs,
    async run(stage) {
      await Promise.all(stage.relays.map((relay) => relay.stop()));
      const pool = stage.pool();
      const events = Array.from({ length: 10 }, () => stage.event());
      const receipts = Promise.all(events.map((event) => pool.publish(event, { quorum: 3 })));
      await stage.until('nobody there', () =>
        Object.values(pool.status()).every((status) => status === 'backoff' || status === 'open-circuit'),
      );
      await Promise.all(stage.relays.map((relay) => relay.listen()));
      const tookMs = await stage.time(() => receipts);
      stage.check(
        (await receipts).every(({ status }) => status === 'confirmed'),
        'not all were confirmed',
      );
      for (const relay of stage.relays) {
        for (const { id } of events) stage.check(await stored(relay, id), 'not everybody has everything');
      }
      return tookMs;
    },
  },
];
