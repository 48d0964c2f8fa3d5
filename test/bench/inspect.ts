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

/** CPU microseconds of this process per publication. */
async function measure(url: string, watch: Watch, events: readonly NostrEvent[]): Promise<number> {
  const pool = createPool({
    relays: [url],
    trust: { allowPrivate: true },
    publish: { window: IN_FLIGHT, publicationsMax: 2 * IN_FLIGHT },
  });
  const [first] = events;
  if (first) await pool.publish({ ...first, id: 'f'.repeat(64) });
  const stop = await watch(pool);
  const before = process.cpuUsage();
  await publishAll(pool, events);
  const { user, system } = process.cpuUsage(before);
  await stop();
  await pool.close();
  return (user + system) / events.length;
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
const costs = new Map<string, number[]>();
for (let round = -WARM_UP; round < ROUNDS; round += 1) {
  for (const [name, watch] of Object.entries(WATCHES)) {
    const cost = await measure(url, watch, events);
    if (round >= 0) costs.set(name, [...(costs.get(name) ?? []), cost]);
  }
}
child.kill();
process.stdout.write(
  `CPU of this process per publication to one relay, ${IN_FLIGHT} in flight, median of ${ROUNDS} rounds\n`,
);
const off = costs.get('off') ?? [];
for (const [name, each] of costs) {
  const ratios = each.map((cost, round) => cost / (off[round] ?? 1));
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2));
  process.stdout.write(
    `${name.padEnd(18)}${median(each).toFixed(1).padStart(6)} µs, ${median(ratios).toFixed(2)} times (${least} to ${most})\n`,
  );
}
