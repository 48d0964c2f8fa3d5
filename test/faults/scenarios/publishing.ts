import type { Scenario, Stage } from '../scenario.ts';

const outcomes = (receipt: { outcomes: Readonly<Record<string, { status: string }>> }): readonly string[] =>
  Object.values(receipt.outcomes).map(({ status }) => status);

const allConnected = async (stage: Stage, pool: ReturnType<Stage['pool']>, count = 3): Promise<void> =>
  stage.until('connections', () => pool.metrics().activeConnections === count);

/** One of three relays fails in some way while events are published to one relay each. */
const failover = (
  name: string,
  spoil: (stage: Stage) => Promise<void> | void,
  within: Scenario['within'],
): Scenario => ({
  name,
  observe: 'twenty events with one copy each are all accepted by the others',
  within,
  async run(stage) {
    const pool = stage.pool(stage.relays, { publish: { resendDelayMs: 10_000 } });
    await allConnected(stage, pool);
    await pool.publish(stage.event());
    await spoil(stage);
    const events = Array.from({ length: 20 }, () => stage.event());
    const receipts = Promise.all(events.map((event) => pool.publish(event, { relays: 1 })));
    const tookMs = await stage.time(() => receipts);
    stage.relays[0].thaw();
    stage.check(
      (await receipts).every(({ status }) => status === 'confirmed'),
      'not all were confirmed',
    );
    return tookMs;
  },
});

/** What a relay answers, and what has to come of it. */
const refusal = (text: string, observe: string, wanted: { status: string; tries: number }): Scenario => ({
  name: `"${text}"`,
  observe,
  within: ({ ackMs, slackMs }) => 8 * ackMs + 8 * slackMs,
  async run(stage) {
    const [relay] = stage.relays;
    await relay.set({ refuseWith: text });
    const pool = stage.pool([relay], { publish: { triesMax: 3, resendDelayMs: 20, resendDelayMaxMs: 40 } });
    const event = stage.event();
    const receipt = await pool.publish(event, { until: 'complete' });
    const [outcome] = Object.values(receipt.outcomes);
    stage.check(outcome?.status === wanted.status, `the outcome is ${outcome?.status}`);
    const tries = (await relay.report()).published.length;
    stage.check(tries === wanted.tries, `it was sent ${tries} times`);
    if (outcome?.status === 'rejected') stage.check(outcome.refusal.text === text, 'its words were changed');
    return undefined;
  },
});

