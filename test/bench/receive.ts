import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { AbstractSimplePool } from 'nostr-tools/abstract-pool';
import { setNostrWasm, verifyEvent as verifyByWasm } from 'nostr-tools/wasm';
import { initNostrWasm } from 'nostr-wasm';
import WebSocket from 'ws';
// Measured is what ships: the built package, with XState's production build.
import { createPool, type Verifier } from '../../dist/src/index.js';
import { signedEvents } from '../../dist/src/testing/index.js';
import { createNativeVerifier } from '../../dist/src/verify/native-verifier.js';
import { createWorkerVerifier } from '../../dist/src/verify/worker-verifier.js';
import { StoredRelays } from './stored-relays.ts';

const ROUNDS = 9;
const WARM_UP = 5;
/** Events that fill what is read at once. */
const BULK = 128;

/** Connects to some relays. */
type Contender = (urls: readonly string[]) => Promise<{
  /** Receives everything that they have stored, and says how many events it got. */
  receive(): Promise<number>;
  stop(): Promise<void>;
}>;

/** What anybody would write: a socket per relay, and JSON. It takes what comes twice for two. */
const bare: Contender = async (urls) => {
  const sockets = urls.map((url) => new WebSocket(url, { perMessageDeflate: false }));
  await Promise.all(sockets.map((socket) => once(socket, 'open')));
  let received = 0;
  let ended = (): void => {};
  for (const socket of sockets) {
    socket.on('message', (data) => {
      const [type] = JSON.parse(data.toString());
      if (type === 'EVENT') received += 1;
      else if (type === 'EOSE') ended();
    });
  }
  return {
    receive: async () => {
      received = 0;
      await new Promise<void>((resolve) => {
        let left = sockets.length;
        ended = () => {
          left -= 1;
          if (left === 0) resolve();
        };
        for (const socket of sockets) socket.send('["REQ","s",{"kinds":[1]}]');
      });
      return received;
    },
    stop: async () => {
      for (const socket of sockets) socket.terminate();
    },
  };
};

const recloser =
  (verifier?: Verifier): Contender =>
  async (urls) => {
    const pool = createPool({
      relays: urls,
      trust: { allowPrivate: true },
      verify: verifier !== undefined,
      subscribe: { storedTimeoutMs: 600_000 },
      ...(verifier ? { verifier } : {}),
    });
    const receive = async (): Promise<number> => {
      let received = 0;
      await new Promise((resolve) => {
        const subscription = pool.subscribe(
          { kinds: [1] },
          {
            onEvent: () => {
              received += 1;
            },
            onEose: (complete) => {
              subscription.close();
              resolve(complete);
            },
          },
        );
      });
      return received;
    };
    return { receive, stop: () => pool.close({ drainMs: 0 }) };
  };

/** The pool that most applications use, on the same `ws`. */
const nostrTools =
  (verifyEvent: (event: never) => boolean): Contender =>
  async (urls) => {
    const pool = new AbstractSimplePool({
      verifyEvent: verifyEvent as never,
      maxWaitForConnection: 5_000,
      websocketImplementation: WebSocket as never,
    });
    const receive = async (): Promise<number> => {
      let received = 0;
      await new Promise<void>((resolve) => {
        const subscription = pool.subscribe(
          [...urls],
          { kinds: [1] },
          {
            onevent: () => {
              received += 1;
            },
            oneose: () => {
              subscription.close();
              resolve();
            },
            maxWait: 600_000,
          },
        );
      });
      return received;
    };
    return { receive, stop: async () => pool.destroy() };
  };

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** CPU microseconds of this process. */
async function cpuOf(receive: () => Promise<number>, events: number): Promise<number> {
  const before = process.cpuUsage();
  const received = await receive();
  const { user, system } = process.cpuUsage(before);
  if (received < events) throw new Error(`${received} of ${events} events were received`);
  return user + system;
}

