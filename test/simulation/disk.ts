import { MemoryStore } from '../../src/delivery/outbox/memory-outbox.ts';
import type { Change, RecordStore, StoredRecord } from '../../src/delivery/outbox/record-store.ts';
import type { Clock } from '../../src/index.ts';
import type { Dice } from '../../src/testing/index.ts';

/** Milliseconds that a write takes at most. */
export const WRITE_MS_MAX = 20;

/** A disk that takes its time, and outlives the processes that write to it. */
export class SimulatedDisk {
  readonly #records = new MemoryStore();
  readonly #dice: Dice;
  /** Records that are no dead letters. */
  readonly #waiting = new Set<number>();
  #process = 0;
  #writing: readonly Change[] | undefined;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /**
   * The disk as the next process sees it, who hears of it by its own clock and not while it sleeps. What the last one was
   * writing is there as a whole, or not at all.
   */
  mount(clock: Clock): RecordStore {
    this.#process += 1;
    const process = this.#process;
    if (this.#writing && this.#dice() < 0.5) void this.#write(this.#writing);
    this.#writing = undefined;
    const isMounted = (): boolean => process === this.#process;
    return {
      durability: 'power-loss',
      open: () => this.#records.open(),
      read: (number): Promise<StoredRecord | undefined> => this.#records.read(number),
      write: (changes) =>
        new Promise((resolve) => {
          if (!isMounted()) return;
          this.#writing = changes;
          clock.setTimeout(
            () => {
              if (!isMounted()) return;
              this.#writing = undefined;
              void this.#write(changes).then(resolve);
            },
            WRITE_MS_MAX * Math.max(0.01, this.#dice() ** 3),
          );
        }),
      readState: () => this.#records.readState(),
      writeState: (text) => this.#records.writeState(text),
      close: async () => {},
    };
  }

  /** Whether nothing is on it that is to be delivered. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  #write(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      if (change.type === 'put' && !change.record.dead) this.#waiting.add(change.number);
      else this.#waiting.delete(change.number);
    }
    return this.#records.write(changes);
  }
}
