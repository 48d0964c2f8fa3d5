import { SILENCE } from './limits.ts';

/**
 * Two verdicts on a connection that owes an answer and says nothing. `suspect` can be taken back, closes nothing and
 * costs a few copies, so it may be quick; `dead` closes the socket, so it must be sure. With one verdict for both,
 * either failover is slow or healthy sockets are closed.
 */
export type SilenceVerdict = 'fine' | 'suspect' | 'dead';

/** Milliseconds of silence after which a connection counts as dead: seven answer timeouts, but never less than asked. */
export const deadAfterMs = (timeoutMs: number, atLeastMs: number): number =>
  Math.max(atLeastMs, Math.min(SILENCE.deadMsMax, SILENCE.deadTimeouts * timeoutMs));

export function silenceVerdict(silentMs: number, timeoutMs: number, deadAtLeastMs: number): SilenceVerdict {
  if (silentMs >= deadAfterMs(timeoutMs, deadAtLeastMs)) return 'dead';
  return silentMs >= timeoutMs ? 'suspect' : 'fine';
}

/** Whether a timer that fires this late says more about us (a sleep, a throttled tab) than about any relay. */
export const isOverslept = (lateMs: number): boolean => lateMs > SILENCE.oversleptMs;
