/** Time as the pool sees it. The same clock drives the charts' delays and the data plane's deadlines. */
export interface Clock {
  /** Milliseconds since the epoch. They should not jump; where they run backwards, a pool takes it that time stood still. */
  now(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  /**
   * Milliseconds since the epoch by the calendar, where that may differ: a clock that does not jump also stands still while the
   * machine sleeps. Default: `now`.
   */
  wall?(): number;
}

/** The time by which events are dated: whichever clock is ahead, for one that is behind takes what is new for the future. */
export const wallTime = (clock: Clock): number => Math.max(clock.now(), clock.wall?.() ?? 0);

// Read once: it never changes, and the clock is asked several times for every message.
const { timeOrigin } = performance;

export const systemClock: Clock = {
  now: () => timeOrigin + performance.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  wall: () => Date.now(),
};

/** Milliseconds by which timers fire early where clocks are coarse; nothing follows from it. */
const EARLY_MS = 2;

/**
 * A clock that never runs backwards: by as much as another was set back, it goes on from where it was. Nor does it fall
 * behind its timers: when one fires, at least its delay has passed.
 */
class SteadyClock implements Clock {
  readonly #clock: Clock;
  #offsetMs = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#reach(this.#lastMs);
  }

  wall(): number {
    return this.#clock.wall?.() ?? this.now();
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    const dueMs = this.now() + (delayMs > 0 && Number.isFinite(delayMs) ? delayMs : 0);
    const fire = (): void => {
      if (this.now() < dueMs - EARLY_MS) this.#reach(dueMs);
      callback();
    };
    return this.#clock.setTimeout(fire, delayMs);
  }

  clearTimeout(timer: unknown): void {
    this.#clock.clearTimeout(timer);
  }

  #reach(atLeastMs: number): number {
    const nowMs = this.#clock.now() + this.#offsetMs;
    this.#lastMs = Math.max(nowMs, atLeastMs);
    this.#offsetMs += this.#lastMs - nowMs;
    return this.#lastMs;
  }
}

/** The same clock, made steady where it is not known to be. */
export const steadyClock = (clock: Clock): Clock =>
  clock === systemClock || clock instanceof SteadyClock ? clock : new SteadyClock(clock);
