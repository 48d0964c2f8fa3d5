import { LOW_LATE_MS, PUBLISH_LIMITS } from './limits.ts';

/** How much something matters, the most first. `critical` goes before everything else; the others share. */
export const PRIORITIES = ['critical', 'high', 'normal', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

export const isPriority = (value: unknown): value is Priority => PRIORITIES.includes(value as Priority);

export const isMoreUrgent = (one: Priority, other: Priority): boolean =>
  PRIORITIES.indexOf(one) < PRIORITIES.indexOf(other);

/** Milliseconds after which something is given up: what matters little is of no use for long, what matters much always is. */
export function expiresAfterMs(
  priority: Priority,
  { expiresMs, lowExpiresMs }: { readonly expiresMs: number; readonly lowExpiresMs: number },
): number {
  if (priority === 'low') return lowExpiresMs;
  return priority === 'normal' ? expiresMs : PUBLISH_LIMITS.expiresMs.max;
}

/**
 * Whether the newest goes first, by how long the oldest has waited. Where more comes than goes, all of it would be late by
 * its turn; so of what matters least, some is in time, and the rest is given up (adaptive LIFO: Maurer, "Fail at Scale",
 * ACM Queue 13(8), 2015).
 */
export const goesNewestFirst = (priority: Priority, oldestMs: () => number): boolean =>
  priority === 'low' && oldestMs() > LOW_LATE_MS;

/** Turns that are left in a round, by rank. A full one gives everybody a share, so that nobody starves. */
export type Round = readonly number[];

export const FULL_ROUND: Round = [Number.POSITIVE_INFINITY, 8, 4, 1];

/**
 * Whose turn it is, as rank, and what is left of the round: weighted round robin, where who has nothing to say loses
 * nothing but the turn. Nothing where nobody waits.
 */
export function nextTurn(
  round: Round,
  isWaiting: (rank: number) => boolean,
): { readonly rank: number; readonly round: Round } | undefined {
  const waiting = FULL_ROUND.map((_, rank) => isWaiting(rank));
  if (!waiting.includes(true)) return undefined;
  const begun = round.some((turns, rank) => waiting[rank] && turns > 0) ? round : FULL_ROUND;
  const rank = begun.findIndex((turns, each) => waiting[each] && turns > 0);
  return { rank, round: begun.map((turns, each) => (each === rank ? turns - 1 : turns)) };
}
