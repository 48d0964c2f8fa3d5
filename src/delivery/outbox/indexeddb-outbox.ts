import { RecloserError } from '../../../machines/policy/error.ts';
import { LocalOutbox, type LocalOutboxOptions } from './local-outbox.ts';
import type { Outbox } from './outbox.ts';
import { type Change, type RecordStore, readRecord, type StoredRecord } from './record-store.ts';
import type { StateStore } from './state-store.ts';

const RECORDS = 'records';
/** The key of the text that stands among the records; theirs are numbers. */
const STATE = 'state';

const done = <Value>(request: IDBRequest<Value>): Promise<Value> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Records in IndexedDB, with strict durability. One page of an origin at a time has them, by a lock of the platform. */
class IndexedDbStore implements RecordStore {
  readonly durability = 'power-loss';
  readonly #name: string;
  #db: Promise<IDBDatabase> | undefined;
  #isClosed = false;
  #release: (() => void) | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  async open(): Promise<{ readonly records: readonly (readonly [number, StoredRecord])[]; readonly damaged: number }> {
    await this.#own();
    const store = (await this.#records('readonly', 'relaxed')).objectStore(RECORDS);
    const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
    const read = keys.map((key, index) => [key, readRecord(values[index])] as const);
    const records = read.flatMap(([key, record]) =>
      typeof key === 'number' && record ? [[key, record] as const] : [],
    );
    return { records, damaged: keys.length - records.length - (keys.includes(STATE) ? 1 : 0) };
  }

  async read(number: number): Promise<StoredRecord | undefined> {
    const records = await this.#records('readonly', 'relaxed');
    return readRecord(await done(records.objectStore(RECORDS).get(number)));
  }

  async write(changes: readonly Change[], durable: boolean): Promise<void> {
    await this.#change(durable ? 'strict' : 'relaxed', (records) => {
      for (const change of changes) {
        if (change.type === 'put') records.put(change.record, change.number);
        else records.delete(change.number);
      }
    });
  }

  async readState(): Promise<string | undefined> {
    const records = await this.#records('readonly', 'relaxed');
    return done(records.objectStore(RECORDS).get(STATE));
  }

  writeState(text: string): Promise<void> {
    return this.#change('strict', (records) => records.put(text, STATE));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    (await this.#db?.catch(() => undefined))?.close();
    this.#release?.();
  }

  async #change(durability: IDBTransactionDurability, change: (records: IDBObjectStore) => void): Promise<void> {
    const transaction = await this.#records('readwrite', durability);
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'));
      change(transaction.objectStore(RECORDS));
    });
  }

  async #records(mode: IDBTransactionMode, durability: IDBTransactionDurability): Promise<IDBTransaction> {
    const db = await (this.#db ?? this.#connect());
    return db.transaction(RECORDS, mode, { durability });
  }

  /** Connects to the database, and anew where that was lost. */
  #connect(): Promise<IDBDatabase> {
    if (this.#isClosed) return Promise.reject(new Error('the database is closed'));
    const request = indexedDB.open(this.#name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(RECORDS);
    const lost = (): void => {
      this.#db = undefined;
    };
    this.#db = done(request).then(
      (db) => {
        db.onclose = lost;
        // Whoever deletes the database, or has a newer version of it, comes first.
        db.onversionchange = () => {
          lost();
          db.close();
        };
        return db;
      },
      (error: unknown) => {
        lost();
        throw error;
      },
    );
    return this.#db;
  }

  /** Where the platform has no locks, whoever opens it twice has to know. */
  async #own(): Promise<void> {
    const { locks } = globalThis.navigator ?? {};
    if (!locks || this.#release) return;
    const owns = await new Promise<boolean>((resolve, reject) => {
      const held = new Promise<void>((release) => {
        this.#release = () => {
          this.#release = undefined;
          release();
        };
      });
      locks
        .request(`recloser outbox ${this.#name}`, { ifAvailable: true }, (lock) => {
          resolve(lock !== null);
          return lock ? held : undefined;
        })
        .catch(reject);
    });
    if (owns) return;
    this.#release = undefined;
    throw new RecloserError('OUTBOX_FAILED', `The outbox ${this.#name} is open in another page.`);
  }
}

/**
 * An outbox in the browser. What it has accepted survives the loss of power as far as the browser keeps its word (strict
 * durability). One page of an origin has it at a time; in others, every use is refused with `OUTBOX_FAILED` until the
 * first is gone.
 */
export const createIndexedDbOutbox = (name = 'recloser-outbox', options?: LocalOutboxOptions): Outbox & StateStore =>
  new LocalOutbox(new IndexedDbStore(name), options);
