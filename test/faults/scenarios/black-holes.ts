import { execFileSync } from 'node:child_process';
import type { RemoteRelay } from '../remote-relay.ts';
import type { Scenario, Stage } from '../scenario.ts';

const iptables = (...rule: readonly string[]): void => {
  execFileSync('iptables', rule, { stdio: 'pipe' });
};

const portOf = (relay: RemoteRelay): string => new URL(relay.directUrl).port;

/** Packets are dropped by the kernel, which no program on either side can see. The pool connects without the proxy. */
const blackHole = (
  name: string,
  observe: string,
  within: Scenario['within'],
  run: (stage: Stage, drop: (...rule: readonly string[]) => void, relay: RemoteRelay) => Promise<number | undefined>,
): Scenario => ({
  name,
  observe,
  needs: 'iptables',
  within,
  async run(stage) {
    const [relay] = stage.relays;
    try {
      return await run(stage, (...rule) => iptables('-A', 'INPUT', '-p', 'tcp', ...rule), relay);
    } finally {
      iptables('-F');
    }
  },
});

export const BLACK_HOLE_SCENARIOS: readonly Scenario[] = [
  blackHole(
    'every packet to a relay is dropped',
    'events go to the other relay; the late ones arrive when packets do',
    ({ ackMs, slackMs }) => 2 * ackMs + slackMs,
    async (stage, drop, relay) => {
      const pool = stage.pool([], { relays: [relay.directUrl, stage.relays[1].url] });
      await stage.until('connections', () => pool.metrics().activeConnections === 2);
      drop('--dport', portOf(relay), '-j', 'DROP');
      const receipts = Promise.all(Array.from({ length: 10 }, () => pool.publish(stage.event(), { relays: 1 })));
      const tookMs = await stage.time(() => receipts);
      stage.check(
        (await receipts).every(({ status }) => status === 'confirmed'),
        'not all were confirmed',
      );
      return tookMs;
    },
  ),
  blackHole(
    'acknowledgements are dropped, events are not',
    'unknown, not failed; confirmed once they come through',
    ({ ackMs, slackMs }) => 4 * ackMs + 4 * slackMs,
    async (stage, drop, relay) => {
      const pool = stage.pool([], { relays: [relay.directUrl] });
      await stage.until('a connection', () => pool.metrics().activeConnections === 1);
      drop('--sport', portOf(relay), '-m', 'length', '--length', '60:65535', '-j', 'DROP');
      const event = stage.event();
      const receipt = await pool.publish(event, { timeoutMs: Math.round(1.5 * stage.pace.ackMs) });
      stage.check(receipt.status === 'pending', `it is ${receipt.status}`);
      stage.check((await relay.report()).stored.includes(event.id), 'the relay does not have it');
      iptables('-F');
      stage.check((await receipt.confirmed()).status === 'confirmed', 'it was not confirmed');
      return undefined;
    },
  ),
  blackHole(
    'the first packet of every connection is dropped',
    'the attempt ends at its own deadline, and connects once packets come through',
    ({ connectMs, firstRetryMs, slackMs }) => 4 * connectMs + 4 * firstRetryMs + 4 * slackMs,
    async (stage, drop, relay) => {
      drop('--dport', portOf(relay), '--syn', '-j', 'DROP');
      const pool = stage.pool([], { relays: [relay.directUrl] });
      let ended = false;
      pool.on('relay.reconnecting', () => {
        ended = true;
      });
      const tookMs = await stage.time(() => stage.until('its deadline', () => ended));
      stage.check(tookMs < stage.pace.connectMs + stage.pace.slackMs, `it took ${tookMs.toFixed(0)} ms`);
      iptables('-F');
      stage.check((await pool.publish(stage.event())).status === 'confirmed', 'it did not connect');
      return tookMs;
    },
  ),
  blackHole(
    'one packet of five is lost',
    'fifty events are all accepted',
    ({ slackMs }) => 10_000 + 4 * slackMs,
    async (stage, drop, relay) => {
      drop('--dport', portOf(relay), '-m', 'statistic', '--mode', 'random', '--probability', '0.2', '-j', 'DROP');
      const pool = stage.pool([], {
        relays: [relay.directUrl],
        connectTimeoutMs: 5_000,
        publish: { ackTimeoutMs: 3_000 },
      });
      const receipts = Promise.all(Array.from({ length: 50 }, () => pool.publish(stage.event())));
      const tookMs = await stage.time(() => receipts);
      stage.check(
        (await receipts).every(({ status }) => status === 'confirmed'),
        'not all were confirmed',
      );
      stage.check((await relay.report()).stored.length >= 50, 'not all are stored');
      return tookMs;
    },
  ),
  blackHole(
    'a firewall that resets',
    'the connection is lost at once, and its event goes elsewhere',
    ({ slackMs }) => slackMs,
    async (stage, drop, relay) => {
      const pool = stage.pool([], { relays: [relay.directUrl, stage.relays[1].url] });
      await stage.until('connections', () => pool.metrics().activeConnections === 2);
      drop('--dport', portOf(relay), '-j', 'REJECT', '--reject-with', 'tcp-reset');
      const receipts = Promise.all(Array.from({ length: 6 }, () => pool.publish(stage.event(), { relays: 1 })));
      const tookMs = await stage.time(() => receipts);
      stage.check(
        (await receipts).every(({ status }) => status === 'confirmed'),
        'not all were confirmed',
      );
      return tookMs;
    },
  ),
];
