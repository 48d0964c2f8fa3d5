import { LocalOutbox, type LocalOutboxOptions } from './local-outbox.ts';
import type { Outbox } from './outbox.ts';
import type { Change, RecordStore, StoredRecord } from './record-store.ts';

/** Records in memory. They survive an outbox that is closed, and nothing else. */
export class MemoryStore implements RecordStore {
  readonly durability = 'none';
  readonly #records = new Map<number, StoredRecord>();

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

  async close(): Promise<void> {}
}

/** An outbox in memory: for its dead letters, and for tests. */
export const createMemoryOutbox = (options?: LocalOutboxOptions): Outbox => new LocalOutbox(new MemoryStore(), options);
