import { isOutOfService, type RelayStatus } from './status.ts';

function tier(status: RelayStatus): number {
  if (status === 'connected') return 0;
  if (status === 'degraded') return 1;
  if (isOutOfService(status)) return 3;
  return 2;
}

/** Those that come first for their status: healthy before degraded, either before what is down. */
export function foremost<Each extends { readonly status: RelayStatus }>(candidates: readonly Each[]): readonly Each[] {
  let best = Number.POSITIVE_INFINITY;
  for (const { status } of candidates) best = Math.min(best, tier(status));
  return candidates.filter(({ status }) => tier(status) === best);
}
