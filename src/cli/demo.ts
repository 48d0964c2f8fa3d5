#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { RecloserError } from '../../machines/policy/error.ts';
import { systemClock } from '../clock.ts';
import { type CreatePoolOptions, createPool, type Pool } from '../pool/create-pool.ts';
import { FaultableRelay } from '../testing/relay/faultable-relay.ts';
import { FAULT_SCRIPT, SCRIPT_MS } from './fault-script.ts';
import { Publisher } from './publisher.ts';
import { brokenPromises, neededStandIn, type Summary, summaryLines } from './summary.ts';
import { relayLine, relayTable } from './table.ts';

const USAGE = `usage: npm start [-- [--seconds N] [--rate N] [wss://relay …]]

Publishes signed events at a steady rate. Without relays it starts five of its own, breaks them by a script, and exits
with 1 if an event was lost. With relays it publishes to those, one event a second, for thirty seconds.`;

const RELAYS = 5;
/** Each event goes to two relays, and one of them has to accept. */
const COPIES = 2;

/** Delays of seconds instead of minutes, so that half a minute shows a whole life. */
const BRISK: CreatePoolOptions = {
  connectTimeoutMs: 1_000,
  stableMs: 1_000,
  reconnect: { initialDelayMs: 200, maxDelayMs: 2_000, minDelayMs: 50, relaxation: 1 },
  breaker: { openMs: 500, openMaxMs: 2_000, halfOpenTimeoutMs: 1_000 },
  publish: { ackTimeoutMs: 400, resendDelayMs: 100 },
  trust: { allowPrivate: true },
};

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Draws the table over itself on a terminal, and prints a line a second elsewhere. */
function startDisplay(pool: Pool, publisher: Publisher, current: () => string): () => void {
  const isTerminal = process.stdout.isTTY === true;
  const colours = isTerminal && !process.env.NO_COLOR;
  let drawn = 0;
  const draw = (): void => {
    const metrics = pool.metrics();
    const counts = `published ${publisher.published}  confirmed ${publisher.confirmed}  open ${publisher.open}`;
    if (!isTerminal) return say(`${counts}  | ${relayLine(metrics)}${current() && `  | ${current()}`}`);
    const lines = [counts, current() || 'all is well', '', ...relayTable(metrics, systemClock.now(), colours)];
    const back = drawn === 0 ? '' : `\u001b[${drawn}A`;
    process.stdout.write(back + lines.map((line) => `\u001b[2K${line}\n`).join(''));
    drawn = lines.length;
  };
  const timer = setInterval(draw, isTerminal ? 100 : 1_000);
  return () => {
    clearInterval(timer);
    draw();
  };
}

/** Publishes `rate` events a second for a while, then waits until each has been settled. */
async function publishFor(publisher: Publisher, rate: number, forMs: number): Promise<void> {
  const started = systemClock.now();
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsed = systemClock.now() - started;
      // A late timer makes up for what it missed, so the rate is what it says.
      while (publisher.published < Math.floor((Math.min(elapsed, forMs) / 1_000) * rate)) publisher.publish();
      if (elapsed < forMs) return;
      clearInterval(timer);
      resolve();
    }, 5);
  });
  await publisher.settled();
}

function summarise(publisher: Publisher, relays: readonly FaultableRelay[], repeats: number): Summary {
  const { receipts } = publisher;
  const accepted = receipts.filter(({ status }) => status !== 'refused');
  const isStored = (id: string): boolean => relays.some((relay) => relay.store.events.has(id));
  const own = relays.length > 0;
  const undisturbed = receipts.filter((receipt) => !publisher.outlasted.has(receipt));
  return {
    published: publisher.published,
    confirmed: publisher.confirmed,
    refused: receipts.length - accepted.length,
    lost: own ? accepted.filter(({ id }) => !isStored(id)).length : undefined,
    deliveredTwice: own ? repeats : undefined,
    outlasted: publisher.outlasted.size,
    workedOffMs: publisher.workedOffMs,
    failoversMs: undisturbed.filter((each) => neededStandIn(each, COPIES)).map(({ confirmedMs = 0 }) => confirmedMs),
    latenciesMs: undisturbed.flatMap(({ confirmedMs }) => confirmedMs ?? []),
  };
}

/** Five relays of our own, broken by the script. */
async function demonstrate(rate: number, runMs: number): Promise<Summary> {
  const relays = await Promise.all(Array.from({ length: RELAYS }, () => FaultableRelay.start()));
  const told = new Set<string>();
  let repeats = 0;
  relays.forEach((relay, index) => {
    relay.events.on('stored', ({ id }) => {
      const key = `${index} ${id}`;
      if (told.has(key)) repeats += 1;
      told.add(key);
    });
  });
  const pool = createPool({ ...BRISK, relays: relays.map((relay) => relay.url) });
  const publisher = new Publisher(pool, { relays: COPIES });
  const going = new Set<string>();
  const timers = FAULT_SCRIPT.filter(({ atMs }) => atMs < runMs).flatMap((fault) => [
    setTimeout(() => {
      going.add(fault.name);
      fault.begin(relays);
    }, fault.atMs),
    setTimeout(() => {
      going.delete(fault.name);
      fault.end(relays);
    }, fault.atMs + fault.forMs),
  ]);
  const stopDisplay = startDisplay(pool, publisher, () => [...going].join(', '));
  await publishFor(publisher, rate, runMs);
  stopDisplay();
  for (const timer of timers) clearTimeout(timer);
  await pool.close();
  const summary = summarise(publisher, relays, repeats);
  await Promise.all(relays.map((relay) => relay.stop()));
  return summary;
}

/** Relays of other people: published to gently, and not broken. */
async function visit(urls: readonly string[], rate: number, runMs: number): Promise<Summary> {
  const pool = createPool({ relays: urls, trust: { allowPrivate: true, allowInsecure: true } });
  const publisher = new Publisher(pool, {});
  const stopDisplay = startDisplay(pool, publisher, () => '');
  await publishFor(publisher, rate, runMs);
  stopDisplay();
  await pool.close();
  return summarise(publisher, [], 0);
}

function positive(name: string, text: string | undefined, standard: number): number {
  const value = text === undefined ? standard : Number(text);
  if (!(value > 0 && value <= 3_600)) throw new RecloserError('INVALID_OPTION', `--${name} takes a number up to 3600.`);
  return value;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string' }, rate: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const own = positionals.length === 0;
  const runMs = positive('seconds', values.seconds, own ? SCRIPT_MS / 1_000 : 30) * 1_000;
  const rate = positive('rate', values.rate, own ? 50 : 1);
  const summary = own ? await demonstrate(rate, runMs) : await visit(positionals, rate, runMs);
  say('');
  for (const line of summaryLines(summary)) say(line);
  const broken = brokenPromises(summary);
  for (const promise of broken) say(`broken: ${promise}`);
  return broken.length === 0 ? 0 : 1;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`);
    process.exitCode = 2;
  },
);
