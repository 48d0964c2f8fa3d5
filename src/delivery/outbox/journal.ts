import { RecloserError } from '../../../machines/policy/error.ts';
import { GroupWriter } from './group-writer.ts';
import type { Durability } from './outbox.ts';
import type { Change, RecordStore, StoredRecord } from './record-store.ts';

/** Records that could not be removed and are tried again with one write. */
const REMAINS_AT_ONCE = 100;

/** A store of records as an outbox uses it: written to in groups, and failing with `OUTBOX_FAILED` and the reason. */
export class Journal {
  readonly #store: RecordStore;
  readonly #writer: GroupWriter;
  /** Records that are done with and are still there. */
  readonly #remains = new Set<number>();

  constructor(store: RecordStore) {
    this.#store = store;
    this.#writer = new GroupWriter(store);
  }

  get durability(): Durability {
    return this.#store.durability;
  }

  open(): ReturnType<RecordStore['open']> {
    return attempted(() => this.#store.open());
  }

  read(number: number): Promise<StoredRecord | undefined> {
    return attempted(() => this.#store.read(number));
  }

  async write(changes: readonly Change[], durable: boolean): Promise<void> {
    // A few at a time: a disk that stays full must not make every write longer.
    const remains = [...this.#remains].slice(0, REMAINS_AT_ONCE);
    for (const number of remains) this.#remains.delete(number);
    const removals = remains.map((number): Change => ({ type: 'delete', number }));
    if (changes.length + removals.length === 0) return;
    try {
      await attempted(() => this.#writer.write([...removals, ...changes], durable));
    } catch (error) {
      for (const number of remains) this.#remains.add(number);
      throw error;
    }
  }

  /** Removes a record with one of the next writes. */
  removeLater(number: number): void {
    this.#remains.add(number);
  }

  readState(): Promise<string | undefined> {
    return attempted(() => this.#store.readState());
  }

  writeState(text: string): Promise<void> {
    return attempted(() => this.#store.writeState(text));
  }

  /** Settles when nothing is being written. */
  idle(): Promise<void> {
    return this.#writer.idle();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

async function attempted<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof RecloserError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RecloserError('OUTBOX_FAILED', `The outbox cannot be used: ${why}`, { cause });
  }
}