async function withoutVerifying(relays: number, events: readonly object[], together: number): Promise<void> {
  const contenders = { bare, recloser: recloser(), 'nostr-tools': nostrTools(() => true) } as const;
  const stored = await StoredRelays.start(relays, events, together);
  const results = new Map(Object.keys(contenders).map((name) => [name, [] as number[]]));
  // Each lives through all rounds, as in an application: what is measured is not the setting up.
  const running = await Promise.all(
    Object.entries(contenders).map(async ([name, contender]) => ({ name, ...(await contender(stored.urls)) })),
  );
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    for (const { name, receive } of running) {
      const each = (await cpuOf(receive, events.length)) / (events.length * relays);
      if (round >= 0) results.get(name)?.push(each);
    }
  }
  for (const { stop } of running) await stop();
  stored.stop();
  const least = results.get('bare') ?? [];
  const line = [...results].map(([name, costs]) => {
    const ratios = costs.map((each, round) => each / (least[round] ?? 1));
    const [low, high] = [Math.min(...ratios), Math.max(...ratios)].map((each) => each.toFixed(2));
    return `${name} ${median(costs).toFixed(1)} µs, ${median(ratios).toFixed(2)} times (${low} to ${high})`;
  });
  const how = together === 1 ? 'one by one' : 'in bulk';
  process.stdout.write(`${events.length} events from ${relays}, ${how.padEnd(10)}  ${line.join('  ')}\n`);
}

/** Events per second, and the longest time for which nothing else had its turn. */
async function withVerifying(
  name: string,
  contender: Contender,
  urls: readonly string[],
  events: number,
): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const started = performance.now();
  // Anew every round, for what a pool has verified it need not verify again.
  const { receive, stop } = await contender(urls);
  const received = await receive();
  const seconds = (performance.now() - started) / 1_000;
  delay.disable();
  await stop();
  if (received !== events) throw new Error(`${name}: ${received} of ${events} events were received`);
  const perSecond = events / seconds;
  process.stdout.write(`  ${name.padEnd(24)}${perSecond.toFixed(0).padStart(7)} a second`);
  process.stdout.write(`, longest block ${(delay.max / 1e6).toFixed(0)} ms\n`);
  return perSecond;
}

const source = signedEvents('x'.repeat(200));
const template = source.next().value;
// Where nothing is verified, it only has to look like chance.
const digits = (text: string): string => createHash('sha256').update(text).digest('hex');
const unsigned = Array.from({ length: 50_000 }, (_, index) => ({
  ...template,
  id: digits(`id ${index}`),
  pubkey: digits(`pubkey ${index}`),
  sig: digits(`r ${index}`) + digits(`s ${index}`),
}));
process.stdout.write(`CPU of this process per event that arrives, not verified, median of ${ROUNDS} rounds\n`);
for (const together of [1, BULK]) {
  await withoutVerifying(1, unsigned, together);
  await withoutVerifying(5, unsigned.slice(0, 10_000), together);
}

const SIGNED = 6_000;
/** As in what somebody follows. */
const AUTHORS = 300;
const authors = Array.from({ length: AUTHORS }, () => signedEvents('x'.repeat(200)));
const signed = Array.from({ length: SIGNED / AUTHORS }, () => authors.map((author) => author.next().value)).flat();
setNostrWasm(await initNostrWasm());
const stored = await StoredRelays.start(1, signed);
const worker = createWorkerVerifier();
process.stdout.write(`${SIGNED} events of ${AUTHORS} authors from one relay, verified\n`);
const contenders: readonly (readonly [string, Contender])[] = [
  ['nostr-tools, its WASM', nostrTools(verifyByWasm as never)],
  ['recloser, workers', recloser(worker)],
  ...(() => {
    try {
      return [['recloser, native', recloser(createNativeVerifier())] as const];
    } catch (error) {
      process.stdout.write(`  native was not tried: ${(error as Error).message}\n`);
      return [];
    }
  })(),
];
const rates = new Map<string, number[]>();
for (let round = 0; round < 7; round += 1) {
  for (const [name, contender] of contenders) {
    const rate = await withVerifying(name, contender, stored.urls, SIGNED);
    rates.set(name, [...(rates.get(name) ?? []), rate]);
  }
}
const [, base = []] = [...rates][0] ?? [];
for (const [name, each] of rates) {
  const ratios = each.map((rate, round) => rate / (base[round] ?? 1));
  process.stdout.write(`  ${name}: ${median(ratios).toFixed(2)} times as many\n`);
}
await worker.close();
stored.stop();
