import { describe, expect, test } from 'vitest';
import { INVARIANTS } from './invariants/index.ts';
import { drawPlan } from './plan.ts';
import { PRODUCT_FAULTS } from './product-faults.ts';
import { simulate } from './simulate.ts';

/** Within so many seeds the simulations have to find a fault. */
const SEEDS = 200;

async function firstBroken(): Promise<{ readonly seed: number; readonly ids: string } | undefined> {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { violation } = await simulate(drawPlan(seed));
    if (violation) return { seed, ids: violation.ids };
  }
  return undefined;
}

describe('a fault planted in the product is found', () => {
  test.each(PRODUCT_FAULTS)('$says', async ({ says, breaks, plant }) => {
    const undo = plant();
    try {
      const found = await firstBroken();
      console.log(`${says}: ${found ? `${found.ids} by seed ${found.seed}` : 'not found'}`);
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
