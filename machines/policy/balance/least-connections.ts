import type { Strategy } from './candidate.ts';
import { betterOfTwo } from './two-choices.ts';

/** The one of two at which less waits (power of two choices; Mitzenmacher 2001). */
export const leastConnections: Strategy = (candidates, { random }) =>
  betterOfTwo(candidates, (a, b) => a.load / a.weight < b.load / b.weight, random);
