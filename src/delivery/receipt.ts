import type {
  FailureCause,
  Outcome,
  PublicationStatus,
  RefusalCause,
} from '../../machines/publication/publication.events.ts';

import type { Deadline } from './deadlines.ts';
import type { Durability } from './outbox/outbox.ts';

/**
 * A moment that a caller can wait for:
 * - `first`: the first relay has accepted;
 * - `quorum`: the quorum has accepted;
 * - `answered`: every relay that can be reached has answered, or has run out of time; those that are down are not waited for;
 * - `complete`: the last outcome is known, and nothing more will be sent.
 */
export const MOMENTS = ['first', 'quorum', 'answered', 'complete'] as const;
export type Moment = (typeof MOMENTS)[number];

/** Bounds of waiting for a moment. */
export interface WaitOptions {
  /** Milliseconds after which the promise settles with what is known (1 … 86,400,000). */
  readonly timeoutMs?: number | undefined;
  /** Settles the promise with what is known. The publication goes on. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * State of one publish call at one moment: the relays, the quorum and the outcomes are those of this call, also if
 * other calls publish the same event. It never changes; ask `confirmed`, `answered` or `completed` for a later one.
 */
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
  /** Waits for the quorum, or until it cannot be reached any more: without `timeoutMs`, until the publication expires. */
  confirmed(options?: WaitOptions): Promise<Receipt>;
  /** Waits until every relay that can be reached has answered. `timeoutMs` defaults to that of the publish call. */
  answered(options?: WaitOptions): Promise<Receipt>;
  /** Waits for the last outcome. `timeoutMs` defaults to that of the publish call. */
  completed(options?: WaitOptions): Promise<Receipt>;
}

/** A promise for a moment of a publication. Settles once. */
export class Waiter {
  readonly until: Moment;
  readonly promise: Promise<Receipt>;
  /** With a signal, the caller may withdraw. */
  readonly signal: AbortSignal | undefined;
  /** The time that it waits at most. */
  deadline: Deadline | undefined;
  /** Takes the callback of its signal away. */
  release: (() => void) | undefined;
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
    answered: () => Promise.resolve(receipt),
    completed: () => Promise.resolve(receipt),
  };
  return receipt;
}
