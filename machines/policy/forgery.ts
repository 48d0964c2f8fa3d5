import { FORGERY, FORGERY_BUDGET } from './limits.ts';

/**
 * How far a relay is in debt for events that nobody signed. One that stores what it is given has some; one that makes them
 * up has little else. Charged is what genuine ones and time do not make up for.
 */
export interface ForgeryDebt {
  readonly events: number;
  readonly atMs: number;
}

export const NO_DEBT: ForgeryDebt = { events: 0, atMs: 0 };

const after = ({ events, atMs }: ForgeryDebt, change: number, nowMs: number): ForgeryDebt => {
  const forgiven = Math.max(0, nowMs - atMs) / FORGERY.forgivenMs;
  return { events: Math.max(0, events - forgiven) + change, atMs: nowMs };
};

export const debtAfterGenuine = (debt: ForgeryDebt, nowMs: number): ForgeryDebt => {
  if (debt.events === 0) return debt;
  const left = after(debt, 0, nowMs);
  return { ...left, events: Math.max(0, left.events - FORGERY.genuineShare) };
};

/** Whether it is so large that it counts as a failed call, which settles it. */
export function debtAfterForged(
  debt: ForgeryDebt,
  nowMs: number,
): { readonly debt: ForgeryDebt; readonly fails: boolean } {
  const next = after(debt, 1, nowMs);
  const fails = next.events >= FORGERY.perFailure;
  return { debt: fails ? { ...next, events: next.events - FORGERY.perFailure } : next, fails };
}

/** How much of our time a relay may still waste on what nobody signed: a token bucket, at a moment. */
export interface ForgeryBudget {
  readonly events: number;
  readonly atMs: number;
}

export const FULL_BUDGET: ForgeryBudget = { events: FORGERY_BUDGET.burst, atMs: 0 };

/** After one more, and how long the relay's next one waits. What is genuine costs nothing. */
export function budgetAfterForged(
  { events, atMs }: ForgeryBudget,
  nowMs: number,
): { readonly budget: ForgeryBudget; readonly waitMs: number } {
  const gained = (Math.max(0, nowMs - atMs) * FORGERY_BUDGET.perSecond) / 1_000;
  const left = Math.min(FORGERY_BUDGET.burst, events + gained) - 1;
  const waitMs = left >= 1 ? 0 : ((1 - left) * 1_000) / FORGERY_BUDGET.perSecond;
  return { budget: { events: left, atMs: nowMs }, waitMs };
}
