import type { Clock } from '../clock.ts';

interface Timer {
  readonly id: number;
  readonly dueMs: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is told to go on. Timers fire in the order in which they are due. */
export class VirtualClock implements Clock {
  readonly #timers = new Map<number, Timer>();
  #nowMs: number;
  #ids = 0;

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  /** Timers that have been set and have neither fired nor been cleared. */
  get pending(): number {
    return this.#timers.size;
  }

  now = (): number => this.#nowMs;

  setTimeout = (callback: () => void, delayMs: number): number => {
    this.#ids += 1;
    this.#timers.set(this.#ids, { id: this.#ids, dueMs: this.#nowMs + Math.max(0, delayMs), callback });
    return this.#ids;
  };

  clearTimeout = (timer: unknown): void => {
    this.#timers.delete(timer as number);
  };

  /** Milliseconds until the next timer fires; nothing when none is set. */
  get nextInMs(): number | undefined {
    const next = this.#next();
    return next === undefined ? undefined : next.dueMs - this.#nowMs;
  }

  /** Fires the next timer, moving time to it. False when there is none. */
  step(): boolean {
    const next = this.#next();
    if (!next) return false;
    this.#timers.delete(next.id);
    this.#nowMs = Math.max(this.#nowMs, next.dueMs);
    next.callback();
    return true;
  }

  /** Moves time on, firing everything that comes due on the way, also what is set on the way. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (let next = this.#next(); next !== undefined && next.dueMs <= untilMs; next = this.#next()) this.step();
    this.#nowMs = untilMs;
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers.values()) if (!next || timer.dueMs < next.dueMs) next = timer;
    return next;
  }
}
