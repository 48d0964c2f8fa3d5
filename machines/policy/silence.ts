import { SILENCE } from './limits.ts';

/**
 * Two verdicts on a connection with pending acks and no inbound bytes. `suspect` is reversible, closes nothing and costs a few
 * copies, so it may be quick; `dead` closes the socket, so it must be sure. With one verdict for both, either failover is
 * slow or healthy sockets are closed.
 */
export type SilenceVerdict = 'fine' | 'suspect' | 'dead';

/** Milliseconds of silence after which a connection counts as dead: seven answer timeouts, but never less than asked. */
export const deadAfterMs = (timeoutMs: number, atLeastMs: number): number =>
  Math.max(atLeastMs, Math.min(SILENCE.deadMsMax, SILENCE.deadTimeouts * timeoutMs));

export function silenceVerdict(silentMs: number, timeoutMs: number, deadAtLeastMs: number): SilenceVerdict {
  if (silentMs >= deadAfterMs(timeoutMs, deadAtLeastMs)) return 'dead';
  return silentMs >= timeoutMs ? 'suspect' : 'fine';
}

/** Returns true if a timer fires so late that the process was asleep or throttled. */
export const isOverslept = (lateMs: number): boolean => lateMs > SILENCE.oversleptMs;

/**
 * Ticks of one timer that were late in a row.
 *
 * A single late tick is a sleep: whatever was due may have arrived unread, so nothing is concluded. Several in a row are
 * throttling (a hidden tab): the process was awake at each of them, so what they found unanswered is evidence.
 */
export interface LateTicks {
  readonly inRow: number;
}

export const NO_LATE_TICKS: LateTicks = { inRow: 0 };

export const afterTick = ({ inRow }: LateTicks, lateMs: number): LateTicks =>
  isOverslept(lateMs) ? { inRow: inRow + 1 } : NO_LATE_TICKS;

/** Returns true if the last tick says that the process slept, so that nothing may be concluded from it. */
export const hasSlept = ({ inRow }: LateTicks): boolean => inRow > 0 && inRow <= SILENCE.throttledTicks;
