import type { Strategy } from './candidate.ts';

/**
 * The better of two drawn at random, which spreads load almost as evenly as looking at all of them, does not send
 * everybody to the same one, and takes as long with ten thousand as with ten (Mitzenmacher 2001). Draws without putting
 * back. Nothing of none.
 */
export function betterOfTwo<Each>(
  from: readonly Each[],
  isBetter: (a: Each, b: Each) => boolean,
  random: () => number,
): Each | undefined {
  if (from.length <= 1) return from[0];
  const first = Math.floor(random() * from.length);
  const other = Math.floor(random() * (from.length - 1));
  const second = other >= first ? other + 1 : other;
  const [a, b] = [from[first] as Each, from[second] as Each];
  return isBetter(b, a) ? b : a;
}

/** The default: the cheaper of two by the expected time to success (peak EWMA of Finagle, made aware of failures). */
export const twoChoices: Strategy = (candidates, { random }) =>
  betterOfTwo(candidates, (a, b) => a.costMs < b.costMs, random);
