import { BREAKER_WINDOW_CALLS, RETRY_AFTER_MS_MAX } from './limits.ts';
import type { BreakerSettings } from './settings.ts';

/** How one call ended, and when, in milliseconds of the pool's clock. */
interface CallOutcome {
  readonly at: number;
  readonly ok: boolean;
}

/** What the breaker remembers: failures in a row, and the last outcomes. */
export interface BreakerWindow {
  readonly failuresInRow: number;
  readonly outcomes: readonly CallOutcome[];
}

export const EMPTY_BREAKER_WINDOW: BreakerWindow = { failuresInRow: 0, outcomes: [] };

/** Which rule opened the circuit. */
export type TripTrigger = 'consecutive' | 'ratio';

/** Appends successes, and forgets what is too old or too many. */
export function recordSuccesses(
  window: BreakerWindow,
  settings: BreakerSettings,
  at: number,
  successesAt: readonly number[],
): BreakerWindow {
  if (successesAt.length === 0) return window;
  const successes = successesAt.map((time): CallOutcome => ({ at: time, ok: true }));
  return { failuresInRow: 0, outcomes: recent([...window.outcomes, ...successes], settings, at) };
}

/** Appends a failure, with the successes that came before it, and forgets what is too old or too many. */
export function recordFailure(
  window: BreakerWindow,
  settings: BreakerSettings,
  at: number,
  successesAt: readonly number[] = [],
): BreakerWindow {
  const before = recordSuccesses(window, settings, at, successesAt);
  return {
    failuresInRow: before.failuresInRow + 1,
    outcomes: recent([...before.outcomes, { at, ok: false }], settings, at),
  };
}

const recent = (outcomes: readonly CallOutcome[], settings: BreakerSettings, at: number): readonly CallOutcome[] =>
  outcomes.filter((each) => each.at > at - settings.windowMs).slice(-BREAKER_WINDOW_CALLS);

/**
 * Which rule says that the circuit opens, if one does: so many failures in a row, or so large a share of the last
 * outcomes. Both are needed: a relay that fails every other call never fails five times in a row, and at the few calls
 * that a relay sees, a share alone would take minutes to say anything.
 */
export function tripTrigger(window: BreakerWindow, settings: BreakerSettings): TripTrigger | undefined {
  if (window.failuresInRow >= settings.failureThreshold) return 'consecutive';
  const known = window.outcomes.length;
  if (known < settings.ratioCallsMin) return undefined;
  const failures = window.outcomes.filter((each) => !each.ok).length;
  return failures / known >= settings.failureRatio ? 'ratio' : undefined;
}

// 2^32 times the shortest open time exceeds every cap; the bound keeps the power finite.
const TRIPS_MAX = 32;

/**
 * Milliseconds that the circuit stays open: W/2 + U(0, W/2) with W doubling at every trip up to its cap, the equal
 * jitter of Finagle. What the relay asked for is a lower bound, up to ten minutes; `longestMs` bounds W where too few
 * other relays serve.
 */
export function openDelayMs(
  settings: BreakerSettings,
  trips: number,
  retryAfterMs: number,
  random: number,
  longestMs = Number.POSITIVE_INFINITY,
): number {
  const usual = Math.min(settings.openMaxMs, settings.openMs * 2 ** Math.min(trips, TRIPS_MAX));
  const width = Math.min(usual, Math.max(longestMs, settings.openMs));
  return Math.max(Math.min(retryAfterMs, RETRY_AFTER_MS_MAX), width / 2 + random * (width / 2));
}
