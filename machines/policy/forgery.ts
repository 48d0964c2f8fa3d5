import { FORGERY } from './limits.ts';

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
