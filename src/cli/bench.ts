import { parseArgs } from 'node:util';
import { AbstractSimplePool } from 'nostr-tools/abstract-pool';
import { verifyEvent } from 'nostr-tools/pure';
import WebSocket from 'ws';
import { percentile } from '../../machines/policy/percentile.ts';
import { systemClock } from '../clock.ts';
import { createPool } from '../pool/create-pool.ts';
import type { NostrEvent } from '../protocol/nostr/event.ts';
import { FaultableRelay } from '../testing/relay/faultable-relay.ts';
import { signedEvents } from '../testing/signed-events.ts';
import { numberOf, remark, say, type Verb } from './arguments.ts';

const RELAYS = 3;
const IN_FLIGHT = 64;
/** Relays that are cut, one after the other, while events go to one each. */
const CUTS = 10;

type Publish = (event: NostrEvent) => Promise<unknown>;

interface Result {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** Events that warm a contender up, and are not measured. */
const WARM_UP = 1_000;

/** Publishes every event to every relay, so many at one time; the first of them before it is measured. */
async function measure(given: readonly NostrEvent[], publish: Publish): Promise<Result> {
  await run(given.slice(0, WARM_UP), publish);
  return run(given.slice(WARM_UP), publish);
}

async function run(events: readonly NostrEvent[], publish: Publish): Promise<Result> {
  const latencies: number[] = [];
  const rest = events.values();
  const startedAt = systemClock.now();
  const work = async (): Promise<void> => {
    for (const event of rest) {
      const sentAt = systemClock.now();
      await publish(event);
      latencies.push(systemClock.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  const seconds = (systemClock.now() - startedAt) / 1_000;
  latencies.sort((a, b) => a - b);
  return { perSecond: events.length / seconds, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

async function measureOurs(urls: readonly string[], events: readonly NostrEvent[]): Promise<Result> {
  const pool = createPool({ relays: urls, trust: { allowPrivate: true }, publish: { window: 2 * IN_FLIGHT } });
  const result = await measure(events, (event) => pool.publish(event, { quorum: 'all', until: 'complete' }));
  await pool.close();
  return result;
}

async function measureNostrTools(urls: readonly string[], events: readonly NostrEvent[]): Promise<Result> {
  const pool = new AbstractSimplePool({
    verifyEvent,
    maxWaitForConnection: 5_000,
    websocketImplementation: WebSocket as never,
  });
  const result = await measure(events, (event) => Promise.all(pool.publish([...urls], event as never)));
  pool.close([...urls]);
  return result;
}

/** Cuts relays while events are on their way, and says how long it took until they were stored elsewhere. */
async function measureFailover(relays: readonly FaultableRelay[], events: Iterator<NostrEvent>): Promise<string> {
  const urls = relays.map(({ url }) => url);
  const pool = createPool({ relays: urls, trust: { allowPrivate: true }, preset: 'low-latency' });
  for (const relay of relays) relay.set({ delayMs: 20 });
  const open: Promise<unknown>[] = [];
  for (let cut = 0; cut < CUTS; cut += 1) {
    const relay = relays[cut % relays.length];
    const timer = setInterval(() => {
      for (let count = 0; count < 4; count += 1) open.push(pool.publish(events.next().value, { relays: 1 }));
      relay?.cut();
    }, 40);
    await new Promise<void>((resolve) => {
      const stop = pool.on('relay.failed-over', () => {
        stop();
        resolve();
      });
    });
    clearInterval(timer);
  }
  await Promise.all(open);
  const { events: moved, msP50 = 0, msP99 = 0 } = pool.metrics().failovers;
  await pool.close();
  return `${moved} moved, stored elsewhere after ${msP50.toFixed(0)} ms (p50) and ${msP99.toFixed(0)} ms (p99), of which 20 ms are the relays'`;
}

export const bench: Verb = {
  usage: `bench [--events N]
    Publishes so many events (default 5000) to three relays in this process, each to all, beside nostr-tools in the same
    run; then cuts relays and measures how fast what was on its way is stored elsewhere. A first impression: the
    benchmarks of the repository have relays in processes of their own.`,
  async run(args) {
    const { values } = parseArgs({ args, options: { events: { type: 'string' } } });
    const count = Math.ceil(numberOf('events', values.events, 5_000));
    const source = signedEvents('measured by the recloser command line');
    const [template] = [source.next().value];
    const relays = await Promise.all(Array.from({ length: RELAYS }, () => FaultableRelay.start({ verify: false })));
    const urls = relays.map(({ url }) => url);
    // Relays that do not verify take ids as they are, so that signing takes no part in it.
    const eventsFrom = (first: number): NostrEvent[] =>
      Array.from({ length: count + WARM_UP }, (_, index) => ({
        ...template,
        id: (first + index).toString(16).padStart(64, '0'),
      }));
    try {
      remark(`${count} events to ${RELAYS} relays, ${IN_FLIGHT} at one time`);
      const contenders = [
        ['recloser', measureOurs],
        ['nostr-tools', measureNostrTools],
      ] as const;
      for (const [index, [name, contender]] of contenders.entries()) {
        const { perSecond, p50, p99 } = await contender(urls, eventsFrom(index * (count + WARM_UP)));
        say(
          `${name.padEnd(12)} ${perSecond.toFixed(0).padStart(6)} a second, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
        );
      }
      say(`failover     ${await measureFailover(relays, source)}`);
    } finally {
      await Promise.all(relays.map((relay) => relay.stop()));
    }
    return 0;
  },
};
