import { APERTURE, BALANCE } from '../limits.ts';
import type { Candidate, Strategy } from './candidate.ts';
import { betterOfTwo } from './two-choices.ts';

const latencyOf = ({ latencyMs }: Candidate): number => latencyMs ?? BALANCE.unknownMs;

/**
 * The cheaper of two among the fastest. Never the fastest of all: whoever sends everything there makes it the slowest, and
 * a relay that answers nothing keeps the latency that it had when it still did.
 */
export const leastLatency: Strategy = (candidates, { random }) => {
  const fastest = [...candidates].sort((a, b) => latencyOf(a) - latencyOf(b));
  const size = Math.max(APERTURE.least, Math.ceil(candidates.length * APERTURE.share));
  return betterOfTwo(fastest.slice(0, size), (a, b) => a.costMs < b.costMs, random);
};
