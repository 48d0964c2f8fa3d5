/** Time as the pool sees it. The same clock drives the charts' delays and the data plane's deadlines. */
export interface Clock {
  /** Milliseconds since the epoch that never run backwards: a jump of the wall clock does not move them. */
  now(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

// Read once: it never changes, and the clock is asked several times for every message.
const { timeOrigin } = performance;

export const systemClock: Clock = {
  now: () => timeOrigin + performance.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};
