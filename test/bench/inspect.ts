import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import WebSocket from 'ws';
// Measured is what ships: the built package, with XState's production build.
import { createPool, type NostrEvent, type Pool } from '../../dist/src/index.js';
import { createInspector, createRecorder, observePool } from '../../dist/src/inspect/index.js';
import { signedEvents } from '../../dist/src/testing/index.js';

const IN_FLIGHT = 256;
const EVENTS = 40_000;
const ROUNDS = 7;
const WARM_UP = 2;

/** Begins to look at a pool; returns what ends it. */
type Watch = (pool: Pool) => Promise<() => Promise<void>>;

/** A page without a browser, whose work would be measured otherwise: it reads everything. */
async function readAll(url: string): Promise<WebSocket> {
  const socket = new WebSocket(new URL('live', url.replace('http', 'ws')));
  socket.on('message', () => {});
  await once(socket, 'open');
  return socket;
}

const WATCHES: Readonly<Record<string, Watch>> = {
  off: async () => async () => {},
  attached: async (pool) => {
    const stop = observePool(pool, () => {});
    return async () => stop();
  },
  'with a page open': async (pool) => {
    const inspector = await createInspector({ pool });
    const page = await readAll(inspector.url);
    return async () => {
      page.terminate();
      await inspector.stop();
    };
  },
  recorder: async (pool) => {
    const recorder = createRecorder(pool);
    return async () => recorder.stop();
  },
};

async function publishAll(pool: Pool, events: readonly NostrEvent[]): Promise<void> {
  const rest = events.values();
  const work = async (): Promise<void> => {
    for (const event of rest) await pool.publish(event, { until: 'complete' });
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

/** CPU microseconds of this process per publication, and publications a second. */
interface Measured {
  readonly costUs: number;
  readonly perSecond: number;
}

async function measure(url: string, watch: Watch, events: readonly NostrEvent[]): Promise<Measured> {
  const pool = createPool({
    relays: [url],
    trust: { allowPrivate: true },
    publish: { window: IN_FLIGHT, publicationsMax: 2 * IN_FLIGHT },
  });
  const [first] = events;
  if (first) await pool.publish({ ...first, id: 'f'.repeat(64) });
  const stop = await watch(pool);
  const before = process.cpuUsage();
  const startedAt = performance.now();
  await publishAll(pool, events);
  const perSecond = (1_000 * events.length) / (performance.now() - startedAt);
  const { user, system } = process.cpuUsage(before);
  await stop();
  await pool.close();
  return { costUs: (user + system) / events.length, perSecond };
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const child: ChildProcess = fork(new URL('./relay-process.mjs', import.meta.url));
const [message] = await once(child, 'message');
const { url } = message as { url: string };
const template = signedEvents('x'.repeat(200)).next().value;
// Signing is not what is measured: ids only have to differ.
const events = Array.from({ length: EVENTS }, (_, index) => ({
  ...template,
  id: index.toString(16).padStart(64, '0'),
}));
const all = new Map<string, Measured[]>();
for (let round = -WARM_UP; round < ROUNDS; round += 1) {
  for (const [name, watch] of Object.entries(WATCHES)) {
    const measured = await measure(url, watch, events);
    if (round >= 0) all.set(name, [...(all.get(name) ?? []), measured]);
  }
}
child.kill();
process.stdout.write(
  `Publishing to one relay, ${IN_FLIGHT} in flight: CPU of this process per publication, and throughput; median of ${ROUNDS} rounds\n`,
);
const off = all.get('off') ?? [];
/** How much it is of what it is when nobody watches, round by round. */
const ratioOf = (each: readonly Measured[], key: keyof Measured): readonly number[] =>
  each.map((measured, round) => measured[key] / (off[round]?.[key] ?? 1));
for (const [name, each] of all) {
  const ratios = ratioOf(each, 'costUs');
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2));
  const costUs = median(each.map((measured) => measured.costUs));
  const perSecond = median(each.map((measured) => measured.perSecond));
  const share = 100 * median(ratioOf(each, 'perSecond'));
  process.stdout.write(
    `${name.padEnd(18)}${costUs.toFixed(1).padStart(6)} µs, ${median(ratios).toFixed(2)} times (${least} to ${most})` +
      `${perSecond.toFixed(0).padStart(9)} a second, ${share.toFixed(0)} %\n`,
  );
}
