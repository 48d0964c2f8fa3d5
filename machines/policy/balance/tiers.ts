import { BALANCE, TIERS } from '../limits.ts';
import type { Candidate, Request, Strategy } from './candidate.ts';
import { twoChoices } from './two-choices.ts';

/**
 * Shares of what is sent for tiers that are filled in order: each as much as its health allows, and a little more; what
 * is left goes to the next (the overprovisioning of Envoy's priority levels). Where that does not use everything up, the
 * first takes the rest.
 */
export function tierShares(healths: readonly number[]): readonly number[] {
  let left = 1;
  const shares = healths.map((health) => {
    const share = Math.min(left, TIERS.overprovisioning * health);
    left -= share;
    return share;
  });
  return shares.map((share, index) => (index === 0 ? share + left : share));
}

/** Chooses a tier by its share, and the cheaper of two in it. */
function byTier(tierOf: (candidate: Candidate, request: Request) => number): Strategy {
  return (candidates, request) => {
    const tiers = new Map<number, (typeof candidates)[number][]>();
    for (const each of candidates) {
      const tier = tierOf(each, request);
      const members = tiers.get(tier);
      if (members) members.push(each);
      else tiers.set(tier, [each]);
    }
    const ordered = [...tiers].sort(([a], [b]) => a - b);
    // Those that do not serve are what a tier lacks, however well the others are.
    const absent = request.absent.map((each) => tierOf(each, request));
    const healths = ordered.map(([tier, members]) => {
      const all = members.length + absent.filter((each) => each === tier).length;
      return members.reduce((sum, { success }) => sum + success, 0) / all;
    });
    let left = request.random();
    const tier = tierShares(healths).findIndex((share) => {
      left -= share;
      return left < 0;
    });
    return twoChoices(ordered[Math.max(0, tier)]?.[1] ?? [], request);
  };
}

/** By the priority that the application gave: the lowest number first. */
export const priority: Strategy = byTier((candidate) => candidate.priority);

/**
 * The nearest first: preferred regions in their order, then by how long a relay takes, each tier twice as far as the one
 * before. Where a relay is, the application says, or its latency; nobody else is asked.
 */
export const geographic: Strategy = byTier(({ region, latencyMs }, { regions }) => {
  const preferred = region === undefined ? -1 : regions.indexOf(region);
  if (preferred >= 0) return preferred;
  const distance = Math.log2(Math.max(1, (latencyMs ?? BALANCE.unknownMs) / TIERS.nearMs));
  return regions.length + Math.floor(distance);
});
