import { affinity } from './affinity.ts';
import type { Candidate, Request, Strategy } from './candidate.ts';
import { leastConnections } from './least-connections.ts';
import { leastLatency } from './least-latency.ts';
import { roundRobin, weighted } from './round-robin.ts';
import { geographic, priority } from './tiers.ts';
import { twoChoices } from './two-choices.ts';
import { weightedRandom } from './weighted-random.ts';
import { weightOf } from './weights.ts';

/** The strategies that have a name. */
export const STRATEGIES = {
  'two-choices': twoChoices,
  'round-robin': roundRobin,
  'least-connections': leastConnections,
  'least-latency': leastLatency,
  weighted,
  'weighted-random': weightedRandom,
  geographic,
  priority,
  affinity,
} as const satisfies Record<string, Strategy>;

export type StrategyName = keyof typeof STRATEGIES;

/** How long a turn is that a relay has had: by weight, where the strategy goes by weights. */
export const turnLength = (strategy: unknown, candidate: Candidate, request: Request): number =>
  strategy === weighted ? 1 / Math.max(weightOf(candidate, request), Number.MIN_VALUE) : 1;

/** Keys stay with a relay that is degraded; everybody else prefers one that is not. */
export const keepsDegraded = (strategy: unknown): boolean => strategy === affinity;
