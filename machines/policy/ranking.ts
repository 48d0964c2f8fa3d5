import { isOutOfService, type RelayStatus } from './status.ts';

/** What the choice between relays looks at. */
export interface Candidate {
  readonly status: RelayStatus;
  /** Messages that wait there for an acknowledgement or for their turn. */
  readonly load: number;
}

function tier(status: RelayStatus): number {
  if (status === 'connected') return 0;
  if (status === 'degraded') return 1;
  if (isOutOfService(status)) return 3;
  return 2;
}

/** Healthy before degraded, either before what is down, the less loaded first; equals stay in the order given. */
export function rank<Each extends Candidate>(candidates: readonly Each[]): Each[] {
  return [...candidates].sort((a, b) => tier(a.status) - tier(b.status) || a.load - b.load);
}
