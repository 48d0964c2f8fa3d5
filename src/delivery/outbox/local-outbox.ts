import { RecloserError } from '../../../machines/policy/error.ts';
import { OUTBOX_LIMITS } from '../../../machines/policy/limits.ts';
import type { Priority } from '../../../machines/policy/priority.ts';
import { checkNumber } from '../../../machines/policy/settings.ts';
import { type Clock, systemClock } from '../../clock.ts';
import { LaneQueue } from '../lane-queue.ts';
import { Journal } from './journal.ts';
import type { DeadLetter, Durability, Lease, Outbox, OutboxItem, OutboxStats } from './outbox.ts';
import type { Change, RecordStore, StoredRecord } from './record-store.ts';
import type { StateStore } from './state-store.ts';

export interface LocalOutboxOptions {
  /** Items that are kept at most, dead letters among them; more are refused. Default 100,000. */
  readonly itemsMax?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** What is remembered of a record without its body. */
interface Entry {
  readonly number: number;
  readonly id: string;
  readonly priority: Priority;
  attempt: number;
  state: 'writing' | 'waiting' | 'leased' | 'delayed' | 'dead';
  /** The body, while it is about to be handed out anyway. */
  body: string | undefined;
  /** Settles when it is written, while it is. */
  written: Promise<void> | undefined;
  timer: unknown;
}

const nobody = (): boolean => false;

/** An outbox for one process: the order and the leases are in memory, the records in a store. */
export class LocalOutbox implements Outbox, StateStore {
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #itemsMax: number;
  readonly #entries = new Map<string, Entry>();
  readonly #ready = new LaneQueue<Entry>();
  readonly #wakers = new Set<() => void>();
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #damaged = 0;
  #numbers = 0;

  constructor(store: RecordStore, { itemsMax, clock = systemClock }: LocalOutboxOptions = {}) {
    this.#journal = new Journal(store);
    this.#clock = clock;
    const limit = OUTBOX_LIMITS.itemsMax;
    this.#itemsMax = itemsMax === undefined ? limit.default : checkNumber('itemsMax', itemsMax, limit);
  }

  get durability(): Durability {
    return this.#journal.durability;
  }

