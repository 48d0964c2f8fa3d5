import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { drawPlan, type Plan } from './plan.ts';
import { report } from './report.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulate.ts';

const USAGE = `usage: npm run simulate -- [--seed N] [--seeds N] [--hours N] [--shrink] [--trace] [--plan FILE] [--save FILE]

Runs whole pools in a simulated world where everything goes wrong, and looks for broken promises. A seed decides
everything: the same seed tells the same story.

  --seed N     the first seed; 1 unless given
  --seeds N    how many seeds to run; 1 unless given
  --hours N    simulated hours in which things go wrong, for each seed; half a minute to ten unless given
  --shrink     make the plan of a seed that fails smaller
  --trace      print everything that happens
  --plan FILE  run the plan in this file instead of drawing one
  --save FILE  write the plan that failed to this file`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    hours: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    plan: { type: 'string' },
    save: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0) || value > Number.MAX_SAFE_INTEGER) throw new Error(`--${name} takes a number above 0.`);
  return value;
}

async function* plans(): AsyncGenerator<Plan> {
  if (values.plan !== undefined) {
    yield JSON.parse(await readFile(values.plan, 'utf8')) as Plan;
    return;
  }
  const first = Math.floor(Number(values.seed));
  if (!Number.isSafeInteger(first)) throw new Error('--seed takes a whole number.');
  const hours = values.hours === undefined ? undefined : positive('hours', values.hours);
  for (let seed = first; seed < first + positive('seeds', values.seeds); seed += 1) yield drawPlan(seed, hours);
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const started = process.cpuUsage();
  const marks = new Map<string, number>();
  let count = 0;
  let simulatedMs = 0;
  for await (const plan of plans()) {
    const outcome = await simulate(plan, values.trace ? (line) => console.log(line) : undefined);
    count += 1;
    simulatedMs += outcome.simulatedMs;
    for (const [mark, times] of outcome.marks) marks.set(mark, (marks.get(mark) ?? 0) + times);
    if (outcome.violation === undefined) continue;
    console.log(await report(plan));
    const failing = values.shrink ? await shrink(plan) : { plan, runs: 0 };
    if (values.shrink) {
      console.log(`\n${plan.ops.length} operations became ${failing.plan.ops.length} in ${failing.runs} runs:\n`);
      for (const op of failing.plan.ops) console.log(`  ${JSON.stringify(op)}`);
      console.log(`\n${await report(failing.plan)}`);
    }
    if (values.save !== undefined) await writeFile(values.save, `${JSON.stringify(failing.plan, undefined, 2)}\n`);
    return 1;
  }
  const { user, system } = process.cpuUsage(started);
  const cpuS = (user + system) / 1e6;
  console.log(`${count} seeds, ${(simulatedMs / 3_600_000).toFixed(1)} simulated hours, no promise broken`);
  console.log(
    `${cpuS.toFixed(1)} CPU s: ${(count / cpuS).toFixed(1)} seeds and ${(simulatedMs / 1_000 / cpuS).toFixed(0)} simulated seconds a CPU second`,
  );
  console.log(
    [...marks]
      .sort()
      .map(([mark, times]) => `${mark} ${times}`)
      .join(', '),
  );
  return 0;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exitCode = 2;
  },
);
