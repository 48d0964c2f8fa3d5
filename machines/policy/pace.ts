import { PACE } from './limits.ts';

/**
 * What a relay has been found to take: a token bucket whose rate is learned from refusals, because no document of a
 * relay says it. Times are milliseconds.
 */
export interface Pace {
  readonly perSecond: number;
  readonly tokens: number;
  /** When the tokens were counted, and when the relay last refused for being asked too often. */
  readonly at: number;
  readonly refusedAt: number;
}

/** The relay refused because it is asked too often; lately it has taken so many a second. */
export function paceAfterRefusal(pace: Pace | undefined, takenPerSecond: number, now: number): Pace {
  if (!pace) {
    const perSecond = Math.max(PACE.firstMin, PACE.firstShare * takenPerSecond);
    return { perSecond, tokens: 0, at: now, refusedAt: now };
  }
  // What was refused together says nothing that the first did not.
  const isNews = now - pace.refusedAt >= PACE.refusalsApartMs;
  const perSecond = isNews ? Math.max(PACE.perSecondMin, PACE.nextShare * pace.perSecond) : pace.perSecond;
  return { perSecond, tokens: 0, at: now, refusedAt: isNews ? now : pace.refusedAt };
}

/** The bucket as it is now; nothing once the rate has grown beyond what anybody asks for. */
export function paceAt(pace: Pace, now: number): Pace | undefined {
  const elapsedMs = Math.max(0, now - pace.at);
  const quietFrom = Math.max(pace.at, pace.refusedAt + PACE.quietMs);
  const quietSeconds = Math.max(0, now - quietFrom) / 1_000;
  const perSecond = pace.perSecond * PACE.growthPerSecond ** quietSeconds;
  if (perSecond > PACE.perSecondMax) return undefined;
  const tokens = Math.min(burst(perSecond), pace.tokens + (elapsedMs / 1_000) * pace.perSecond);
  return { ...pace, perSecond, tokens, at: now };
}

/** One message goes out. */
export const paceAfterSend = (pace: Pace): Pace => ({ ...pace, tokens: pace.tokens - 1 });

/** Milliseconds until the next message may go out. */
export const paceWaitMs = ({ perSecond, tokens }: Pace): number =>
  tokens >= 1 ? 0 : ((1 - tokens) / perSecond) * 1_000;

const burst = (perSecond: number): number => Math.max(1, Math.min(PACE.burstMax, perSecond));
