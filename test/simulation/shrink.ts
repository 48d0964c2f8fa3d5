import type { Op, Plan } from './plan.ts';
import { simulate } from './simulate.ts';

/** A smaller plan that breaks the same promise, and how many runs it took to find it. */
export interface Shrunk {
  readonly plan: Plan;
  readonly runs: number;
}

/** Times that a plan is run at most while it is made smaller. */
const RUNS_MAX = 400;

/**
 * Makes a plan that fails smaller: leaves out operations, by halves first (delta debugging, Zeller and Hildebrandt 2002),
 * then shortens what lasts. Every part of a simulation has dice of its own, so the others hardly notice what is left out.
 */
export async function shrink(plan: Plan): Promise<Shrunk> {
  let runs = 0;
  const ids = (await simulate(plan)).violation?.ids;
  if (ids === undefined) throw new Error('This plan does not fail, so there is nothing to make smaller.');
  const breaks = async (candidate: Plan): Promise<boolean> => {
    if (runs >= RUNS_MAX) return false;
    runs += 1;
    return (await simulate(candidate)).violation?.ids === ids;
  };
  let smallest = plan;
  const tryOps = async (ops: readonly Op[]): Promise<boolean> => {
    const candidate = { ...smallest, ops };
    if (!(await breaks(candidate))) return false;
    smallest = candidate;
    return true;
  };
  for (let parts = 2; smallest.ops.length > 0 && parts <= 2 * smallest.ops.length && runs < RUNS_MAX; ) {
    const size = Math.max(1, Math.ceil(smallest.ops.length / parts));
    let left = false;
    for (let from = 0; from < smallest.ops.length; ) {
      const without = [...smallest.ops.slice(0, from), ...smallest.ops.slice(from + size)];
      if (await tryOps(without)) left = true;
      else from += size;
    }
    if (!left) parts *= 2;
    else parts = Math.max(2, parts - 1);
  }
  const last = smallest.ops.at(-1)?.at ?? 0;
  for (const chaosMs of [last + 1, last + 10_000]) {
    const candidate = { ...smallest, chaosMs };
    if (chaosMs < smallest.chaosMs && (await breaks(candidate))) smallest = candidate;
  }
  for (const [index, op] of smallest.ops.entries()) {
    if (!('forMs' in op)) continue;
    for (const forMs of [op.forMs / 8, op.forMs / 2]) {
      const shorter = smallest.ops.map((each, at) => (at === index ? { ...op, forMs: Math.round(forMs) } : each));
      if (await tryOps(shorter)) break;
    }
  }
  return { plan: smallest, runs };
}
