import type { Scenario } from '../scenario.ts';

/** What a relay does beside answering, and what must not come of it. */
const despite = (
  name: string,
  observe: string,
  spoil: Parameters<Scenario['run']>[0]['relays'][0]['set'] extends (faults: infer Faults) => unknown ? Faults : never,
): Scenario => ({
  name,
  observe,
  within: ({ ackMs, slackMs }) => 4 * ackMs + 2 * slackMs,
  async run(stage) {
    const [relay] = stage.relays;
    await relay.set(spoil);
    const pool = stage.pool([relay], { publish: { ackTimeoutMs: Math.min(500, stage.pace.ackMs), resendDelayMs: 20 } });
    const receipts = await Promise.all(Array.from({ length: 20 }, () => pool.publish(stage.event())));
    stage.check(
      receipts.every(({ status }) => status === 'confirmed'),
      'not all were confirmed',
    );
    const { stored } = await relay.report();
    for (const { id } of receipts) stage.check(stored.includes(id), 'it was confirmed and is not stored');
    return undefined;
  },
});

export const HOSTILE_SCENARIOS: readonly Scenario[] = [
  despite('garbage before every answer', 'every event is accepted', { babble: 0.2 }),
  despite('every acknowledgement twice', 'every event is accepted once', { repeatAcks: true }),
  despite('every acknowledgement followed by its opposite', 'the first one counts', { contradictAcks: true }),
  despite('acknowledgements of events that nobody sent', 'they count for nothing', { strayAcks: true }),
  despite('one acknowledgement of five malformed', 'sent again until one can be read', { malformAcks: 0.2 }),
  {
    name: 'an acknowledgement with "true" in quotes',
    observe: 'not believed',
    within: ({ slackMs }) => 2 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      await relay.set({ swallowAcks: true });
      const pool = stage.pool([relay]);
      const event = stage.event();
      const receipt = pool.publish(event, { timeoutMs: 300 });
      await stage.until('the event', async () => (await relay.report()).published.includes(event.id));
      await relay.send(JSON.stringify(['OK', event.id, 'true', '']));
      await relay.send(JSON.stringify(['OK', event.id, 1, '']));
      await relay.send(JSON.stringify(['OK', event.id.toUpperCase(), true, '']));
      stage.check((await receipt).accepted === 0, 'it counts as accepted');
      return undefined;
    },
  },
  {
    name: 'a frame of twenty megabytes',
    observe: 'the connection ends with 1009, memory does not grow by as much, and it comes back',
    within: ({ firstRetryMs, connectMs, slackMs }) => 3 * firstRetryMs + connectMs + 4 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const pool = stage.pool([relay]);
      await pool.publish(stage.event());
      const codes: number[] = [];
      pool.on('relay.disconnected', ({ code }) => codes.push(code));
      const before = process.memoryUsage.rss();
      await relay.sendLarge(20 * 1024 * 1024);
      await stage.until('its end', () => codes.length > 0);
      const grown = (process.memoryUsage.rss() - before) / 2 ** 20;
      stage.check(codes[0] === 1009, `it ended with ${codes[0]}`);
      stage.check(grown < 40, `memory grew by ${grown.toFixed(0)} MiB`);
      return stage.time(async () => {
        stage.check((await pool.publish(stage.event())).status === 'confirmed', 'it did not come back');
      });
    },
  },
  {
    name: 'fifty thousand notices',
    observe: 'one is kept; publishing goes on; memory does not grow with them',
    within: ({ slackMs }) => 6 * slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      const pool = stage.pool([relay]);
      await stage.until('a connection', () => pool.metrics().activeConnections === 1);
      await relay.sendMany(JSON.stringify(['NOTICE', 'x'.repeat(200)]), 50_000);
      const receipt = await pool.publish(stage.event());
      stage.check(receipt.status === 'confirmed', 'publishing stopped');
      stage.check(pool.metrics().relays[relay.url]?.lastNotice === 'x'.repeat(200), 'the last notice is not kept');
      return undefined;
    },
  },
  {
    name: 'words that move the cursor',
    observe: 'made harmless and cut',
    within: ({ slackMs }) => slackMs,
    async run(stage) {
      const [relay] = stage.relays;
      await relay.set({ refuseWith: `blocked: \u001b[2J\u202e${'x'.repeat(100_000)}` });
      const pool = stage.pool([relay]);
      const [outcome] = Object.values((await pool.publish(stage.event())).outcomes);
      const text = outcome?.status === 'rejected' ? outcome.refusal.text : '';
      stage.check(text.length === 512, `${text.length} characters came through`);
      stage.check(!text.includes('\u001b') && !text.includes('\u202e'), 'control characters came through');
      return undefined;
    },
  },
  {
    name: 'a listener of the application throws',
    observe: 'nobody else notices',
    within: ({ slackMs }) => slackMs,
    async run(stage) {
      const pool = stage.pool();
      const thrown: unknown[] = [];
      const note = (error: unknown): void => {
        thrown.push(error);
      };
      process.on('uncaughtException', note);
      pool.on('publication.confirmed', () => {
        throw new Error('mine');
      });
      const receipt = await pool.publish(stage.event());
      stage.check(receipt.status === 'confirmed', 'the publication was harmed');
      await stage.until('the error, where errors go', () => thrown.length === 1);
      process.off('uncaughtException', note);
      return undefined;
    },
  },
];
