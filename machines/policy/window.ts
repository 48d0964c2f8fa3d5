import { WINDOW } from './limits.ts';

/** What one round trip showed of a connection. */
export interface RoundTripSeen {
  /** Mean milliseconds of the answers in it, and the fewest that any answer has taken lately. */
  readonly meanMs: number;
  readonly leastMs: number;
  /** Most messages that waited for their answers at one time. */
  readonly inFlightMax: number;
  /** Whether no queue has been seen on this connection yet. */
  readonly isStarting: boolean;
}

/**
 * How many messages may wait for their answers, after one more round trip. The excess of the delay over the least says
 * how many of them queue at the relay (TCP Vegas, Brakmo and Peterson 1995): few enough and the window grows, too many
 * and it shrinks, so that what has to wait waits here, where it can still be put in order, withdrawn or sent elsewhere.
 */
export function windowAfter(size: number, seen: RoundTripSeen, sizeMax: number): number {
  const { meanMs, leastMs, inFlightMax, isStarting } = seen;
  const queued = queuedAt(size, meanMs, leastMs);
  // Far too many means that the relay has become slower, and its round trips are too long to shrink by one in each.
  const excess = queued > 2 * WINDOW.queuedMax ? Math.ceil((queued - WINDOW.queuedMax) / 2) : 1;
  if (queued > WINDOW.queuedMax) return Math.min(sizeMax, Math.max(WINDOW.min, size - excess));
  if (queued >= WINDOW.queuedMin || inFlightMax < size / 2) return Math.min(sizeMax, size);
  return Math.min(sizeMax, size + (isStarting ? Math.ceil(size / 2) : 1));
}

/** Messages of a window that wait at the relay for their turn, by the delay that they see. */
export const queuedAt = (size: number, meanMs: number, leastMs: number): number =>
  meanMs - leastMs < WINDOW.granularityMs ? 0 : size * (1 - leastMs / meanMs);

/** The window after an answer that never came, or after a relay asked for rest. */
export const windowAfterLoss = (size: number): number => Math.max(1, Math.floor(size / 2));
