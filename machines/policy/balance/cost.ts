import { BALANCE } from '../limits.ts';

/**
 * What a relay's answers have cost lately. `peakMs` jumps up with a slow answer and comes down slowly (the peak EWMA of
 * Finagle), so that trouble is believed at once and recovery only after a while; `averageMs` follows evenly.
 */
export interface AnswerCost {
  readonly peakMs: number;
  readonly averageMs: number;
  /** Share of calls that succeeded lately, from 0 to 1. */
  readonly success: number;
  readonly at: number;
  readonly answers: number;
}

export const NO_COST: AnswerCost = { peakMs: 0, averageMs: 0, success: 1, at: 0, answers: 0 };

const decayed = ({ peakMs, at }: AnswerCost, now: number): number =>
  peakMs * Math.exp(-Math.max(0, now - at) / BALANCE.peakDecayMs);

const towards = (from: number, to: number): number => from + BALANCE.weight * (to - from);

export function afterCost(cost: AnswerCost, latencyMs: number, now: number): AnswerCost {
  const first = cost.answers === 0;
  return {
    peakMs: Math.max(latencyMs, first ? latencyMs : decayed(cost, now)),
    averageMs: first ? latencyMs : towards(cost.averageMs, latencyMs),
    success: towards(cost.success, 1),
    at: now,
    answers: cost.answers + 1,
  };
}

export const afterFailure = (cost: AnswerCost): AnswerCost => ({ ...cost, success: towards(cost.success, 0) });

/** What the choice between relays looks at. */
export interface Burden {
  readonly cost: AnswerCost;
  /** Milliseconds that a ping took; stands for the cost of a relay that has not answered anything yet. */
  readonly pingMs: number | undefined;
  /** Messages that wait there for an answer or for their turn. */
  readonly load: number;
  /** How long the oldest of them has been waiting, in milliseconds. */
  readonly oldestMs: number;
  /** How much more than others it may be asked, and for how long it has served. */
  readonly weight: number;
  readonly servingMs: number;
}

/** A relay that has just begun to serve is asked less at first (the slow start of Envoy). */
const slowStart = (servingMs: number): number =>
  Math.max(BALANCE.slowStartMin, Math.min(1, servingMs / BALANCE.slowStartMs));

/**
 * The expected time to success, in milliseconds, times what already waits. The age of the oldest unanswered message is
 * part of it, or a relay that answers nothing would look as good as when it last did; and so is the cost of failing, or
 * one that fails fast would look best of all.
 */
export function costMs({ cost, pingMs, load, oldestMs, weight, servingMs }: Burden, now: number): number {
  const known = cost.answers > 0 ? (decayed(cost, now) + cost.averageMs) / 2 : (pingMs ?? BALANCE.unknownMs);
  const failingMs = ((1 - cost.success) / Math.max(cost.success, BALANCE.successMin)) * BALANCE.failureMs;
  return ((Math.max(known, oldestMs) + failingMs) * (load + 1)) / (weight * slowStart(servingMs));
}
