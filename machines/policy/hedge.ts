import { HEDGE } from './limits.ts';

/**
 * Milliseconds after which another relay is asked as well: when the answer is later than 95 % of this relay's last ones,
 * or later than its answer timeout, whichever comes first ("The Tail at Scale", Dean and Barroso 2013). The usual
 * latency is only known after a while; before, the timeout stands alone.
 */
export const hedgeDelayMs = (usualMs: number | undefined, timeoutMs: number): number =>
  Math.max(HEDGE.delayMsMin, Math.min(usualMs ?? timeoutMs, timeoutMs));

/**
 * What keeps copies from becoming the load that makes relays slow. `budget` bounds copies to a share of what is sent;
 * `trust` is the retry throttle of gRPC (proposal A6): it falls with every answer that is late, rises with every one
 * that comes, and while it is low there are no copies at all, so that a slow day does not become a collapse.
 */
export interface Duplicates {
  readonly budget: number;
  readonly trust: number;
  /** When `trust` last rose by itself. */
  readonly at: number;
}

export const NO_DUPLICATES: Duplicates = {
  budget: HEDGE.budgetMax,
  trust: HEDGE.trustMax,
  at: Number.NEGATIVE_INFINITY,
};

/** Something was sent for the first time. */
export const afterSend = (state: Duplicates): Duplicates =>
  state.budget >= HEDGE.budgetMax
    ? state
    : { ...state, budget: Math.min(HEDGE.budgetMax, state.budget + HEDGE.perSend) };

/** Something was answered. */
export const afterAnswer = (state: Duplicates): Duplicates =>
  state.trust >= HEDGE.trustMax ? state : { ...state, trust: Math.min(HEDGE.trustMax, state.trust + HEDGE.perAnswer) };

/** A pool that sends little must not be throttled for ever: trust comes back slowly, also where nothing is answered. */
export function afterWaiting(state: Duplicates, now: number): Duplicates {
  if (state.at === Number.NEGATIVE_INFINITY) return { ...state, at: now };
  const seconds = Math.max(0, now - state.at) / 1_000;
  return { ...state, trust: Math.min(HEDGE.trustMax, state.trust + seconds * HEDGE.perSecond), at: now };
}

/**
 * Whether an answer is so late that this alone costs trust. What is a little later than its timeout costs trust only when
 * it is copied: a pause of our own, or of a relay, makes many answers late by a few milliseconds and says nothing about
 * load. What is only later than usual never does: one in twenty always is.
 */
export const isMissed = (lateMs: number, timeoutMs: number): boolean => lateMs >= HEDGE.missedTimeouts * timeoutMs;

/** An answer was missed, or is copied because it is later than its timeout. */
export const afterLate = (state: Duplicates): Duplicates => ({ ...state, trust: Math.max(0, state.trust - 1) });

/** A copy was sent because an answer was late. */
export const afterHedge = (state: Duplicates): Duplicates => ({ ...state, budget: state.budget - 1 });

/** Whether something that is late may be sent elsewhere. */
export const mayRetry = ({ trust }: Duplicates): boolean => trust > HEDGE.trustMax / 2;

/** Milliseconds until what is late may be sent elsewhere, if nothing is answered meanwhile. */
export const untrustedForMs = ({ trust }: Duplicates): number =>
  Math.max(0, ((HEDGE.trustMax / 2 - trust) / HEDGE.perSecond) * 1_000);

/**
 * Whether something that is late may be copied, though it may still be answered. Half of the budget is for what is later
 * than its timeout: what is only later than usual must not use up what a relay that fails will need.
 */
export const mayHedge = (state: Duplicates, isOverTimeout: boolean): boolean =>
  mayRetry(state) && state.budget >= (isOverTimeout ? 1 : HEDGE.budgetMax / 2 + 1);

/** Whether so many relays are silent at once that it is no relay's own failure, and moving work does not help. */
export const isSystemic = (suspects: number, relays: number): boolean =>
  suspects >= Math.max(HEDGE.systemicMin, HEDGE.systemicShare * relays);
