import { parseArgs } from 'node:util';
import { systemClock } from '../clock.ts';
import { createInspector } from '../inspect/index.ts';
import { type CreatePoolOptions, createPool, type Pool } from '../pool/create-pool.ts';
import { durationOf, numberOf, portOf, remark, say, type Verb } from './arguments.ts';
import { hasColours, isTerminal, onKeys, printEvery, redraw } from './display.ts';
import { playFaults, SCRIPT_MS } from './fault-script.ts';
import { FAULTS, LocalRelays } from './local-relays.ts';
import { Publisher } from './publisher.ts';
import { promiseLine, promises, summaryLines } from './summary.ts';
import { relayLine, relayTable } from './table.ts';

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

/** Five relays of our own, a pool, and whoever publishes through it. */
interface Stage {
  readonly relays: LocalRelays;
  readonly pool: Pool;
  readonly publisher: Publisher;
}

async function setUp(): Promise<Stage> {
  const relays = await LocalRelays.start(RELAYS);
  const pool = createPool({ ...BRISK, relays: relays.urls });
  const publisher = new Publisher(pool, COPIES, (id) => relays.stored.has(id));
  return { relays, pool, publisher };
}

/** Publishes while the script breaks the relays, and says how it went. */
async function runHeadless(stage: Stage, rate: number, runMs: number): Promise<void> {
  const { relays, pool, publisher } = stage;
  let going = '';
  const stopFaults = playFaults(relays.all, (names) => {
    going = names.join(', ');
  });
  const stopPrinting = printEvery(() => {
    const { published, confirmed, open } = publisher;
    const line = `published ${published}  confirmed ${confirmed}  open ${open}  | ${relayLine(pool.metrics())}`;
    return going ? `${line}  | ${going}` : line;
  }, remark);
  await publisher.publishFor(rate, runMs);
  stopPrinting();
  stopFaults();
}

/** The same with a table that is drawn over, keys that break things, and a page that shows it; it ends with `q`. */
async function runInteractive(stage: Stage, rate: number, runMs: number, port: number): Promise<void> {
  const { relays, pool, publisher } = stage;
  const inspector = await createInspector({
    pool,
    port,
    name: 'recloser demo',
    control: true,
    history: true,
    lost: () => publisher.lost,
    alerts: [
      { name: 'fewer than 3 relays serve', metric: 'activeConnections', below: 3, forMs: 500 },
      { name: 'failovers take over 500 ms', metric: 'failovers.msP99', above: 500, forMs: 0 },
    ],
    faults: FAULTS.map(({ name }) => ({ name, begin: (url) => relays.breakAt(url, name) })),
  });
  const ending = new AbortController();
  let selected = 0;
  let going = '';
  const play = (): (() => void) =>
    playFaults(relays.all, (names) => {
      going = names.join(', ');
    });
  let stopPlan: (() => void) | undefined = play();
  const repeat = setInterval(() => {
    stopPlan = stopPlan && play();
  }, SCRIPT_MS);
  const endPlan = (): void => {
    stopPlan?.();
    stopPlan = undefined;
  };
  const togglePlan = (): void => {
    if (stopPlan) endPlan();
    else stopPlan = play();
  };
  const stopKeys = onKeys((key) => {
    const fault = FAULTS[Number(key) - 1];
    if (key === 'q' && ending.signal.aborted) process.exit(1);
    else if (key === 'q') {
      // What is open could not be finished otherwise.
      for (const relay of relays.all) relay.heal();
      ending.abort();
    } else if (key === 'up') selected = Math.max(0, selected - 1);
    else if (key === 'down') selected = Math.min(RELAYS - 1, selected + 1);
    else if (key === 'p') togglePlan();
    else if (fault) {
      // Whoever breaks things by hand wants to see what follows from that alone.
      endPlan();
      relays.breakAt(relays.urls[selected], fault.name);
    }
  });
  const stopDrawing = redraw(() => {
    const { published, confirmed, open } = publisher;
    const plan = stopPlan ? going || 'all is well' : 'by hand';
    const rows = relayTable(pool.metrics(), systemClock.now(), hasColours());
    return [
      `page       ${inspector.url}`,
      `keys       ${FAULTS.map(({ name }, index) => `${index + 1} ${name}`).join('  ')}  ↑ ↓ relay  p plan  q end`,
      `published  ${published}  confirmed ${confirmed}  open ${open}  lost ${publisher.lost}   ${plan}`,
      '',
      ...rows.map((row, index) => `${index === selected + 1 ? '›' : ' '} ${row}`),
    ];
  });
  await publisher.publishFor(rate, runMs, ending.signal);
  clearInterval(repeat);
  stopKeys();
  endPlan();
  stopDrawing();
  await inspector.stop();
}

export const demo: Verb = {
  usage: `demo [--headless] [DURATION] [--rate N] [--port N]
    Publishes to five relays of its own and breaks them. On a terminal with a table, keys and the page, until q is
    pressed; headless, or without a terminal, once through everything that can go wrong, or for as long as is said (as 30s
    or 2m), with a summary at the end and the promises that were kept or broken. Exits with 1 if one was broken.`,
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        headless: { type: 'boolean' },
        rate: { type: 'string' },
        port: { type: 'string' },
      },
    });
    const isInteractive = isTerminal() && !values.headless;
    const rate = numberOf('rate', values.rate, 50);
    const runMs = durationOf(positionals, isInteractive ? 86_400_000 : SCRIPT_MS);
    const port = portOf(values.port);
    const stage = await setUp();
    try {
      if (isInteractive) await runInteractive(stage, rate, runMs, port);
      else await runHeadless(stage, rate, runMs);
    } finally {
      await stage.pool.close();
      await stage.relays.stop();
    }
    const summary = stage.publisher.summary(stage.relays.repeats);
    say('');
    for (const line of summaryLines(summary)) say(line);
    const all = promises(summary);
    for (const each of all) say(promiseLine(each));
    return all.every(({ brokenBy }) => brokenBy === 0) ? 0 : 1;
  },
};
