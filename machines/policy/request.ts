import { REQUEST_STEADY_MS } from './limits.ts';
import { mayPass, type Refusal } from './refusal.ts';
import type { SubscribeSettings } from './settings.ts';

// Beyond this exponent every delay has long reached its cap.
const EXPONENT_MAX = 32;

/**
 * Whether a relay that closed a subscription may serve it later. A relay that gives no reason may just be tired of it; one
 * that refuses an event without a reason has looked at it.
 */
export const mayBeAskedAgain = (refusal: Refusal): boolean => mayPass(refusal) || refusal.prefix === 'unspecified';

/** Whether a subscription that fails now had been served for so long that the failure is a new one. */
export const wasServedForLong = (servedAt: number, at: number): boolean => at - servedAt >= REQUEST_STEADY_MS;

/** Words by which relays say that there are too many subscriptions; NIP-01 has no prefix for it. */
const TOO_MANY = /\b(too many|max\w*|limit|exceed\w*)\b.*\b(concurrent|open|active|sub\w*|reqs?|requests?)\b/i;
const AT_ONCE = /\b(concurrent|open|active|subscriptions?)\b/i;

/** Whether a relay says that it has too many subscriptions of ours already, and not that they come too fast. */
export const isAboutRoom = ({ prefix, text }: Pick<Refusal, 'prefix' | 'text'>): boolean =>
  TOO_MANY.test(text) && (prefix !== 'rate-limited' || AT_ONCE.test(text));

/**
 * Requests that may be open at a relay at one time: as many as it was found to take. One of what the application allows is
 * left for the question whether the relay lives, which is a subscription as well, unless that is lent to something brief.
 */
export const requestsMax = (allowed: number, learned: number, isLent = false): number =>
  Math.min(isLent ? allowed : Math.max(1, allowed - 1), learned);

/** Milliseconds before a relay is asked again for what it refused: U(d/2, d), doubling with every try. */
export function requestDelayMs(settings: SubscribeSettings, tries: number, random: number): number {
  const exponent = Math.min(Math.max(0, tries - 1), EXPONENT_MAX);
  const delay = Math.min(settings.retryDelayMaxMs, settings.retryDelayMs * 2 ** exponent);
  return delay / 2 + random * (delay / 2);
}
