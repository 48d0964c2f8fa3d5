import type { CreatePoolOptions } from '../../src/index.ts';
import type { Pace } from './scenario.ts';

/** The pool as it is without options; what other pools are compared with. */
export const DEFAULT_PACE: Pace = {
  connectMs: 5_000,
  ackMs: 5_000,
  firstRetryMs: 1_000,
  openMs: 5_000,
  stableMs: 10_000,
  outageMs: { short: 8_000, long: 60_000 },
  heartbeatMs: 15_000,
  deadMs: 5_000,
  slackMs: 1_500,
};

/** Delays about twenty times shorter, so that everything can be tried in a minute. */
export const BRISK_PACE: Pace = {
  connectMs: 400,
  ackMs: 250,
  firstRetryMs: 60,
  openMs: 120,
  stableMs: 200,
  outageMs: { short: 300, long: 1_500 },
  heartbeatMs: 1_000,
  deadMs: 500,
  slackMs: 2_000,
};

/** The options that make a pool of ours react at this pace. */
export const optionsOf = (pace: Pace): CreatePoolOptions => ({
  trust: { allowPrivate: true },
  connectTimeoutMs: pace.connectMs,
  stableMs: pace.stableMs,
  heartbeatMs: pace.heartbeatMs,
  deadAfterMs: pace.deadMs,
  reconnect: {
    initialDelayMs: pace.firstRetryMs,
    maxDelayMs: 60 * pace.firstRetryMs,
    minDelayMs: pace.firstRetryMs / 8,
  },
  breaker: { openMs: pace.openMs, openMaxMs: 60 * pace.openMs, halfOpenTimeoutMs: Math.max(200, pace.ackMs) },
  publish: { ackTimeoutMs: pace.ackMs },
});
