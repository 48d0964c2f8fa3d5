import { LocalOutbox, type LocalOutboxOptions } from './local-outbox.ts';
import type { Outbox } from './outbox.ts';
import type { Change, RecordStore, StoredRecord } from './record-store.ts';
import type { StateStore } from './state-store.ts';

/** Records in memory. They survive an outbox that is closed, and nothing else. */
export class MemoryStore implements RecordStore {
  readonly durability = 'none';
  readonly #records = new Map<number, StoredRecord>();
  #state: string | undefined;

  async open(): Promise<{ readonly records: readonly (readonly [number, StoredRecord])[]; readonly damaged: number }> {
    return { records: [...this.#records].sort(([a], [b]) => a - b), damaged: 0 };
  }

  async read(number: number): Promise<StoredRecord | undefined> {
    return this.#records.get(number);
  }

  async write(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      if (change.type === 'put') this.#records.set(change.number, change.record);
      else this.#records.delete(change.number);
    }
  }

  async readState(): Promise<string | undefined> {
    return this.#state;
  }

  async writeState(text: string): Promise<void> {
    this.#state = text;
  }

  async close(): Promise<void> {}
}

/** An outbox in memory: for its dead letters, and for tests. */
export const createMemoryOutbox = (options?: LocalOutboxOptions): Outbox & StateStore =>
  new LocalOutbox(new MemoryStore(), options);
