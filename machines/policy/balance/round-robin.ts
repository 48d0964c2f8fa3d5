import type { Candidate, Strategy } from './candidate.ts';

/** Whoever has had the fewest turns. */
const leastTurns = <Each extends Candidate>(candidates: readonly Each[]): Each | undefined =>
  candidates.reduce<Each | undefined>((least, each) => (least && least.turns <= each.turns ? least : each), undefined);

/** One after the other. */
export const roundRobin: Strategy = (candidates) => leastTurns(candidates);

/**
 * One after the other, by weight: whoever has had the fewest turns for its weight (earliest deadline first, as in gRPC
 * proposal A58). A turn is as long as one divided by the weight.
 */
export const weighted: Strategy = (candidates) => leastTurns(candidates);
