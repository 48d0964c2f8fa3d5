import { parseArgs } from 'node:util';
import { adapterOf } from './adapters.ts';
import { playInNamespace, whyNoNamespace } from './namespace.ts';
import { BRISK_PACE, DEFAULT_PACE } from './pace.ts';
import { play, recloser, type Verdict } from './play.ts';
import { RemoteRelay } from './remote-relay.ts';
import { SCENARIOS } from './scenarios/index.ts';

const USAGE = `usage: npm run faults -- [--brisk] [--with NAME …] [--only TEXT]

Plays every fault of the bench on real sockets, with relays in processes of their own behind a TCP fault proxy, and
prints what was observed and when.

  --brisk      with delays about twenty times shorter than the defaults
  --with NAME  also try another pool, by its adapter in test/faults/adapters
  --only TEXT  only scenarios that have this in their name`;

const { values } = parseArgs({
  options: {
    brisk: { type: 'boolean', default: false },
    with: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const milliseconds = (ms: number): string => (ms < 10_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`);

function cell(verdict: Verdict | undefined): string {
  if (!verdict) return '–';
  if (verdict.problem === undefined) return `pass ${milliseconds(verdict.tookMs ?? 0)}`;
  return verdict.tookMs === undefined ? 'FAIL' : `FAIL ${milliseconds(verdict.tookMs)}`;
}

/** Columns as wide as what is in them. */
function row(name: string, observe: string, limit: string, cells: readonly string[]): string {
  return [
    name.slice(0, 62).padEnd(63),
    limit.padStart(8),
    ...cells.map((each) => each.padStart(16)),
    `  ${observe}`,
  ].join('');
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const paceName = values.brisk ? 'brisk' : 'default';
  const pace = values.brisk ? BRISK_PACE : DEFAULT_PACE;
  const others = await Promise.all(values.with.map(adapterOf));
  const adapters = [recloser(pace), ...others];
  const scenarios = SCENARIOS.filter(({ name }) => name.includes(values.only));
  const relays = [await RemoteRelay.start(), await RemoteRelay.start(), await RemoteRelay.start()] as const;
  // What another pool throws where nobody can catch it is told, and ends nothing here.
  const uncaught: unknown[] = [];
  process.on('uncaughtException', (error) => uncaught.push(error));
  process.on('unhandledRejection', (error) => uncaught.push(error));
  console.log(
    row(
      'scenario',
      'must be observed',
      'within',
      adapters.map(({ name }) => name),
    ),
  );
  const own: Verdict[] = [];
  for (const scenario of scenarios.filter(({ needs }) => needs === undefined)) {
    const verdicts: (Verdict | undefined)[] = [];
    for (const [index, adapter] of adapters.entries()) {
      const applies = index === 0 || scenario.general === true;
      verdicts.push(applies ? await play(scenario, relays, adapter, pace) : undefined);
    }
    if (verdicts[0]) own.push(verdicts[0]);
    console.log(row(scenario.name, scenario.observe, milliseconds(scenario.within(pace)), verdicts.map(cell)));
    for (const verdict of verdicts) if (verdict?.problem !== undefined) console.log(`    ${verdict.problem}`);
  }
  await Promise.all(relays.map((relay) => relay.end()));
  const why = whyNoNamespace();
  if (why !== undefined) console.log(`black holes were not tried: ${why}`);
  else if (values.only === '') {
    for (const verdict of await playInNamespace(paceName)) {
      own.push(verdict);
      const rest = others.map(() => '–');
      console.log(row(verdict.name, verdict.observe, milliseconds(verdict.limitMs), [cell(verdict), ...rest]));
      if (verdict.problem !== undefined) console.log(`    ${verdict.problem}`);
    }
  }
  const failed = own.filter(({ problem }) => problem !== undefined).length;
  console.log(`\n${own.length - failed} of ${own.length} pass`);
  for (const error of uncaught) console.log(`uncaught: ${String(error)}`);
  return failed === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  },
);
