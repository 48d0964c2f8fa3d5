import { STORED_PATIENCE } from './limits.ts';

/** How it is when the time is up in which all that is stored should have come. */
export interface StoredWait {
  /** Milliseconds that relays have for it, and that have been added so far. */
  readonly timeoutMs: number;
  readonly addedMs: number;
  /** Milliseconds since the time last began to run in which what had come waited for our own verification. */
  readonly lateMs: number;
}

/**
 * How many milliseconds are added: those in which it was not the relays that were late, but we. What is stored without end
 * still ends some time.
 */
export const graceMs = ({ timeoutMs, addedMs, lateMs }: StoredWait): number =>
  Math.max(0, Math.min(Math.floor(lateMs), STORED_PATIENCE * timeoutMs - addedMs));
