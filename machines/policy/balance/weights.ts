import { BALANCE, QUALITY } from '../limits.ts';
import type { Candidate, Request } from './candidate.ts';

/**
 * How good a relay is, from 0 to 1: the weighted sum of its reliability, its speed and its leisure. For what is urgent,
 * leisure counts more.
 */
export function quality({ success, latencyMs, load }: Candidate, isUrgent: boolean): number {
  const speed = BALANCE.unknownMs / (BALANCE.unknownMs + (latencyMs ?? BALANCE.unknownMs));
  const leisure = 1 / (1 + load / QUALITY.loadHalf);
  const leisureWeight = isUrgent ? QUALITY.leisureUrgent : QUALITY.leisure;
  const sum = QUALITY.reliability * success + QUALITY.speed * speed + leisureWeight * leisure;
  return sum / (QUALITY.reliability + QUALITY.speed + leisureWeight);
}

/** The weight of a relay: the one that it was given, as far as `healthWeight` leaves it alone, by how good it is. */
export function weightOf(candidate: Candidate, { healthWeight, isUrgent }: Request): number {
  return candidate.weight * (1 - healthWeight + healthWeight * quality(candidate, isUrgent));
}
