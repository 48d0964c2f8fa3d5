import { PUBLISH_LIMITS } from '../../machines/policy/limits.ts';
import { checkKeys, checkNumber } from '../../machines/policy/settings.ts';
import type { PublicationStatus } from '../../machines/publication/publication.events.ts';
import { type AbortSignals, checkSignal } from '../abort-signals.ts';
import type { Deadlines } from './deadlines.ts';
import { type Moment, type Receipt, Waiter, type WaitOptions } from './receipt.ts';

/** A publish call, as far as waiting for it is concerned. */
export interface WaitedFor {
  /** True if the moment has come, or cannot come any more. */
  hasCome(moment: Moment): boolean;
  /** What is known now; `status` overrides it for a caller who has withdrawn. */
  receipt(status?: PublicationStatus): Receipt;
}

export interface WaitersDeps {
  readonly deadlines: Deadlines;
  readonly signals: AbortSignals;
  /** Milliseconds that the publish call waits; the bound of later waits unless they say otherwise. */
  readonly timeoutMs: number;
}

/** Everyone who waits for a moment of one publish call. */
export class Waiters {
  readonly #awaited: WaitedFor;
  readonly #deps: WaitersDeps;
  #waiting: readonly Waiter[] = [];
  /** The receipt of a call that was never begun. */
  #refusal: Receipt | undefined;

  constructor(awaited: WaitedFor, deps: WaitersDeps) {
    this.#awaited = awaited;
    this.#deps = deps;
  }

  /** Settles the waiter when its moment comes, or with what is known when its time is up. */
  add(waiter: Waiter, timeoutMs?: number, now?: number): void {
    if (this.#refusal) return waiter.resolve(this.#refusal);
    if (this.#awaited.hasCome(waiter.until)) return waiter.resolve(this.#awaited.receipt());
    this.#waiting = [...this.#waiting, waiter];
    if (timeoutMs !== undefined) {
      waiter.deadline = this.#deps.deadlines.add(timeoutMs, () => this.#settle(waiter), now);
    }
  }

  waitFor(moment: Moment, options: WaitOptions = {}): Promise<Receipt> {
    try {
      checkKeys('wait', options, ['timeoutMs', 'signal']);
      // The quorum is waited for until it is certain; publications end by themselves.
      const usualMs = moment === 'quorum' ? undefined : this.#deps.timeoutMs;
      const { timeoutMs = usualMs, signal } = options;
      if (timeoutMs !== undefined) checkNumber('timeoutMs', timeoutMs, PUBLISH_LIMITS.timeoutMs);
      checkSignal(signal);
      const waiter = new Waiter(moment);
      if (signal?.aborted) return Promise.resolve(this.#awaited.receipt());
      this.add(waiter, timeoutMs);
      if (signal && this.#waiting.includes(waiter)) {
        waiter.release = this.#deps.signals.onAbort(signal, () => this.#settle(waiter));
      }
      return waiter.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** One caller withdraws; the others do not notice. */
  withdraw(waiter: Waiter): void {
    this.#settle(waiter, 'cancelled');
  }

  /** The call was never begun: this is the receipt of everyone, also of those who ask later. */
  refuse(receipt: Receipt): void {
    this.#refusal = receipt;
    for (const waiter of this.#waiting) this.#resolve(waiter, receipt);
    this.#waiting = [];
  }

  /** Settles everyone whose moment has come. */
  settle(): void {
    for (const waiter of this.#waiting) if (this.#awaited.hasCome(waiter.until)) this.#settle(waiter);
  }

  /** True if someone waits for a moment that depends on what relays do besides accepting. */
  get awaitsAnswers(): boolean {
    return this.#waiting.some(({ until }) => until === 'answered' || until === 'complete');
  }

  #settle(waiter: Waiter, status?: PublicationStatus): void {
    if (!this.#waiting.includes(waiter)) return;
    this.#waiting = this.#waiting.filter((each) => each !== waiter);
    this.#resolve(waiter, this.#awaited.receipt(status));
  }

  #resolve(waiter: Waiter, receipt: Receipt): void {
    if (waiter.deadline) this.#deps.deadlines.remove(waiter.deadline);
    waiter.release?.();
    waiter.resolve(receipt);
  }
}
