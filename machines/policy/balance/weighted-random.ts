import type { Strategy } from './candidate.ts';
import { weightOf } from './weights.ts';

/** Drawn at random, by weight. */
export const weightedRandom: Strategy = (candidates, request) => {
  const weights = candidates.map((each) => weightOf(each, request));
  let left = request.random() * weights.reduce((sum, weight) => sum + weight, 0);
  return candidates.find((_, index) => {
    left -= weights[index] ?? 0;
    return left < 0;
  });
};
