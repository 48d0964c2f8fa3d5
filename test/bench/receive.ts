import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { signedEvents } from '../../dist/src/testing/index.js';
import { bareEvents, notes } from './notes.ts';
import type { Reception } from './receiver-process.ts';
import { StoredRelays } from './stored-relays.ts';

const ROUNDS = 9;
/** Until everything is compiled, and memory has settled. */
const WARM_UP = 3;
/** How often each receives all events in a round, after it has done so once to wake up: it has slept while others had their turn. */
const TIMES = 4;
const ROUNDS_VERIFIED = 9;
const WARM_UP_VERIFIED = 2;
/** Events that fill what is read at once. */
const BULK = 128;

/** Somebody who receives from some relays, in a process of its own. */
class Receiver {
  readonly name: string;
  readonly #child: ChildProcess;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
  }

  /** `anew` has it connect each time: what a pool has verified it need not verify again. Nothing where it cannot be. */
  static async start(name: string, urls: readonly string[], anew = false): Promise<Receiver | undefined> {
    const program = new URL('./receiver-process.ts', import.meta.url);
    const child = fork(program, [name, anew ? 'anew' : 'once', ...urls], { execArgv: ['--import', 'tsx'] });
    const isReady = await Promise.race([
      once(child, 'message').then(() => true),
      once(child, 'exit').then(() => false),
    ]);
    return isReady ? new Receiver(name, child) : undefined;
  }

  async receive(times = 1): Promise<Reception> {
    const over = new AbortController();
    const heard = ['message', 'exit'].map((event) => once(this.#child, event, { signal: over.signal }));
    this.#child.send(times);
    const [reception] = await Promise.race(heard);
    over.abort();
    if (typeof reception !== 'object' || reception === null) throw new Error(`${this.name} has ended: ${reception}`);
    return reception as Reception;
  }

  stop(): void {
    this.#child.kill();
  }
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** How many times as large as the other's, in the same round. */
const ratiosTo = (values: readonly number[], others: readonly number[]): readonly number[] =>
  values.map((value, round) => value / (others[round] ?? 1));

async function withoutVerifying(relays: number, events: readonly object[], together: number): Promise<void> {
  const stored = await StoredRelays.start(relays, events, together);
  const receivers: Receiver[] = [];
  for (const name of ['bare', 'ws alone', 'recloser', 'nostr-tools']) {
    const receiver = await Receiver.start(name, stored.urls);
    if (receiver) receivers.push(receiver);
  }
  const costs = new Map(receivers.map(({ name }) => [name, [] as number[]]));
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    for (const receiver of receivers) {
      await receiver.receive();
      const reception = await receiver.receive(TIMES);
      if (reception.events < events.length * TIMES) {
        throw new Error(`${receiver.name}: ${reception.events} of ${events.length * TIMES} events were received`);
      }
      if (round >= 0) costs.get(receiver.name)?.push(reception.cpuMicros / (events.length * TIMES * relays));
    }
  }
  for (const receiver of receivers) receiver.stop();
  stored.stop();
  const line = [...costs].map(([name, each]) => {
    const ratios = ratiosTo(each, costs.get('bare') ?? []);
    const [low, high] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2));
    return `${name} ${median(each).toFixed(1)} µs, ${median(ratios).toFixed(2)} times (${low} to ${high})`;
  });
  const how = together === 1 ? 'one by one' : 'in bulk';
  process.stdout.write(`  ${events.length} from ${relays}, ${how.padEnd(10)}  ${line.join('  ')}\n`);
}

/** Whom others are measured by. */
const WASM = 'nostr-tools, its WASM';

async function withVerifying(events: readonly object[], authors: number): Promise<void> {
  const stored = await StoredRelays.start(1, events);
  process.stdout.write(`${events.length} events of ${authors} authors from one relay, verified\n`);
  const receivers: Receiver[] = [];
  for (const name of [WASM, 'recloser, workers', 'recloser, native']) {
    const receiver = await Receiver.start(name, stored.urls, true);
    if (receiver) receivers.push(receiver);
    else process.stdout.write(`  ${name}: was not tried\n`);
  }
  const rates = new Map(receivers.map(({ name }) => [name, [] as number[]]));
  for (let round = -WARM_UP_VERIFIED; round < ROUNDS_VERIFIED; round += 1) {
    for (const receiver of receivers) {
      const reception = await receiver.receive();
      if (reception.events !== events.length) {
        throw new Error(`${receiver.name}: ${reception.events} of ${events.length} events were received`);
      }
      if (round < 0) continue;
      const perSecond = reception.events / reception.seconds;
      rates.get(receiver.name)?.push(perSecond);
      process.stdout.write(`  ${receiver.name.padEnd(24)}${perSecond.toFixed(0).padStart(7)} a second`);
      process.stdout.write(`, longest block ${reception.longestBlockMs.toFixed(0)} ms\n`);
    }
  }
  for (const receiver of receivers) receiver.stop();
  stored.stop();
  const base = rates.get(WASM) ?? [];
  for (const [name, each] of rates) {
    process.stdout.write(`  ${name}: ${median(ratiosTo(each, base)).toFixed(2)} times as many\n`);
  }
}

process.stdout.write(`CPU of a process per event that arrives, not verified, median of ${ROUNDS} rounds\n`);
for (const [what, events] of [
  ['notes', notes(50_000)],
  ['bare events', bareEvents(50_000)],
] as const) {
  const bytes = events.reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event)), 0);
  process.stdout.write(`${what}, of ${Math.round(bytes / events.length)} bytes\n`);
  for (const together of [1, BULK]) {
    await withoutVerifying(1, events, together);
    await withoutVerifying(5, events.slice(0, 10_000), together);
  }
}

const SIGNED = 6_000;
/** As in what somebody follows. */
const AUTHORS = 300;
const authors = Array.from({ length: AUTHORS }, () => signedEvents('x'.repeat(200)));
await withVerifying(
  Array.from({ length: SIGNED / AUTHORS }, () => authors.map((author) => author.next().value)).flat(),
  AUTHORS,
);
