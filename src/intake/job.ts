import type { Page } from '../../machines/policy/gap.ts';
import type { Clock } from '../clock.ts';
import type { Codec, PreparedFilters } from '../protocol/codec.ts';
import type { Reconciler } from '../protocol/reconciler.ts';
import type { Feed } from './feed.ts';
import type { Request, Wanted } from './wanted.ts';

/** All that the relay had to send, or why it has not been sent: it will not, or it has not in time. */
export type Fetched = Page | 'refused' | 'late';

export interface BackfillNeeds {
  readonly clock: Clock;
  readonly codec: Codec;
  readonly reconciler: Reconciler | undefined;
  /** Milliseconds to wait for an answer. */
  readonly answerTimeoutMs: number;
  feedOf(url: string): Feed<Request> | undefined;
  /** Asks one relay for some events on behalf of a subscription, and says how that ended. */
  fetch(wanted: Wanted, url: string, filters: PreparedFilters, over: (result: Fetched) => void): void;
  /** Milliseconds before it is asked again for what it has not sent. */
  retryDelayMs(tries: number): number;
  /** All that was asked for after a gap has come. */
  filled(request: Request): void;
  /** A relay did something against the protocol: counted by kind, and charged as well. */
  charge(url: string, kind: string): void;
  count(url: string, kind: string): void;
}

/** Something is over for now, or for good unless it says after how many milliseconds it is to go on. */
export type Done = (againInMs?: number) => void;

/** Something that is fetched from one relay on one connection. */
export interface Job {
  /** Begins, or goes on, and says when it is over. */
  run(done: Done): void;
  /** Leaves no timer behind, and does nothing more. */
  end(): void;
}
