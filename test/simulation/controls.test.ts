import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { INVARIANTS } from './invariants/index.ts';
import { drawPlan, type Plan } from './plan.ts';
import { PRODUCT_FAULTS } from './product-faults.ts';
import { simulate } from './simulate.ts';

/** Within so many seeds the simulations have to find a fault. */
const SEEDS = 200;

/** What breaks first: in a plan that is known, or by the first seeds. */
async function firstBroken(name?: string): Promise<{ readonly by: string; readonly ids: string } | undefined> {
  if (name !== undefined) {
    const plan = JSON.parse(await readFile(new URL(`corpus/${name}.json`, import.meta.url), 'utf8')) as Plan;
    const { violation } = await simulate(plan);
    return violation && { by: name, ids: violation.ids };
  }
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { violation } = await simulate(drawPlan(seed));
    if (violation) return { by: `seed ${seed}`, ids: violation.ids };
  }
  return undefined;
}

describe('a fault planted in the product is found', () => {
  test.each(PRODUCT_FAULTS)('$says', async ({ says, breaks, plan, plant }) => {
    const undo = plant();
    try {
      const found = await firstBroken(plan);
      console.log(`${says}: ${found ? `${found.ids} by ${found.by}` : 'not found'}`);
      expect(found?.ids.split(' ').some((id) => breaks.includes(id))).toBe(true);
    } finally {
      undo();
    }
  });

  test('in every family of promises', () => {
    const found = new Set(PRODUCT_FAULTS.flatMap(({ breaks }) => breaks));
    const without = INVARIANTS.filter(({ ids }) => !ids.split(' ').some((id) => found.has(id))).map(({ ids }) => ids);
    expect(without).toEqual([]);
  });
});
