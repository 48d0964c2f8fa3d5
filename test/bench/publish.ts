import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { SimplePool, useWebSocketImplementation } from 'nostr-tools/pool';
import WebSocket from 'ws';
// Measured is what ships: the built package, with XState's production build.
import { createPool, type NostrEvent } from '../../dist/src/index.js';
import { signedEvents } from '../../dist/src/testing/index.js';

const IN_FLIGHT = 256;
const EVENTS = 20_000;
const ROUNDS = 25;
const WARM_UP = 3;

/** Brings every event to every relay, and settles when each has been acknowledged by each. */
type Contender = (
  urls: readonly string[],
  events: readonly NostrEvent[],
) => Promise<{ run(): Promise<void>; stop(): Promise<void> }>;

/** What anybody would write: a socket per relay, JSON, a map of what waits, and a window. */
const bare: Contender = async (urls, events) => {
  const sockets = urls.map((url) => new WebSocket(url, { perMessageDeflate: false }));
  await Promise.all(sockets.map((socket) => once(socket, 'open')));
  const waiting = new Map<string, { left: number; resolve: () => void }>();
  for (const socket of sockets) {
    socket.on('message', (data) => {
      const [type, id, accepted] = JSON.parse(data.toString());
      const entry = waiting.get(id);
      if (type !== 'OK' || accepted !== true || !entry) return;
      entry.left -= 1;
      if (entry.left > 0) return;
      waiting.delete(id);
      entry.resolve();
    });
  }
  const publish = (event: NostrEvent): Promise<void> =>
    new Promise((resolve) => {
      waiting.set(event.id, { left: sockets.length, resolve });
      const frame = JSON.stringify(['EVENT', event]);
      for (const socket of sockets) socket.send(frame);
    });
  return {
    run: () => windowed(events, publish),
    stop: async () => {
      for (const socket of sockets) socket.terminate();
    },
  };
};

const recloser: Contender = async (urls, events) => {
  const pool = createPool({
    relays: urls,
    trust: { allowPrivate: true },
    publish: { window: IN_FLIGHT, publicationsMax: 2 * IN_FLIGHT },
  });
  const publish = (event: NostrEvent) => pool.publish(event, { quorum: 'all', until: 'complete' });
  const [first] = events;
  if (first) await publish({ ...first, id: 'f'.repeat(64) });
  return { run: () => windowed(events, publish), stop: () => pool.close() };
};

/** The pool that most applications use, on the same `ws`. */
const nostrTools: Contender = async (urls, events) => {
  useWebSocketImplementation(WebSocket);
  const pool = new SimplePool();
  const publish = (event: NostrEvent): Promise<unknown> => Promise.all(pool.publish([...urls], event as never));
  const [first] = events;
  if (first) await publish({ ...first, id: 'f'.repeat(64) });
  return {
    run: () => windowed(events, publish),
    stop: async () => pool.close([...urls]),
  };
};

const CONTENDERS = { bare, recloser, 'nostr-tools': nostrTools } as const;
type Name = keyof typeof CONTENDERS;

async function windowed(
  events: readonly NostrEvent[],
  publish: (event: NostrEvent) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let event = events[next]; event; event = events[next]) {
      next += 1;
      await publish(event);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

/** CPU microseconds of this process. */
async function cpuOf(run: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function compare(relays: number, events: readonly NostrEvent[]): Promise<void> {
  const children: ChildProcess[] = [];
  const urls: string[] = [];
  for (let index = 0; index < relays; index += 1) {
    const child = fork(new URL('./relay-process.mjs', import.meta.url));
    children.push(child);
    const [message] = await once(child, 'message');
    urls.push((message as { url: string }).url);
  }
  const results: Record<Name, number[]> = { bare: [], recloser: [], 'nostr-tools': [] };
  // Each lives through all rounds, as in an application: what is measured is not the setting up.
  const running = await Promise.all(
    Object.entries(CONTENDERS).map(async ([name, contender]) => ({ name, ...(await contender(urls, events)) })),
  );
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    for (const { name, run } of running) {
      const cost = (await cpuOf(run)) / (events.length * urls.length);
      if (round >= 0) results[name as Name].push(cost);
    }
  }
  for (const { stop } of running) await stop();
  for (const child of children) child.kill();
  const ratio = (name: Name): string => {
    const ratios = results[name].map((cost, round) => cost / (results.bare[round] ?? 1));
    const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((each) => each.toFixed(2));
    return `${name} ${median(results[name]).toFixed(1)} µs, ${median(ratios).toFixed(2)} times (${least} to ${most})`;
  };
  process.stdout.write(
    `${relays} relay${relays === 1 ? ' ' : 's'}  bare ws ${median(results.bare).toFixed(1)} µs  ` +
      `${ratio('recloser')}  ${ratio('nostr-tools')}\n`,
  );
}

const source = signedEvents('x'.repeat(200));
const template = source.next().value;
// Signing is not what is measured: ids only have to differ.
const events = Array.from({ length: EVENTS }, (_, index) => ({
  ...template,
  id: index.toString(16).padStart(64, '0'),
}));
process.stdout.write(
  `CPU of this process per acknowledged delivery, ${IN_FLIGHT} in flight, median of ${ROUNDS} rounds\n`,
);
await compare(1, events);
await compare(5, events.slice(0, EVENTS / 4));
