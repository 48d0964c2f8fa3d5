import { DEGRADED } from './limits.ts';

/** The last calls on one connection, in numbers. */
export interface CallQuality {
  readonly calls: number;
  readonly slow: number;
  readonly failed: number;
}

export type DegradedReason = 'slow' | 'failing';

/** Milliseconds beyond which a call counts as slow: four times what is usual for this relay, within bounds. */
export function slowMs(medianMs: number): number {
  return Math.min(DEGRADED.slowMsMax, Math.max(DEGRADED.slowMsMin, DEGRADED.slowFactor * medianMs));
}

/** Why the connection should count as degraded now; empty when it should not. */
export function reasonsToDegrade(quality: CallQuality): readonly DegradedReason[] {
  if (quality.calls < DEGRADED.callsMin) return [];
  const reasons: DegradedReason[] = [];
  if (quality.slow / quality.calls >= DEGRADED.enterRatio) reasons.push('slow');
  if (quality.failed / quality.calls >= DEGRADED.enterRatio) reasons.push('failing');
  return reasons;
}

/**
 * Whether a degraded connection has recovered, by the calls since it became so: a lower threshold than the one that it
 * was entered by, and a dwell, so that it does not flap.
 */
export function hasRecovered(quality: CallQuality, degradedForMs: number): boolean {
  if (degradedForMs < DEGRADED.dwellMs || quality.calls < DEGRADED.recoveryCallsMin) return false;
  return quality.slow / quality.calls <= DEGRADED.exitRatio && quality.failed / quality.calls <= DEGRADED.exitRatio;
}
