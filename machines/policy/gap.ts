import { FIRST_ASKED_MS, PAGES } from './limits.ts';

/**
 * How far a relay has served a subscription. `newestMs` is the time of the newest event that it is known to have sent all up
 * to; `pendingMs` that of the newest since it was asked last, which counts once everything stored has come: relays send the
 * newest first, and one that is lost half way has left out the older ones.
 */
export interface Mark {
  readonly newestMs: number | undefined;
  readonly pendingMs: number | undefined;
}

export const NO_MARK: Mark = { newestMs: undefined, pendingMs: undefined };

const later = (one: number | undefined, other: number): number => (one === undefined ? other : Math.max(one, other));

/** A verified event came. Its time is its author's word: one from the future says nothing about what there is. */
export function markAfterEvent(mark: Mark, atMs: number, nowMs: number, isLive: boolean): Mark {
  const { newestMs, pendingMs } = mark;
  const at = Math.min(atMs, nowMs);
  if (!isLive) return pendingMs !== undefined && pendingMs >= at ? mark : { newestMs, pendingMs: at };
  return newestMs !== undefined && newestMs >= at ? mark : { newestMs: at, pendingMs };
}

/**
 * Everything stored has come. Where that was nothing, `nothingMs` is the time up to which there is nothing: the beginning of
 * all, unless nothing was asked for.
 */
export const markAfterEnd = ({ newestMs, pendingMs }: Mark, nothingMs: number): Mark => ({
  newestMs: newestMs === undefined && pendingMs === undefined ? nothingMs : later(newestMs, pendingMs ?? 0),
  pendingMs: undefined,
});

/** An event of this time was passed over: what is asked for next has to reach back to it. */
export const markAfterMiss = (mark: Mark, atMs: number): Mark =>
  mark.newestMs === undefined || mark.newestMs <= atMs ? mark : { ...mark, newestMs: atMs };

/** The relay is about to be asked anew. */
export const markAfterLoss = ({ newestMs }: Mark): Mark => ({ newestMs, pendingMs: undefined });

/**
 * The time from which on a relay is asked for what was missed; nothing where it has to be asked for all. Authors' clocks are
 * late and events are sent late, so the two overlap.
 */
export const gapSinceMs = ({ newestMs }: Mark, nowMs: number, overlapMs: number): number | undefined =>
  newestMs === undefined ? undefined : Math.max(0, Math.min(newestMs, nowMs) - overlapMs);

/**
 * The time from which on a relay is asked for what is new beside what it has stored, where only so much of that is wanted;
 * nothing where it is asked for the first time, so early that nothing new can have come in between.
 */
export const newSinceMs = (wantedSinceMs: number, nowMs: number, isFirst: boolean): number | undefined =>
  isFirst && nowMs - wantedSinceMs <= FIRST_ASKED_MS ? undefined : wantedSinceMs;

/** A span of time, in milliseconds since the epoch; both ends are in it. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What a subscription knows of events that are older than what a relay is asked for after a gap. */
export interface Remembered {
  /** From when on all that was delivered is remembered. */
  readonly fromMs: number;
  /** The oldest that is remembered; nothing where there is none. */
  readonly oldestMs: number | undefined;
}

/**
 * Where something may be missing after a gap that the overlap does not reach: what was dated back further while the relay
 * could not be reached. Older than what is remembered nothing is looked for, or it would be delivered twice; nor older than
 * what there was, where only so many of what is stored were wanted.
 */
export function backfillSpan(sinceMs: number, { fromMs, oldestMs }: Remembered, isBounded: boolean): Span | undefined {
  const from = isBounded ? Math.max(fromMs, oldestMs ?? sinceMs) : fromMs;
  return from < sinceMs ? { fromMs: from, untilMs: sinceMs } : undefined;
}

/** What came in answer to what was asked for after a gap, before the end of what is stored. */
export interface Page {
  readonly events: number;
  readonly oldestMs: number;
  /** Whether the relay says that it has more (NIP-67). */
  readonly hasMore: boolean;
}

/**
 * Whether a relay may have left out the older ones of what was asked for: they send the newest, and only so many, as some
 * say (`storedMax`). One that says more than a hundred is not believed.
 */
export const mayBeCut = ({ events, hasMore }: Page, storedMax: number): boolean =>
  hasMore || events >= Math.min(PAGES.eventsMin, storedMax);

/**
 * The time up to which the next page is asked for: the oldest that has come, again, for others may be of the same second. A
 * page that went no further back is one of a single second, and more of that cannot be had.
 */
export const nextPageUntilMs = ({ oldestMs }: Page, untilMs: number): number =>
  oldestMs < untilMs ? oldestMs : untilMs - 1_000;
