import type { Plan } from './plan.ts';
import { simulate } from './simulate.ts';

/** Lines of the trace that a report shows. */
const LINES = 40;

/** What broke, with the last that happened before, by running the plan once more. */
export async function report(plan: Plan): Promise<string> {
  const lines: string[] = [];
  const { violation } = await simulate(plan, (line) => {
    lines.push(line.length > 200 ? `${line.slice(0, 200)}…` : line);
    if (lines.length > LINES) lines.shift();
  });
  if (!violation) return `seed ${plan.seed}: no promise broken`;
  return [
    `seed ${plan.seed} breaks ${violation.ids} after ${(violation.at / 1_000).toFixed(3)} s: ${violation.problem}`,
    `again: npm run simulate -- --seed ${plan.seed}   smaller: npm run simulate -- --seed ${plan.seed} --shrink`,
    '',
    ...lines,
  ].join('\n');
}
