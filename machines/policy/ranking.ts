import { betterOfTwo } from './balance/two-choices.ts';
import { isOutOfService, type RelayStatus } from './status.ts';

/** What the choice between relays looks at. */
export interface Candidate {
  readonly status: RelayStatus;
  /** Expected milliseconds to success there, times what waits. */
  readonly costMs: number;
}

function tier(status: RelayStatus): number {
  if (status === 'connected') return 0;
  if (status === 'degraded') return 1;
  if (isOutOfService(status)) return 3;
  return 2;
}

/** The relay to ask next: healthy before degraded, either before what is down; among equals the cheaper of two drawn. */
export function choose<Each extends Candidate>(candidates: readonly Each[], random: () => number): Each | undefined {
  const best = Math.min(...candidates.map(({ status }) => tier(status)));
  const equals = candidates.filter(({ status }) => tier(status) === best);
  return betterOfTwo(equals, (a, b) => a.costMs < b.costMs, random);
}
