import { SILENCE } from '../../machines/policy/limits.ts';
import { awakeTime, type Clock } from '../clock.ts';

/** Something that is due at a time. */
export interface Deadline {
  /** Milliseconds of the clock without those for which the process slept. */
  readonly dueAt: number;
}

/** Deadlines of one duration. */
interface Row {
  readonly durationMs: number;
  /** The next to be due first. Those that are over leave when they are half of it: taking one out would cost more. */
  pending: Pending[];
  open: number;
  /** `SWEEPING` while its deadlines expire: whatever they add is looked at when all have. */
  timer: unknown;
  /** Its timer was late, and what has arrived is read before anything expires. */
  hasLooked: boolean;
}

class Pending implements Deadline {
  readonly dueAt: number;
  readonly row: Row;
  #expire: (() => void) | undefined;

  constructor(dueAt: number, expire: () => void, row: Row) {
    this.dueAt = dueAt;
    this.row = row;
    this.#expire = expire;
  }

  get isOver(): boolean {
    return this.#expire === undefined;
  }

  /** Lets go of what it was for, and returns that: it may stand in its row for a while. */
  end(): (() => void) | undefined {
    const expire = this.#expire;
    this.#expire = undefined;
    this.row.open -= 1;
    return expire;
  }
}

const SWEEPING = null;

/** Shorter rows are left as they are. */
const TIDIED_MIN = 64;

const isOpen = ({ isOver }: Pending): boolean => !isOver;

/**
 * Deadlines that are nearly always met. Those with the same duration stand in one row in the order in which they are
 * due, so that a row needs one timer, and setting and meeting a deadline costs next to nothing. Time for which the process
 * slept does not count, and what arrived meanwhile is read before anything expires.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #rows = new Map<number, Row>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `now` is what the clock says, for whoever has just asked. */
  add(durationMs: number, expire: () => void, now = this.#clock.now()): Deadline {
    let row = this.#rows.get(durationMs);
    if (!row) {
      row = { durationMs, pending: [], open: 0, timer: undefined, hasLooked: false };
      this.#rows.set(durationMs, row);
    }
    const sleptMs = this.#clock.sleptMs?.() ?? 0;
    const deadline = new Pending(now - sleptMs + durationMs, expire, row);
    row.pending.push(deadline);
    row.open += 1;
    if (row.timer === undefined) this.#arm(row, durationMs);
    return deadline;
  }

  /** The deadline has been met. A row's timer is left to run: it finds nothing due and goes on, or ends. */
  remove(deadline: Deadline): void {
    if (!(deadline instanceof Pending) || deadline.isOver) return;
    const { row } = deadline;
    deadline.end();
    if (row.open === 0) this.#drop(row);
    else if (row.timer !== SWEEPING && row.pending.length >= Math.max(TIDIED_MIN, 2 * row.open)) {
      row.pending = row.pending.filter(isOpen);
    }
  }

  /** Forgets everything; nothing expires any more. */
  clear(): void {
    for (const row of this.#rows.values()) this.#drop(row);
  }

  #drop(row: Row): void {
    this.#clock.clearTimeout(row.timer);
    if (this.#rows.get(row.durationMs) === row) this.#rows.delete(row.durationMs);
  }

  #arm(row: Row, delayMs: number): void {
    row.timer = this.#clock.setTimeout(() => this.#sweep(row), delayMs);
  }

  #sweep(row: Row): void {
    const now = awakeTime(this.#clock);
    const first = row.pending.find(isOpen);
    const lateMs = first ? now - first.dueAt : 0;
    if (lateMs > SILENCE.secondLookMs && !row.hasLooked) {
      row.hasLooked = true;
      return this.#arm(row, SILENCE.secondLookMs);
    }
    row.hasLooked = false;
    row.timer = SWEEPING;
    for (const deadline of row.pending) {
      if (deadline.isOver) continue;
      if (deadline.dueAt > now) break;
      deadline.end()?.();
    }
    // The last one to expire may have taken the whole row away.
    if (this.#rows.get(row.durationMs) !== row) return;
    row.pending = row.pending.filter(isOpen);
    const [next] = row.pending;
    if (next) this.#arm(row, next.dueAt - now);
    else this.#drop(row);
  }
}
