import { DEGRADED } from './limits.ts';

/** The last calls on one connection, in numbers, and what else there is to say of it. */
export interface CallQuality {
  readonly calls: number;
  readonly slow: number;
  readonly failed: number;
  /** The relay has asked to be asked less often, a moment ago. */
  readonly paced: boolean;
  /** What was sent has not left for a while. */
  readonly congested: boolean;
  /** Answers scatter by more than they take. */
  readonly erratic: boolean;
}

/** `capped`: the circuit would open, but too many have already. */
export type DegradedReason = 'slow' | 'failing' | 'paced' | 'congested' | 'erratic' | 'capped';

/** Milliseconds beyond which a call counts as slow: four times what is usual for this relay, within bounds. */
export function slowMs(medianMs: number): number {
  return Math.min(DEGRADED.slowMsMax, Math.max(DEGRADED.slowMsMin, DEGRADED.slowFactor * medianMs));
}

/** Why the connection should count as degraded now; empty when it should not. */
export function reasonsToDegrade(quality: CallQuality): readonly DegradedReason[] {
  const reasons: DegradedReason[] = [];
  if (quality.calls >= DEGRADED.callsMin) {
    if (quality.slow / quality.calls >= DEGRADED.enterRatio) reasons.push('slow');
    if (quality.failed / quality.calls >= DEGRADED.enterRatio) reasons.push('failing');
  }
  if (quality.paced) reasons.push('paced');
  if (quality.congested) reasons.push('congested');
  if (quality.erratic) reasons.push('erratic');
  return reasons;
}

/** Whether a degraded connection is well now, by the calls since it became so: by a lower threshold than it entered. */
export function isWell({ calls, slow, failed, paced, congested, erratic }: CallQuality): boolean {
  if (paced || congested || erratic || calls < DEGRADED.recoveryCallsMin) return false;
  return slow / calls <= DEGRADED.exitRatio && failed / calls <= DEGRADED.exitRatio;
}

/**
 * How often a connection has been degraded, where older times count less: the penalty of route flap damping (RFC 2439).
 */
export interface FlapPenalty {
  readonly penalty: number;
  readonly at: number;
}

export const NO_FLAPS: FlapPenalty = { penalty: 0, at: 0 };

const decayedPenalty = ({ penalty, at }: FlapPenalty, now: number): number =>
  penalty === 0 ? 0 : penalty * 2 ** (-Math.max(0, now - at) / DEGRADED.flapHalfLifeMs);

export const afterFlap = (flaps: FlapPenalty, now: number): FlapPenalty => ({
  penalty: decayedPenalty(flaps, now) + 1,
  at: now,
});

/** Milliseconds for which a connection must have been well before it counts as recovered. */
export function exitHoldMs(flaps: FlapPenalty, now: number): number {
  // The entry that it is about to leave is one of those that are remembered.
  const earlier = Math.max(0, Math.floor(decayedPenalty(flaps, now) + 0.01) - 1);
  return Math.min(DEGRADED.holdMsMax, DEGRADED.holdMs * 2 ** Math.min(earlier, 16));
}
