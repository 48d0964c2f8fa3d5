import { ClassicLevel } from 'classic-level';
import { LocalOutbox, type LocalOutboxOptions } from './local-outbox.ts';
import type { Outbox } from './outbox.ts';
import { type Change, type RecordStore, readRecord, type StoredRecord } from './record-store.ts';
import type { StateStore } from './state-store.ts';

const PREFIX = 'item!';
const STATE = 'state';
/** Digits of the largest whole number that a key may have. */
const DIGITS = 16;

const keyOf = (number: number): string => PREFIX + String(number).padStart(DIGITS, '0');

/** Records in a LevelDB database: synchronous writes survive the loss of power, and one process at a time may open it. */
class LevelStore implements RecordStore {
  readonly durability = 'power-loss';
  readonly #path: string;
  #db: ClassicLevel<string, string> | undefined;
  /** After a failed write LevelDB takes no more until it is opened anew. */
  #hasFailed = false;
  #opening: Promise<ClassicLevel<string, string>> | undefined;
  #isClosed = false;

  constructor(path: string) {
    this.#path = path;
  }

  async open(): Promise<{ readonly records: readonly (readonly [number, StoredRecord])[]; readonly damaged: number }> {
    const db = await this.#reopen();
    const records: (readonly [number, StoredRecord])[] = [];
    let damaged = 0;
    for await (const [key, value] of db.iterator({ gte: PREFIX, lt: `${PREFIX}~` })) {
      const number = Number(key.slice(PREFIX.length));
      const record = Number.isSafeInteger(number) ? parse(value) : undefined;
      if (record) records.push([number, record]);
      else damaged += 1;
    }
    return { records, damaged };
  }

  async read(number: number): Promise<StoredRecord | undefined> {
    const value = await (await this.#usable()).get(keyOf(number));
    return value === undefined ? undefined : parse(value);
  }

  async write(changes: readonly Change[], durable: boolean): Promise<void> {
    const db = await this.#usable();
    await this.#noticing(
      db.batch(
        changes.map((change) =>
          change.type === 'put'
            ? { type: 'put', key: keyOf(change.number), value: JSON.stringify(change.record) }
            : { type: 'del', key: keyOf(change.number) },
        ),
        { sync: durable },
      ),
    );
  }

  async readState(): Promise<string | undefined> {
    return (await this.#usable()).get(STATE);
  }

  async writeState(text: string): Promise<void> {
    await this.#noticing((await this.#usable()).put(STATE, text, { sync: true }));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#opening?.catch(() => undefined);
    await this.#db?.close();
  }

  async #noticing(writing: Promise<void>): Promise<void> {
    try {
      await writing;
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    }
  }

  async #usable(): Promise<ClassicLevel<string, string>> {
    return this.#db && !this.#hasFailed && !this.#opening ? this.#db : this.#reopen();
  }

  /** Once for all who need it: two who open it would lock each other out. */
  #reopen(): Promise<ClassicLevel<string, string>> {
    this.#opening ??= this.#openAnew().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openAnew(): Promise<ClassicLevel<string, string>> {
    if (this.#isClosed) throw new Error('the database is closed');
    await this.#db?.close();
    const db = new ClassicLevel<string, string>(this.#path);
    this.#db = db;
    try {
      await db.open();
    } catch (error) {
      throw new Error(whyNotOpened(this.#path, error), { cause: error });
    }
    this.#hasFailed = false;
    return db;
  }
}

/** classic-level says only that opening failed; its cause says why. */
function whyNotOpened(path: string, error: unknown): string {
  const { code, message = String(error) } = ((error as { cause?: unknown }).cause ?? error) as {
    readonly code?: string;
    readonly message?: string;
  };
  if (code === 'LEVEL_LOCKED') return `${path} is open in another process, or twice in this one; close it there first`;
  if (/corrupt/i.test(`${code} ${message}`))
    return `${path} is damaged (${message}); restore it, or use another folder`;
  return `${path} cannot be opened (${message}); give a folder that can be written to`;
}

function parse(value: string): StoredRecord | undefined {
  try {
    return readRecord(JSON.parse(value));
  } catch {
    return undefined;
  }
}

/**
 * An outbox on disk, in a folder of its own. What it has accepted survives the loss of power: writes are synchronous, and
 * those that come together are made together. Only one process can have it open; in another one, every use is refused
 * with `OUTBOX_FAILED` until the first has closed it. Needs the package `classic-level`.
 */
export const createLevelOutbox = (path: string, options?: LocalOutboxOptions): Outbox & StateStore =>
  new LocalOutbox(new LevelStore(path), options);
