import type {
  FailureCause,
  Outcome,
  PublicationStatus,
  RefusalCause,
} from '../../machines/publication/publication.events.ts';

import type { Deadline } from './deadlines.ts';
import type { Durability } from './outbox/outbox.ts';

/**
 * A moment that a caller can wait for: the first relay accepted, the quorum accepted, or the last outcome is known and
 * nothing more will be sent. They are three different moments.
 */
export type Moment = 'first' | 'quorum' | 'complete';

/** What is known of a publication at one moment. It never changes; ask `confirmed` or `completed` for a later one. */
export interface Receipt {
  /** Id of the event. */
  readonly id: string;
  /**
   * `pending` and `partly-confirmed` mean that the caller stopped waiting while the pool goes on; `refused` that nothing
   * was accepted and nothing will be sent.
   */
  readonly status: PublicationStatus | 'refused';
  /** Why it failed or was refused. */
  readonly cause?: FailureCause | RefusalCause;
  readonly problem?: string;
  /** What an accepted event survives before its quorum: nothing, this process, or the loss of power. */
  readonly durability: Durability;
  /** Distinct relays that had to accept, and that have. */
  readonly quorum: number;
  readonly accepted: number;
  /** The first relay that accepted, and milliseconds from accepting the event to its answer. */
  readonly first?: { readonly relay: string; readonly latencyMs: number };
  /** Milliseconds from accepting the event to its quorum. */
  readonly confirmedMs?: number;
  /** How it went at each relay that was asked, by URL. */
  readonly outcomes: Readonly<Record<string, Outcome>>;
  /** Waits for the quorum, or for the certainty that it will not come. */
  confirmed(): Promise<Receipt>;
  /** Waits for the last outcome. */
  completed(): Promise<Receipt>;
}

/** Somebody who waits for a moment of a publication. Settles once. */
export class Waiter {
  readonly until: Moment;
  readonly promise: Promise<Receipt>;
  /** With a signal, the caller may withdraw. */
  readonly signal: AbortSignal | undefined;
  /** The time that it waits at most. */
  deadline: Deadline | undefined;
  #withdraw: (() => void) | undefined;
  #resolve!: (receipt: Receipt) => void;
  #reject!: (error: unknown) => void;

  constructor(until: Moment, signal?: AbortSignal) {
    this.until = until;
    this.signal = signal;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  resolve(receipt: Receipt): void {
    this.#resolve(receipt);
  }

  reject(error: unknown): void {
    this.#reject(error);
  }

  /** Calls back when the caller withdraws, until `letGo`. */
  onWithdraw(withdraw: () => void): void {
    this.#withdraw = withdraw;
    this.signal?.addEventListener('abort', withdraw, { once: true });
  }

  /** A signal often outlives what it was made for, and must not hold on to everything that it was ever given to. */
  letGo(): void {
    if (this.#withdraw) this.signal?.removeEventListener('abort', this.#withdraw);
    this.#withdraw = undefined;
  }
}

/** The receipt of something that was never begun. */
export function emptyReceipt(
  id: string,
  status: 'refused' | 'cancelled',
  why: { readonly cause?: RefusalCause; readonly problem?: string } = {},
): Receipt {
  const receipt: Receipt = {
    id,
    status,
    ...why,
    durability: 'none',
    quorum: 0,
    accepted: 0,
    outcomes: {},
    confirmed: () => Promise.resolve(receipt),
    completed: () => Promise.resolve(receipt),
  };
  return receipt;
}
