import type { AttemptBounds } from './limits.ts';

/** A relay that waits for its turn to be resolved or dialled. */
export interface DialCandidate {
  /** True if a caller waits for this relay: a named target, a quorum, or a subscription without another relay. */
  readonly isNeeded: boolean;
  /** Estimated share of successful attempts, from 0 to 1. */
  readonly success: number;
  /** Position in the order of arrival. */
  readonly order: number;
}

/** Attempts that are under way. */
export interface AttemptsUnderWay {
  /** Attempts that have lasted less than the young age. */
  readonly young: number;
  readonly total: number;
}

const WEIGHT = 0.5;

/** Returns the estimated share of successful attempts after one more. Recent attempts weigh most. */
export const successAfter = (success: number, hasSucceeded: boolean): number =>
  success + WEIGHT * ((hasSucceeded ? 1 : 0) - success);

/** Estimate for a relay that was never dialled: better than one that failed last, worse than one that opened last. */
export const UNKNOWN_SUCCESS = 0.5;

/** Returns true if `a` is attempted before `b`: by need, then by likely success, then by arrival. */
export function goesBefore(a: DialCandidate, b: DialCandidate): boolean {
  if (a.isNeeded !== b.isNeeded) return a.isNeeded;
  return a.success === b.success ? a.order < b.order : a.success > b.success;
}

/** Returns true if one more attempt may begin. */
export function mayAttempt(
  bounds: AttemptBounds,
  { young, total }: AttemptsUnderWay,
  isNeeded: boolean,
  isInDoubt: boolean,
): boolean {
  if (young >= (isInDoubt ? bounds.youngInDoubt : bounds.young)) return false;
  return total < (isNeeded ? bounds.most : bounds.most - bounds.reserved);
}

/** Returns the milliseconds for which an attempt counts as young, from the usual duration of those that succeeded. */
export const youngForMs = (bounds: AttemptBounds, usualMs: number | undefined): number =>
  Math.min(bounds.youngMsMax, Math.max(bounds.youngMs, 3 * (usualMs ?? 0)));
