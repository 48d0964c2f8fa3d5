import { AFFINITY } from '../limits.ts';
import type { Strategy } from './candidate.ts';

/** A number above 0 and below 1 that a text decides (FNV-1a, with the finish of MurmurHash 3 to spread it). */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (((hash ^ (hash >>> 16)) >>> 0) + 0.5) / 2 ** 32;
}

/**
 * The relay that a key belongs to (weighted rendezvous hashing; Thaler and Ravishankar 1998, Schindelhauer and Schomaker
 * 2005). When one of n leaves, a share of 1/n of the keys moves, and comes back with it. A relay at which a quarter more
 * waits than on average passes a key on to the next (consistent hashing with bounded loads; Mirrokni et al. 2016).
 */
export const affinity: Strategy = (candidates, { key }) => {
  const load = candidates.reduce((sum, each) => sum + each.load, 0) + 1;
  const weights = candidates.reduce((sum, { weight }) => sum + weight, 0);
  const scored = candidates
    .map((each) => ({ each, score: -each.weight / Math.log(fraction(`${each.url} ${key}`)) }))
    .sort((a, b) => b.score - a.score);
  const bound = (weight: number): number => Math.ceil((AFFINITY.loadFactor * load * weight) / weights);
  const within = scored.find(({ each }) => each.load < Math.max(AFFINITY.loadMin, bound(each.weight)));
  return (within ?? scored[0])?.each;
};
