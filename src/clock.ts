import { SILENCE } from '../machines/policy/limits.ts';
import { isOverslept } from '../machines/policy/silence.ts';

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
  /**
   * Milliseconds for which the process was asleep or throttled, as far as late timers have shown. Deadlines do not count them.
   * Default: none.
   */
  sleptMs?(): number;
}

/** Milliseconds of a clock without those for which the process slept. */
export const awakeTime = (clock: Clock): number => clock.now() - (clock.sleptMs?.() ?? 0);

/**
 * Calls back after so many milliseconds awake. If the timer is late, what has arrived meanwhile is read first. Returns the
 * function that cancels it.
 */
export function setAwakeTimeout(clock: Clock, callback: () => void, delayMs: number): () => void {
  const dueMs = awakeTime(clock) + delayMs;
  let hasLooked = false;
  let timer: unknown;
  const arm = (forMs: number): void => {
    timer = clock.setTimeout(look, forMs);
  };
  const look = (): void => {
    const lateMs = awakeTime(clock) - dueMs;
    if (lateMs < -SILENCE.secondLookMs) return arm(-lateMs);
    if (lateMs > SILENCE.secondLookMs && !hasLooked) {
      hasLooked = true;
      return arm(SILENCE.secondLookMs);
    }
    callback();
  };
  arm(delayMs);
  return () => clock.clearTimeout(timer);
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

/** A clock whose timers show how long the process was asleep. */
class WatchedClock implements Clock {
  readonly #clock: Clock;
  #sleptMs = 0;
  /** The process was awake then. */
  #seenAtMs = Number.NEGATIVE_INFINITY;
  /** When each timer that has not fired is due. */
  readonly #dueAtMs = new Map<unknown, number>();
  now: () => number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.now = clock.now;
  }

  wall(): number {
    return this.#clock.wall?.() ?? this.now();
  }

  sleptMs(): number {
    this.#look();
    return this.#sleptMs;
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    const dueMs = this.#look() + (delayMs > 0 && Number.isFinite(delayMs) ? delayMs : 0);
    const fire = (): void => {
      this.fired(dueMs);
      this.#dueAtMs.delete(timer);
      callback();
    };
    const timer = this.#clock.setTimeout(fire, delayMs);
    this.#dueAtMs.set(timer, dueMs);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#dueAtMs.delete(timer);
    this.#clock.clearTimeout(timer);
  }

  /** A timer fires that was due then. */
  protected fired(_dueMs: number): void {
    this.#look();
  }

  /** Finds out whether the process has slept since it was last awake: a timer should have fired. Returns the time. */
  #look(): number {
    const nowMs = this.now();
    if (isOverslept(nowMs - this.#seenAtMs)) {
      let dueMs = Number.POSITIVE_INFINITY;
      for (const each of this.#dueAtMs.values()) dueMs = Math.min(dueMs, each);
      const sinceMs = Math.max(dueMs, this.#seenAtMs);
      if (isOverslept(nowMs - sinceMs)) this.#sleptMs += nowMs - sinceMs;
    }
    this.#seenAtMs = nowMs;
    return nowMs;
  }
}

/**
 * A clock that never runs backwards: by as much as another was set back, it goes on from where it was. Nor does it fall
 * behind its timers: when one fires, at least its delay has passed.
 */
class SteadyClock extends WatchedClock {
  readonly #source: Clock;
  #offsetMs = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    super(clock);
    this.#source = clock;
    this.now = () => this.#reach(this.#lastMs);
  }

  protected override fired(dueMs: number): void {
    if (this.now() < dueMs - EARLY_MS) this.#reach(dueMs);
    super.fired(dueMs);
  }

  #reach(atLeastMs: number): number {
    const nowMs = this.#source.now() + this.#offsetMs;
    this.#lastMs = Math.max(nowMs, atLeastMs);
    this.#offsetMs += this.#lastMs - nowMs;
    return this.#lastMs;
  }
}

/** The same clock, made steady unless it is known to be. */
export const steadyClock = (clock: Clock): Clock => {
  if (clock instanceof WatchedClock) return clock;
  return clock === systemClock ? new WatchedClock(clock) : new SteadyClock(clock);
};
