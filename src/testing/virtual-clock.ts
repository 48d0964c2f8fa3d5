import type { Clock } from '../clock.ts';

interface Timer {
  readonly id: number;
  readonly dueMs: number;
  /** Decides between timers that are due at the same time. */
  readonly rank: number;
  readonly callback: () => void;
}

const isBefore = (a: Timer, b: Timer): boolean =>
  a.dueMs !== b.dueMs ? a.dueMs < b.dueMs : a.rank !== b.rank ? a.rank < b.rank : a.id < b.id;

/**
 * A clock that stands still until it is told to go on. Timers fire in the order in which they are due; those that are
 * due at the same time in the order in which they were set, or, with dice, in an order that the dice decide.
 */
export class VirtualClock implements Clock {
  readonly #dice: () => number;
  /** A binary heap; timers that were cleared are left in it until they come to its top. */
  readonly #heap: Timer[] = [];
  readonly #pending = new Set<number>();
  #nowMs: number;
  #ids = 0;

  constructor(startMs = 0, dice: () => number = () => 0) {
    this.#nowMs = startMs;
    this.#dice = dice;
  }

  /** Timers that have been set and have neither fired nor been cleared. */
  get pending(): number {
    return this.#pending.size;
  }

  now = (): number => this.#nowMs;

  setTimeout = (callback: () => void, delayMs: number): number => {
    this.#ids += 1;
    this.#pending.add(this.#ids);
    this.#push({ id: this.#ids, dueMs: this.#nowMs + (delayMs > 0 ? delayMs : 0), rank: this.#dice(), callback });
    return this.#ids;
  };

  clearTimeout = (timer: unknown): void => {
    this.#pending.delete(timer as number);
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
    this.#pop();
    this.#pending.delete(next.id);
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
    let [top] = this.#heap;
    while (top !== undefined && !this.#pending.has(top.id)) {
      this.#pop();
      [top] = this.#heap;
    }
    return top;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Timer;
      if (!isBefore(timer, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      const right = below + 1;
      const smaller = right < heap.length && isBefore(heap[right] as Timer, heap[below] as Timer) ? right : below;
      if (!isBefore(heap[smaller] as Timer, last)) break;
      heap[at] = heap[smaller] as Timer;
      at = smaller;
    }
    heap[at] = last;
  }
}
