import { CONNECTION_LIMITS, INFORMATION } from './limits.ts';

/** What a relay says of itself that it takes (NIP-11, `limitation`). Nobody has checked it: it can only make less of what is allowed. */
export interface StatedLimits {
  /** Subscriptions of one connection, at most. */
  readonly subscriptionsMax?: number;
  /** Bytes of one message, at most. */
  readonly frameBytesMax?: number;
  /** Stored events in answer to one filter, at most, whatever limit that has. */
  readonly storedMax?: number;
}

const amountOf = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) && (value as number) >= 1 ? (value as number) : undefined;

/** Reads the limits from a relay's document. What is no number of at least one is left out: many write 0 where there is no limit. */
export function statedLimits(document: unknown): StatedLimits {
  const { limitation } = (document ?? {}) as { limitation?: unknown };
  const stated = (limitation ?? {}) as Record<string, unknown>;
  const subscriptionsMax = amountOf(stated.max_subscriptions);
  const frameBytesMax = amountOf(stated.max_message_length);
  const storedMax = amountOf(stated.max_limit);
  return {
    ...(subscriptionsMax === undefined ? {} : { subscriptionsMax }),
    // With less than any option may say, nothing could be asked of it.
    ...(frameBytesMax === undefined
      ? {}
      : { frameBytesMax: Math.max(CONNECTION_LIMITS.frameBytesMax.min, frameBytesMax) }),
    ...(storedMax === undefined ? {} : { storedMax }),
  };
}

/** When a relay is asked again what it takes: what it has said holds for a while, and one that did not say may be mended. */
export const askedAgainAtMs = (hasSaid: boolean, now: number): number =>
  now + (hasSaid ? INFORMATION.freshMs : INFORMATION.retryMs);

/** What an application allows a relay, and the relay itself. */
export function limitedBy<Allowed extends { readonly subscriptionsMax: number; readonly frameBytesMax: number }>(
  allowed: Allowed,
  stated: StatedLimits,
): Allowed & { readonly storedMax: number } {
  return {
    ...allowed,
    subscriptionsMax: Math.min(allowed.subscriptionsMax, stated.subscriptionsMax ?? Number.POSITIVE_INFINITY),
    frameBytesMax: Math.min(allowed.frameBytesMax, stated.frameBytesMax ?? Number.POSITIVE_INFINITY),
    storedMax: stated.storedMax ?? Number.POSITIVE_INFINITY,
  };
}
