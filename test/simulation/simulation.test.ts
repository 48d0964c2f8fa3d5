import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { drawPlan, type Plan } from './plan.ts';
import { PRODUCT_FAULTS } from './product-faults.ts';
import { report } from './report.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulate.ts';

/** Everything that must have happened somewhere, or the simulations would say little. */
const MARKS = [
  'idle',
  'connecting',
  'connected',
  'degraded',
  'half-open',
  'closing',
  'backoff',
  'open-circuit',
  'locked-out',
  'stopped',
  'circuit-consecutive',
  'circuit-ratio',
  'circuit-trial',
  'circuit-refused',
  'outcome-accepted',
  'outcome-rejected',
  'receipt-confirmed',
  'receipt-partly-confirmed',
  'receipt-pending',
  'receipt-failed',
  'failed-rejected',
  'failed-expired',
  'failed-closed',
  'failed-evicted',
  'failed-superseded',
  'kept',
  'rogue',
  'resized',
  'subscribed',
  'subscription-closed',
  'stored-complete',
  'questioned',
  'answered-completely',
  'authenticated',
  'read',
  'closed',
] as const;

/** Runs seeds until one breaks something; what broke, as a report. */
async function broken(first: number, count: number, marks?: Map<string, number>): Promise<string | undefined> {
  const started = process.cpuUsage();
  let simulatedMs = 0;
  for (let seed = first; seed < first + count; seed += 1) {
    const plan = drawPlan(seed);
    const outcome = await simulate(plan);
    if (outcome.violation) return report(plan);
    simulatedMs += outcome.simulatedMs;
    for (const [mark, times] of outcome.marks) marks?.set(mark, (marks.get(mark) ?? 0) + times);
  }
  const { user, system } = process.cpuUsage(started);
  const cpuS = (user + system) / 1e6;
  console.log(
    `seeds ${first} to ${first + count - 1}: ${(simulatedMs / 3_600_000).toFixed(1)} simulated hours, ` +
      `${(count / cpuS).toFixed(1)} seeds and ${(simulatedMs / 1_000 / cpuS).toFixed(0)} simulated seconds a CPU second`,
  );
  return undefined;
}

async function traceOf(plan: Plan): Promise<string> {
  const lines: string[] = [];
  await simulate(plan, (line) => lines.push(line));
  return lines.join('\n');
}

describe('in a world where everything goes wrong', () => {
  test('no promise is broken, and everything has happened', async () => {
    const marks = new Map<string, number>();
    expect(await broken(1, 80, marks)).toBeUndefined();
    expect(MARKS.filter((mark) => !marks.has(mark))).toEqual([]);
  });

  test('no promise is broken by seeds that nobody has tried', async () => {
    expect(await broken(randomInt(1_000_000, 2 ** 40), 15)).toBeUndefined();
  });

  test('the same seed tells the same story, word for word', async () => {
    for (const seed of [1, 42, 1_049]) {
      const story = await traceOf(drawPlan(seed));
      expect(story.length).toBeGreaterThan(1_000);
      expect(await traceOf(drawPlan(seed))).toBe(story);
    }
    expect(await traceOf(drawPlan(1))).not.toBe(await traceOf(drawPlan(2)));
  });

  test('a plan survives being written down and read again', async () => {
    const plan = drawPlan(7);
    expect(await traceOf(JSON.parse(JSON.stringify(plan)))).toBe(await traceOf(plan));
  });

  const corpus = new URL('corpus/', import.meta.url);
  test.each(readdirSync(corpus))('what once broke a promise does not again: %s', async (name) => {
    const plan = JSON.parse(readFileSync(new URL(name, corpus), 'utf8')) as Plan;
    const { violation } = await simulate(plan);
    expect(violation === undefined ? undefined : await report(plan)).toBeUndefined();
  });

  test('a failing plan is made smaller, and still fails in the same way', async () => {
    const fault = PRODUCT_FAULTS.find(({ says }) => says.startsWith('one probe closes'));
    const undo = fault?.plant();
    try {
      let plan = drawPlan(1);
      let { violation } = await simulate(plan);
      for (let seed = 2; !violation?.ids.includes('S9') && seed <= 50; seed += 1) {
        plan = drawPlan(seed);
        ({ violation } = await simulate(plan));
      }
      expect(violation?.ids).toContain('S9');
      const small = await shrink(plan);
      expect(small.plan.ops.length).toBeLessThan(plan.ops.length / 10);
      expect((await simulate(small.plan)).violation?.ids).toBe(violation?.ids);
      expect(await report(small.plan)).toContain('breaks S9');
    } finally {
      undo?.();
    }
  });
});
