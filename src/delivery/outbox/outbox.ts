import type { Priority } from '../../../machines/policy/priority.ts';

/**
 * What an accepted event survives: nothing, this process (`process-crash`: the operating system has it), or the machine as
 * well (`power-loss`: the disk has it).
 */
export type Durability = 'none' | 'process-crash' | 'power-loss';

/** Something to be kept until it has been delivered. */
export interface OutboxItem {
  /** Names it: what has the same id is the same, and is kept once. */
  readonly id: string;
  readonly body: string;
  readonly priority: Priority;
}

/** What has been handed out for delivery. It stays kept until it is settled or buried. */
export interface Lease extends OutboxItem {
  /** How often it has been handed out, from 1. */
  readonly attempt: number;
  /**
   * It has been delivered and is kept no longer. Settles when that outlives this process. It never rejects: what cannot be
   * removed is delivered once more, which does no harm.
   */
  settle(): Promise<void>;
  /** It could not be delivered now: it is handed out again after a while. */
  nack(options: { readonly delayMs: number; readonly reason: string }): Promise<void>;
  /** It cannot be delivered: it is kept among the dead letters until it is revived or discarded. */
  bury(reason: string): Promise<void>;
}

/** Something that could not be delivered, and why. */
export interface DeadLetter {
  readonly id: string;
  readonly body: string;
  readonly priority: Priority;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

export interface OutboxStats {
  /** Items that wait to be handed out, that are handed out, and that are dead letters. */
  readonly waiting: number;
  readonly leased: number;
  readonly dead: number;
  /** Records that were found and could not be read; they are left where they are. */
  readonly damaged: number;
}

/**
 * Keeps what was accepted until it has been delivered. A pool enqueues every event before it sends anything, delivers what
 * is handed out to it, and settles it at its quorum. Whoever opens an outbox closes it, after the pool.
 */
export interface Outbox {
  readonly durability: Durability;
  /**
   * Settles when all of them are kept. Says which of them had been there before. Rejects with a `RecloserError` when none
   * of them is kept: `OUTBOX_FULL`, `OUTBOX_FAILED` (such as a full disk) or `OUTBOX_CLOSED`.
   */
  enqueue(items: readonly OutboxItem[]): Promise<{ readonly duplicates: readonly string[] }>;
  /**
   * Hands out what is kept, also from before a restart. Never are more than `window` of its leases open. It ends with the
   * signal; leases that are open then can still be settled, and are handed out again after a restart.
   */
  lease(options: { readonly window: number; readonly signal: AbortSignal }): AsyncIterable<Lease>;
  /** The oldest dead letters first. */
  deadLetters(options?: { readonly limit?: number }): Promise<readonly DeadLetter[]>;
  /** Hands these dead letters out again, or all; how many there were. */
  revive(ids?: readonly string[]): Promise<number>;
  /** Forgets these dead letters; how many there were. */
  discard(ids: readonly string[]): Promise<number>;
  stats(): Promise<OutboxStats>;
  close(): Promise<void>;
}
