import type { PublicationStatus } from '../../machines/publication/publication.events.ts';
import type { Deadlines } from './deadlines.ts';
import { type Moment, type Receipt, Waiter } from './receipt.ts';

/** What is waited for. */
export interface WaitedFor {
  /** Whether the moment has come, or cannot come any more. */
  hasCome(moment: Moment): boolean;
  /** What is known now; `status` overrides it for a caller who has withdrawn. */
  receipt(status?: PublicationStatus): Receipt;
}

/** Everybody who waits for a moment of one publication. */
export class Waiters {
  readonly #awaited: WaitedFor;
  readonly #deadlines: Deadlines;
  #waiting: readonly Waiter[] = [];
  /** What everybody hears where it was never begun. */
  #refusal: Receipt | undefined;

  constructor(awaited: WaitedFor, deadlines: Deadlines) {
    this.#awaited = awaited;
    this.#deadlines = deadlines;
  }

  /** Settles the waiter when its moment comes, or with what is known when its time is up. */
  add(waiter: Waiter, timeoutMs?: number, now?: number): void {
    if (this.#refusal) return waiter.resolve(this.#refusal);
    if (this.#awaited.hasCome(waiter.until)) return waiter.resolve(this.#awaited.receipt());
    this.#waiting = [...this.#waiting, waiter];
    if (timeoutMs !== undefined) waiter.deadline = this.#deadlines.add(timeoutMs, () => this.#settle(waiter), now);
  }

  waitFor(moment: Moment): Promise<Receipt> {
    const waiter = new Waiter(moment);
    this.add(waiter);
    return waiter.promise;
  }

  /** One caller withdraws; the others do not notice. */
  withdraw(waiter: Waiter): void {
    this.#settle(waiter, 'cancelled');
  }

  /** It was never begun: everybody hears that, also who asks later. */
  refuse(receipt: Receipt): void {
    this.#refusal = receipt;
    const refused = this.#waiting;
    this.#waiting = [];
    for (const waiter of refused) {
      if (waiter.deadline) this.#deadlines.remove(waiter.deadline);
      waiter.letGo();
      waiter.resolve(receipt);
    }
  }

  /** Tells everybody whose moment has come. */
  settle(): void {
    for (const waiter of this.#waiting) if (this.#awaited.hasCome(waiter.until)) this.#settle(waiter);
  }

  #settle(waiter: Waiter, status?: PublicationStatus): void {
    if (!this.#waiting.includes(waiter)) return;
    this.#waiting = this.#waiting.filter((each) => each !== waiter);
    if (waiter.deadline) this.#deadlines.remove(waiter.deadline);
    waiter.resolve(this.#awaited.receipt(status));
  }
}