export const PUBLISHING_SCENARIOS: readonly Scenario[] = [
  {
    name: 'all is well',
    observe: 'an event is accepted and stored',
    general: true,
    within: ({ slackMs }) => slackMs,
    async run(stage) {
      const subject = await stage.open();
      const first = stage.event();
      stage.check(await subject.publish(first), 'the first event was not accepted');
      const event = stage.event();
      const tookMs = await stage.time(() => subject.publish(event));
      const reports = await Promise.all(stage.relays.map((relay) => relay.report()));
      stage.check(
        reports.some(({ stored }) => stored.includes(event.id)),
        'nobody has it',
      );
      return tookMs;
    },
  },
  failover(
    'one of three relays is reset with events in flight',
    (stage) => {
      stage.relays[0].proxy.set({ down: { held: true } });
      setTimeout(() => stage.relays[0].proxy.reset(), 20);
    },
    ({ slackMs }) => slackMs,
  ),
  failover(
    'one of three relays stores and does not say so',
    (stage) => stage.relays[0].set({ swallowAcks: true }),
    ({ ackMs, slackMs }) => 2 * ackMs + slackMs,
  ),
  failover(
    'nothing arrives from one of three relays',
    (stage) => stage.relays[0].proxy.set({ down: { lost: true } }),
    ({ ackMs, slackMs }) => 2 * ackMs + slackMs,
  ),
  failover(
    'nothing arrives at one of three relays',
    (stage) => stage.relays[0].proxy.set({ up: { lost: true } }),
    ({ ackMs, slackMs }) => 2 * ackMs + slackMs,
  ),
  failover(
    'the process of one of three relays is stopped',
    (stage) => stage.relays[0].freeze(),
    ({ ackMs, slackMs }) => 2 * ackMs + slackMs,
  ),
  failover(
    'the process of one of three relays is killed',
    async (stage) => {
      await stage.relays[0].kill();
    },
    ({ ackMs, slackMs }) => ackMs + slackMs,
  ),
  {
    name: 'one relay is slow (20 kB/s), two are not',
    observe: 'publishing to all is not slowed down',
    within: ({ slackMs }) => slackMs,
    async run(stage) {
      stage.relays[0].proxy.set({ down: { bytesPerSecond: 20_000 }, up: { bytesPerSecond: 20_000 } });
      const pool = stage.pool();
      await allConnected(stage, pool);
      const receipts = Promise.all(Array.from({ length: 50 }, () => pool.publish(stage.event())));
      const tookMs = await stage.time(() => receipts);
      stage.check(
        (await receipts).every(({ status }) => status === 'confirmed'),
        'not all were confirmed',
      );
      return tookMs;
    },
  },
  {
    name: 'a far relay: 100 ms each way, 50 ms of jitter',
    observe: 'an event is accepted',
    general: true,
    within: ({ slackMs }) => 400 + slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const latency = { latencyMs: 100, jitterMs: 50 };
      relay.proxy.set({ up: latency, down: latency });
      const subject = await stage.open([relay]);
      await stage.until('a first event', () => subject.publish(stage.event()));
      return stage.time(async () => stage.check(await subject.publish(stage.event()), 'it was not accepted'));
    },
  },
  {
    name: 'every byte in a packet of its own',
    observe: 'an event is accepted',
    general: true,
    within: ({ slackMs, firstRetryMs }) => 2 * slackMs + firstRetryMs,
    async run(stage) {
      const [relay] = stage.relays;
      relay.proxy.set({ up: { sliceBytes: 1 }, down: { sliceBytes: 1 } });
      const subject = await stage.open([relay]);
      await stage.until('an accepted event', () => subject.publish(stage.event()));
      return undefined;
    },
  },
  {
    name: 'the connection breaks in the middle of a frame',
    observe: 'the event is accepted over the next connection',
    within: ({ firstRetryMs, connectMs, slackMs }) => 3 * firstRetryMs + connectMs + slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      relay.proxy.set({ down: { limitBytes: 160 } });
      const pool = stage.pool([relay]);
      const receipt = pool.publish(stage.event());
      await stage.until('a broken connection', () => relay.proxy.dials >= 1 && relay.proxy.open === 0);
      relay.proxy.heal();
      return stage.time(async () => stage.check((await receipt).status === 'confirmed', 'it was not confirmed'));
    },
  },
  {
    name: 'a pause of the network, then everything arrives at once',
    observe: 'the late acknowledgement counts; stored once',
    within: ({ ackMs, slackMs }) => 3 * ackMs + slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const pool = stage.pool([relay]);
      await allConnected(stage, pool, 1);
      relay.proxy.set({ down: { held: true } });
      const event = stage.event();
      const receipt = await pool.publish(event, { timeoutMs: Math.round(1.5 * stage.pace.ackMs) });
      stage.check(receipt.status === 'pending', `it is ${receipt.status} already`);
      relay.proxy.heal();
      stage.check((await receipt.confirmed()).status === 'confirmed', 'it was not confirmed');
      return undefined;
    },
  },
  refusal('blocked: not you', 'final, told in its own words, sent once', { status: 'rejected', tries: 1 }),
  refusal('invalid: bad', 'final, sent once', { status: 'rejected', tries: 1 }),
  refusal('pow: 28 bits needed', 'final, sent once', { status: 'rejected', tries: 1 }),
  refusal('restricted: members only', 'final, sent once', { status: 'rejected', tries: 1 }),
  refusal('mute: nobody listens', 'final, sent once', { status: 'rejected', tries: 1 }),
  refusal('auth-required: who are you', 'final without a signer, sent once', { status: 'rejected', tries: 1 }),
  refusal('duplicate: have it', 'as good as accepted', { status: 'accepted', tries: 1 }),
  refusal('rate-limited: slow down', 'tried again, slower, and given up after three times', {
    status: 'rejected',
    tries: 3,
  }),
  refusal('error: the disk is full', 'tried again, and given up after three times', { status: 'rejected', tries: 3 }),
  {
    name: 'a relay that takes two events a second',
    observe: 'ten events are all accepted, and it is asked less than twice as often as it answers',
    within: ({ slackMs }) => 12_000 + 4 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      await relay.set({ ratePerSecond: 2 });
      const pool = stage.pool([relay], { publish: { triesMax: 100, resendDelayMs: 1_000, resendDelayMaxMs: 2_000 } });
      const receipts = Promise.all(Array.from({ length: 10 }, () => pool.publish(stage.event())));
      const tookMs = await stage.time(() => receipts);
      stage.check(
        (await receipts).every(({ status }) => status === 'confirmed'),
        'not all were confirmed',
      );
      return tookMs;
    },
  },
  {
    name: 'no acknowledgement ever comes',
    observe: 'the promise settles in its time with "unknown"; nothing hangs',
    within: ({ ackMs, slackMs }) => 2 * ackMs + slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      await relay.set({ swallowAcks: true });
      const pool = stage.pool([relay]);
      const receipt = await pool.publish(stage.event(), { timeoutMs: Math.round(1.5 * stage.pace.ackMs) });
      stage.check(receipt.status === 'pending', `it is ${receipt.status}`);
      stage.check(['unknown', 'sent'].includes(outcomes(receipt)[0] ?? ''), `the outcome is ${outcomes(receipt)[0]}`);
      return undefined;
    },
  },
  {
    name: 'the same event is published twice at once',
    observe: 'both callers get the same result, and the relay one frame',
    within: ({ slackMs }) => slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const pool = stage.pool([relay]);
      const event = stage.event();
      const [one, two] = await Promise.all([pool.publish(event), pool.publish(event)]);
      stage.check(one.status === 'confirmed' && two.status === 'confirmed', 'not both were confirmed');
      stage.check((await relay.report()).published.length === 1, 'it was sent twice');
      return undefined;
    },
  },
  {
    name: 'one AbortSignal of two callers',
    observe: 'only its own caller is withdrawn',
    within: ({ slackMs }) => slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      await relay.set({ delayMs: 100 });
      const pool = stage.pool([relay]);
      const mine = new AbortController();
      const event = stage.event();
      const withdrawn = pool.publish(event, { signal: mine.signal });
      const kept = pool.publish(event);
      mine.abort();
      stage.check((await withdrawn).status === 'cancelled', 'it was not withdrawn');
      stage.check((await kept).status === 'confirmed', 'the other was withdrawn as well');
      return undefined;
    },
  },
  {
    name: 'publishing to nobody',
    observe: 'an error with a reason, at once',
    within: ({ slackMs }) => slackMs,
    async run(stage) {
      const pool = stage.pool([]);
      const code = await pool.publish(stage.event()).then(
        () => 'nothing',
        (error: { code?: string }) => error.code,
      );
      stage.check(code === 'NO_RELAYS', `it said ${code}`);
      return undefined;
    },
  },
  {
    name: 'more than fits',
    observe: 'refused at the door, with the reason; what was accepted is delivered',
    within: ({ slackMs }) => 2 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      await relay.set({ delayMs: 50 });
      const pool = stage.pool([relay], { publish: { publicationsMax: 5 } });
      const receipts = await Promise.all(Array.from({ length: 12 }, () => pool.publish(stage.event())));
      const refused = receipts.filter(({ status, cause }) => status === 'refused' && cause === 'backpressure').length;
      const confirmed = receipts.filter(({ status }) => status === 'confirmed').length;
      stage.check(refused === 7 && confirmed === 5, `${refused} refused and ${confirmed} confirmed`);
      return undefined;
    },
  },
  {
    name: 'a publication that is partly accepted when a relay goes down',
    observe: 'completed when it is back',
    within: ({ firstRetryMs, openMs, connectMs, slackMs }) => 8 * firstRetryMs + 4 * openMs + connectMs + slackMs,
    async run(stage) {
      const [, , away] = stage.relays;
      const pool = stage.pool();
      await allConnected(stage, pool);
      await away.stop();
      await stage.until('its loss', () => pool.status()[away.url] !== 'connected');
      const event = stage.event();
      const receipt = await pool.publish(event);
      stage.check(receipt.status === 'confirmed', 'it was not confirmed');
      await away.listen();
      return stage.time(() =>
        stage.until('the last relay', async () => (await away.report()).stored.includes(event.id)),
      );
    },
  },
  {
    name: 'time is up before anybody is there',
    observe: 'failure is reported, and nothing is sent after it',
    within: ({ firstRetryMs, openMs, connectMs, slackMs }) => 8 * firstRetryMs + 4 * openMs + connectMs + 2 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      await relay.stop();
      const pool = stage.pool([relay]);
      const lost = stage.event();
      const receipt = await pool.publish(lost, { timeoutMs: 50, expiresMs: 50 });
      stage.check(receipt.status === 'failed' && receipt.cause === 'expired', `it is ${receipt.status}`);
      await relay.listen();
      const next = await pool.publish(stage.event(), { until: 'complete' });
      stage.check(next.status === 'confirmed', 'the next one was not confirmed');
      stage.check(!(await relay.report()).published.includes(lost.id), 'it was sent after it had been given up');
      return undefined;
    },
  },
  {
    name: 'a relay is removed with events in flight',
    observe: 'they are accepted elsewhere',
    within: ({ slackMs }) => slackMs,
    async run(stage) {
      const [leaving] = stage.relays;
      const pool = stage.pool(stage.relays, { publish: { ackTimeoutMs: 60_000 } });
      await allConnected(stage, pool);
      await leaving.set({ swallowAcks: true });
      const receipts = Promise.all(Array.from({ length: 9 }, () => pool.publish(stage.event(), { relays: 1 })));
      pool.removeRelay(leaving.url);
      stage.check(
        (await receipts).every(({ status }) => status === 'confirmed'),
        'not all were confirmed',
      );
      return undefined;
    },
  },
  {
    name: 'a pool is closed with events in flight',
    observe: 'it drains; everybody hears how it ended; no socket stays',
    within: ({ slackMs }) => 2 * slackMs,
    async run(stage) {
      const [relay, silent] = stage.relays;
      await relay.set({ delayMs: 100 });
      await silent.set({ swallowAcks: true });
      const pool = stage.pool([relay, silent]);
      await allConnected(stage, pool, 2);
      const [good, bad] = [
        pool.publish(stage.event(), { relays: [relay.url] }),
        pool.publish(stage.event(), { relays: [silent.url] }),
      ];
      const tookMs = await stage.time(() => pool.close({ drainMs: 300 }));
      stage.check((await good).status === 'confirmed', 'what was on its way was not waited for');
      stage.check((await bad).cause === 'closed', 'the other caller heard something else');
      await stage.until('no sockets', async () => (await relay.report()).open + (await silent.report()).open === 0);
      return tookMs;
    },
  },
];
