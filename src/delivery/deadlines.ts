import type { Clock } from '../clock.ts';

/** Something that is due at a time. */
export interface Deadline {
  readonly dueAt: number;
  readonly durationMs: number;
  readonly expire: () => void;
}

interface Row {
  readonly pending: Set<Deadline>;
  /** `SWEEPING` while its deadlines expire: whatever they add is looked at when all have. */
  timer: unknown;
}

const SWEEPING = null;

/**
 * Deadlines that are nearly always met. Those with the same duration stand in one row in the order in which they are
 * due, so that a row needs one timer, and setting and meeting a deadline costs next to nothing.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #rows = new Map<number, Row>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(durationMs: number, expire: () => void): Deadline {
    const deadline: Deadline = { dueAt: this.#clock.now() + durationMs, durationMs, expire };
    let row = this.#rows.get(durationMs);
    if (!row) {
      row = { pending: new Set(), timer: undefined };
      this.#rows.set(durationMs, row);
    }
    row.pending.add(deadline);
    if (row.timer === undefined) this.#arm(durationMs, row, durationMs);
    return deadline;
  }

  /** The deadline has been met. A row's timer is left to run: it finds nothing due and goes on, or ends. */
  remove(deadline: Deadline): void {
    const row = this.#rows.get(deadline.durationMs);
    if (row?.pending.delete(deadline) && row.pending.size === 0) this.#drop(deadline.durationMs, row);
  }

  /** Forgets everything; nothing expires any more. */
  clear(): void {
    for (const [durationMs, row] of this.#rows) this.#drop(durationMs, row);
  }

  #drop(durationMs: number, row: Row): void {
    this.#clock.clearTimeout(row.timer);
    this.#rows.delete(durationMs);
  }

  #arm(durationMs: number, row: Row, delayMs: number): void {
    row.timer = this.#clock.setTimeout(() => this.#sweep(durationMs, row), delayMs);
  }

  #sweep(durationMs: number, row: Row): void {
    const now = this.#clock.now();
    row.timer = SWEEPING;
    for (const deadline of row.pending) {
      if (deadline.dueAt > now) break;
      row.pending.delete(deadline);
      deadline.expire();
    }
    // The last one to expire may have taken the whole row away.
    if (this.#rows.get(durationMs) !== row) return;
    const [next] = row.pending;
    if (next) this.#arm(durationMs, row, next.dueAt - now);
    else this.#rows.delete(durationMs);
  }
}
