import { RTO_MS } from './limits.ts';

/** What is known of the time that one connection takes to answer. */
export interface RoundTrip {
  /** Smoothed time and mean deviation, in milliseconds; both 0 before the first sample. */
  readonly smoothedMs: number;
  readonly deviationMs: number;
  readonly samples: number;
}

export const NO_ROUND_TRIP: RoundTrip = { smoothedMs: 0, deviationMs: 0, samples: 0 };

/**
 * Takes in one more sample, by RFC 6298 section 2. Answers that come late are samples too: without them, a relay that
 * has become slower would look late for ever.
 */
export function afterSample({ smoothedMs, deviationMs, samples }: RoundTrip, sampleMs: number): RoundTrip {
  if (samples === 0) return { smoothedMs: sampleMs, deviationMs: sampleMs / 2, samples: 1 };
  return {
    smoothedMs: smoothedMs + (sampleMs - smoothedMs) / 8,
    deviationMs: deviationMs + (Math.abs(smoothedMs - sampleMs) - deviationMs) / 4,
    samples: samples + 1,
  };
}

/**
 * Milliseconds after which an answer is late: SRTT + 4 RTTVAR, within 25 ms and 2 s. The floor of TCP, a second, would
 * be most of what a failover takes; being wrong costs a copy here and not a congestion window.
 */
export function answerTimeoutMs({ smoothedMs, deviationMs, samples }: RoundTrip): number {
  if (samples === 0) return RTO_MS.initial;
  const timeoutMs = smoothedMs + Math.max(RTO_MS.granularity, 4 * deviationMs);
  return Math.min(RTO_MS.max, Math.max(RTO_MS.min, timeoutMs));
}

/** Whether the answers scatter by more than they take, so that no timeout fits them. */
export const isErratic = ({ smoothedMs, deviationMs, samples }: RoundTrip): boolean =>
  samples >= RTO_MS.erraticSamplesMin && deviationMs > smoothedMs && deviationMs > RTO_MS.min;