  async enqueue(items: readonly OutboxItem[]): Promise<{ readonly duplicates: readonly string[] }> {
    await this.#open();
    const distinct = [...new Map(items.map((item) => [item.id, item])).values()];
    const fresh = distinct.filter(({ id }) => (this.#entries.get(id)?.state ?? 'dead') === 'dead');
    const known = distinct.filter((item) => !fresh.includes(item));
    const added = fresh.filter(({ id }) => !this.#entries.has(id)).length;
    if (this.#entries.size + added > this.#itemsMax) {
      throw new RecloserError(
        'OUTBOX_FULL',
        `The outbox has ${this.#entries.size} items; itemsMax is ${this.#itemsMax}.`,
      );
    }
    const written = fresh.length === 0 ? [] : [this.#add(fresh)];
    // What somebody else is writing is not kept before it is written.
    await Promise.all([...written, ...known.map(({ id }) => this.#entries.get(id)?.written)]);
    // It may have been a dead letter that somebody was discarding.
    const gone = known.filter(({ id }) => !this.#entries.has(id));
    if (gone.length > 0) await this.enqueue(gone);
    return { duplicates: known.filter((item) => !gone.includes(item)).map(({ id }) => id) };
  }

  async *lease(options: { readonly window: number; readonly signal: AbortSignal }): AsyncGenerator<Lease, void> {
    const { window, signal } = options;
    await this.#open();
    const open = new Set<Entry>();
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!signal.aborted && !this.#closing) {
        const entry = open.size < window ? this.#ready.next(nobody) : undefined;
        if (!entry) {
          await this.#change();
          continue;
        }
        entry.state = 'leased';
        open.add(entry);
        const body = entry.body ?? (await this.#leasedBody(entry, open));
        entry.body = undefined;
        if (body === undefined) open.delete(entry);
        else yield new LocalLease(entry, body, this.#partsOf(entry, body, open));
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  async deadLetters({ limit = 1_000 }: { readonly limit?: number } = {}): Promise<readonly DeadLetter[]> {
    await this.#open();
    const letters: DeadLetter[] = [];
    const dead = [...this.#entries.values()].filter(({ state }) => state === 'dead');
    for (const { number } of dead.sort((a, b) => a.number - b.number).slice(0, limit)) {
      const record = await this.#journal.read(number);
      if (!record?.dead) continue;
      const { id, body, priority, dead: why } = record;
      letters.push({ id, body, priority, ...why });
    }
    return letters;
  }

  async revive(ids?: readonly string[]): Promise<number> {
    const dead = await this.#claim(ids, (entries) => this.#rewrite(entries));
    for (const entry of dead) {
      entry.attempt = 0;
      this.#offer(entry);
    }
    return dead.length;
  }

  async discard(ids: readonly string[]): Promise<number> {
    const dead = await this.#claim(ids, async (entries) => {
      const changes = entries.map(({ number }): Change => ({ type: 'delete', number }));
      await this.#journal.write(changes, true);
      // Before whoever waits for this write goes on, or they would find it here.
      for (const entry of entries) this.#forget(entry);
    });
    return dead.length;
  }

  async stats(): Promise<OutboxStats> {
    await this.#open();
    const stats = { waiting: 0, leased: 0, dead: 0, damaged: this.#damaged };
    for (const { state } of this.#entries.values()) {
      if (state === 'leased' || state === 'dead') stats[state] += 1;
      else stats.waiting += 1;
    }
    return stats;
  }

  async readState(): Promise<string | undefined> {
    await this.#open();
    return this.#journal.readState();
  }

  async writeState(text: string): Promise<void> {
    await this.#open();
    await this.#journal.writeState(text);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    for (const { timer } of this.#entries.values()) this.#clock.clearTimeout(timer);
    this.#wake();
    await this.#journal.idle();
    if (this.#opening) await this.#journal.close();
  }

  /** Opens the store when it is first needed, and again where that failed. */
  #open(): Promise<void> {
    if (this.#closing) return Promise.reject(new RecloserError('OUTBOX_CLOSED', 'The outbox is closed; open another.'));
    this.#opening ??= this.#load().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #load(): Promise<void> {
    const { records, damaged } = await this.#journal.open();
    this.#damaged = damaged;
    for (const [number, record] of records) {
      this.#numbers = Math.max(this.#numbers, number + 1);
      const { id, priority, dead } = record;
      // A record is written anew before the old one is removed; a crash between the two leaves both.
      if (this.#entries.has(id)) {
        this.#journal.removeLater(number);
        continue;
      }
      const entry: Entry = {
        number,
        id,
        priority,
        attempt: record.attempt + 1,
        state: dead ? 'dead' : 'waiting',
        body: undefined,
        written: undefined,
        timer: undefined,
      };
      this.#entries.set(id, entry);
      if (!dead) this.#ready.add(entry);
    }
  }

  async #add(items: readonly OutboxItem[]): Promise<void> {
    const changes: Change[] = [];
    const entries = items.map(({ id, body, priority }): Entry => {
      const before = this.#entries.get(id);
      if (before) changes.push({ type: 'delete', number: before.number });
      const number = this.#numbers;
      this.#numbers += 1;
      changes.push({ type: 'put', number, record: { id, body, priority, attempt: 0 } });
      return { number, id, priority, attempt: 0, state: 'writing', body, written: undefined, timer: undefined };
    });
    const before = entries.map(({ id }) => this.#entries.get(id));
    const written = this.#journal.write(changes, true);
    for (const entry of entries) {
      entry.written = written;
      this.#entries.set(entry.id, entry);
    }
    try {
      await written;
    } catch (error) {
      entries.forEach(({ id }, index) => {
        const old = before[index];
        if (old) this.#entries.set(id, old);
        else this.#entries.delete(id);
      });
      throw error;
    }
    for (const entry of entries) {
      entry.written = undefined;
      this.#offer(entry);
    }
  }

  #partsOf(entry: Entry, body: string, open: Set<Entry>): LeaseParts {
    const end = (): boolean => open.delete(entry) && entry.state === 'leased';
    const put = (record: Partial<StoredRecord>): Promise<void> => {
      const { number, id, priority, attempt } = entry;
      const change: Change = { type: 'put', number, record: { id, body, priority, attempt, ...record } };
      // Losing it does no harm: it is handed out once more.
      return this.#journal.write([change], false).catch(() => undefined);
    };
    return {
      settle: async () => {
        if (!end()) return;
        this.#forget(entry);
        this.#wake();
        await this.#journal.write([{ type: 'delete', number: entry.number }], false).catch(() => {
          this.#journal.removeLater(entry.number);
        });
      },
      nack: async (delayMs) => {
        if (!end()) return;
        entry.state = 'delayed';
        entry.attempt += 1;
        if (delayMs > 0 && !this.#closing) entry.timer = this.#clock.setTimeout(() => this.#offer(entry), delayMs);
        else this.#offer(entry);
        this.#wake();
        await put({});
      },
      bury: async (reason) => {
        if (!end()) return;
        entry.state = 'dead';
        this.#wake();
        await put({ dead: { reason, atMs: this.#clock.now() } });
      },
    };
  }

  #offer(entry: Entry): void {
    entry.state = 'waiting';
    this.#ready.add(entry);
    this.#wake();
  }

  #forget(entry: Entry): void {
    if (this.#entries.get(entry.id) === entry) this.#entries.delete(entry.id);
  }

  /** The body of what is being handed out; where it cannot be read now, it waits again. */
  async #leasedBody(entry: Entry, open: Set<Entry>): Promise<string | undefined> {
    try {
      const record = await this.#journal.read(entry.number);
      if (record) return record.body;
      this.#forget(entry);
      this.#damaged += 1;
      return undefined;
    } catch (error) {
      open.delete(entry);
      this.#offer(entry);
      throw error;
    }
  }

  /** Takes dead letters, so that nobody else does, and does something about them; where that fails, they stay. */
  async #claim(
    ids: readonly string[] | undefined,
    work: (entries: readonly Entry[]) => Promise<void>,
  ): Promise<readonly Entry[]> {
    await this.#open();
    const wanted = ids && new Set(ids);
    const claimed = [...this.#entries.values()].filter(
      ({ id, state }) => state === 'dead' && (wanted?.has(id) ?? true),
    );
    const written = work(claimed);
    for (const entry of claimed) {
      entry.state = 'writing';
      entry.written = written;
    }
    try {
      await written;
      return claimed;
    } catch (error) {
      for (const entry of claimed) entry.state = 'dead';
      throw error;
    } finally {
      for (const entry of claimed) entry.written = undefined;
    }
  }

  /** Writes that they are no dead letters any more. */
  async #rewrite(entries: readonly Entry[]): Promise<void> {
    const records = await Promise.all(entries.map(({ number }) => this.#journal.read(number)));
    const changes = entries.flatMap(({ number }, index): Change[] => {
      const record = records[index];
      if (!record) return [];
      const { id, body, priority } = record;
      return [{ type: 'put', number, record: { id, body, priority, attempt: 0 } }];
    });
    await this.#journal.write(changes, true);
  }

  /** Settles with the next change. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakers.add(resolve);
    });
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
    this.#wakers.clear();
  }
}

interface LeaseParts {
  settle(): Promise<void>;
  nack(delayMs: number): Promise<void>;
  bury(reason: string): Promise<void>;
}

class LocalLease implements Lease {
  readonly id: string;
  readonly body: string;
  readonly priority: Priority;
  readonly attempt: number;
  readonly #parts: LeaseParts;

  constructor(entry: Entry, body: string, parts: LeaseParts) {
    this.id = entry.id;
    this.body = body;
    this.priority = entry.priority;
    this.attempt = entry.attempt + 1;
    this.#parts = parts;
  }

  settle(): Promise<void> {
    return this.#parts.settle();
  }

  nack({ delayMs }: { readonly delayMs: number; readonly reason: string }): Promise<void> {
    return this.#parts.nack(delayMs);
  }

  bury(reason: string): Promise<void> {
    return this.#parts.bury(reason);
  }
}
