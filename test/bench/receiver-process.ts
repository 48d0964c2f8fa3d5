// One who receives, in a process of its own, so that nobody pays for another's garbage: its name, whether it begins anew each
// time, and the URLs of the relays are its arguments. As often as its parent says, it receives all that they have stored, and says
// what that took.
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { AbstractSimplePool } from 'nostr-tools/abstract-pool';
import { setNostrWasm, verifyEvent as verifyByWasm } from 'nostr-tools/wasm';
import { initNostrWasm } from 'nostr-wasm';
import WebSocket from 'ws';
// Measured is what ships: the built package, with XState's production build.
import { createPool, type Verifier } from '../../dist/src/index.js';
import { createNativeVerifier } from '../../dist/src/verify/native-verifier.js';
import { createWorkerVerifier } from '../../dist/src/verify/worker-verifier.js';

/** What receiving everything took. */
export interface Reception {
  readonly events: number;
  /** Of all threads of the process. */
  readonly cpuMicros: number;
  readonly seconds: number;
  /** The longest time for which nothing else had its turn. */
  readonly longestBlockMs: number;
}

/** Connects to some relays. */
type Contender = (urls: readonly string[]) => Promise<{
  /** Receives everything that they have stored, and says how many events it got. */
  receive(): Promise<number>;
  stop(): Promise<void>;
}>;

/** A socket per relay. What is no event ends what was asked for. */
const sockets =
  (isEvent: (frame: Buffer) => boolean): Contender =>
  async (urls) => {
    const open = urls.map((url) => new WebSocket(url, { perMessageDeflate: false }));
    await Promise.all(open.map((socket) => once(socket, 'open')));
    let received = 0;
    let ended = (): void => {};
    for (const socket of open) {
      socket.on('message', (frame: Buffer) => {
        if (isEvent(frame)) received += 1;
        else ended();
      });
    }
    return {
      receive: async () => {
        received = 0;
        await new Promise<void>((resolve) => {
          let left = open.length;
          ended = () => {
            left -= 1;
            if (left === 0) resolve();
          };
          for (const socket of open) socket.send('["REQ","s",{"kinds":[1]}]');
        });
        return received;
      },
      stop: async () => {
        for (const socket of open) socket.terminate();
      },
    };
  };

/** What anybody would write: a socket per relay, and JSON. It takes what comes twice for two. */
const bare = sockets((frame) => JSON.parse(frame.toString())[0] === 'EVENT');

/** The least that it takes to hear of every frame, without reading it. */
const EVENT_BYTE = '["EV'.charCodeAt(3);
const wsAlone = sockets((frame) => frame[3] === EVENT_BYTE);

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

const CONTENDERS: Readonly<Record<string, () => Contender | Promise<Contender>>> = {
  bare: () => bare,
  'ws alone': () => wsAlone,
  recloser: () => recloser(),
  'nostr-tools': () => nostrTools(() => true),
  'recloser, workers': () => recloser(createWorkerVerifier()),
  'recloser, native': () => recloser(createNativeVerifier()),
  'nostr-tools, its WASM': async () => {
    setNostrWasm(await initNostrWasm());
    return nostrTools(verifyByWasm as never);
  },
};

const [name = '', when, ...urls] = process.argv.slice(2);
const contender = await CONTENDERS[name]?.();
if (!contender) throw new Error(`nobody is called ${name}`);
const isAnew = when === 'anew';
let running: Awaited<ReturnType<Contender>> | undefined;

async function receive(times: number): Promise<Reception> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  if (isAnew) delay.enable();
  const before = process.cpuUsage();
  const started = performance.now();
  running ??= await (contender as Contender)(urls);
  let events = 0;
  for (let count = 0; count < times; count += 1) events += await running.receive();
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(before);
  delay.disable();
  if (isAnew) {
    await running.stop();
    running = undefined;
  }
  return { events, cpuMicros: user + system, seconds, longestBlockMs: delay.max / 1e6 };
}

process.on('message', async (times: number) => process.send?.(await receive(times)));
if (!isAnew) running = await contender(urls);
process.send?.('ready');
