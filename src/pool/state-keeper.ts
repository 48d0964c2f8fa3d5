import type { RelayHistory } from '../../machines/policy/history.ts';
import { KEEP_MS } from '../../machines/policy/limits.ts';
import type { KeptPool } from '../../machines/pool/pool.context.ts';
import type { Clock } from '../clock.ts';
import type { PoolState } from './pool-state.ts';

export interface StateKeeperNeeds {
  readonly state: PoolState;
  readonly clock: Clock;
  historyOf(url: string): RelayHistory;
  /** It could not be written. It is tried again. */
  failed(problem: string): void;
}

/** Writes down which relays there are soon after that changes, and how they are doing once in a while. */
export class StateKeeper {
  readonly #needs: StateKeeperNeeds;
  #kept: KeptPool | undefined;
  #timer: unknown;
  #dueAt = Number.POSITIVE_INFINITY;
  #writing: Promise<void> = Promise.resolve();
  /** Why the last write failed. */
  #failure: unknown;
  #closed = false;

  constructor(needs: StateKeeperNeeds) {
    this.#needs = needs;
  }

  /** These are the relays now. */
  keep(kept: KeptPool): void {
    this.#kept = kept;
    this.#arm(KEEP_MS.change);
  }

  /** Writes the last of it; nothing is kept after that. */
  close(): void {
    if (this.#closed) return;
    this.#write();
    this.#closed = true;
    this.#needs.clock.clearTimeout(this.#timer);
  }

  /** Settles when nothing is being written; rejects where the last of it could not be. */
  async end(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #arm(delayMs: number): void {
    const { clock } = this.#needs;
    const dueAt = clock.now() + delayMs;
    if (this.#closed || this.#dueAt <= dueAt) return;
    clock.clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = clock.setTimeout(() => {
      this.#dueAt = Number.POSITIVE_INFINITY;
      this.#write();
      this.#arm(KEEP_MS.history);
    }, delayMs);
  }

  #write(): void {
    const { state, historyOf, failed } = this.#needs;
    const { options, relays } = this.#kept ?? {};
    if (this.#closed || !options || !relays) return;
    const written = { options, relays: relays.map((relay) => ({ ...relay, history: historyOf(relay.url) })) };
    // One after the other: the last one counts.
    this.#writing = this.#writing
      .then(() => state.write(written))
      .then(
        () => {
          this.#failure = undefined;
        },
        (error: unknown) => {
          if (this.#failure === undefined) failed(error instanceof Error ? error.message : String(error));
          this.#failure = error;
          this.#arm(KEEP_MS.history);
        },
      );
  }
}
