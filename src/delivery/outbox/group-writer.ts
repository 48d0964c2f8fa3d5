import type { Change, RecordStore } from './record-store.ts';

interface Waiting {
  readonly changes: readonly Change[];
  readonly durable: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Writes in groups: while one write is under way, whatever else comes waits and is written together. A disk that takes
 * milliseconds to be sure then takes them once for all of it.
 */
export class GroupWriter {
  readonly #store: RecordStore;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  constructor(store: RecordStore) {
    this.#store = store;
  }

  write(changes: readonly Change[], durable: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, durable, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Settles when nothing is being written. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // What comes in the same turn belongs together.
    await null;
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        await this.#store.write(
          group.flatMap(({ changes }) => changes),
          group.some(({ durable }) => durable),
        );
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#writing = undefined;
  }
}
