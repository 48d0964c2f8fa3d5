import { isPriority, type Priority } from '../../../machines/policy/priority.ts';
import type { Durability } from './outbox.ts';
import type { StateStore } from './state-store.ts';

/** What is kept of one item. */
export interface StoredRecord {
  readonly id: string;
  readonly body: string;
  readonly priority: Priority;
  readonly attempt: number;
  /** Why it is a dead letter, and since when. */
  readonly dead?: { readonly reason: string; readonly atMs: number };
}

/** A record is written under its number, or removed. */
export type Change =
  | { readonly type: 'put'; readonly number: number; readonly record: StoredRecord }
  | { readonly type: 'delete'; readonly number: number };

/**
 * Where the records of a local outbox are kept: numbered, in order; and a text beside them. Only one outbox uses a store at a time; what else it
 * needs of a store is in its conformance tests.
 */
export interface RecordStore extends StateStore {
  readonly durability: Durability;
  /** Opens it, and tells every record, and how many could not be read. */
  open(): Promise<{ readonly records: readonly (readonly [number, StoredRecord])[]; readonly damaged: number }>;
  read(number: number): Promise<StoredRecord | undefined>;
  /** All of the changes or none. With `durable` it settles when they are as durable as the store can make them. */
  write(changes: readonly Change[], durable: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Reads a record that was written, by whoever; nothing where it is none. */
export function readRecord(value: unknown): StoredRecord | undefined {
  const { id, body, priority, attempt, dead } = (value ?? {}) as Partial<Record<keyof StoredRecord, unknown>>;
  if (typeof id !== 'string' || typeof body !== 'string' || !isPriority(priority)) return undefined;
  if (!Number.isSafeInteger(attempt) || (attempt as number) < 0) return undefined;
  const { reason, atMs } = (dead ?? {}) as { reason?: unknown; atMs?: unknown };
  const isDead = typeof reason === 'string' && typeof atMs === 'number';
  return { id, body, priority, attempt: attempt as number, ...(isDead ? { dead: { reason, atMs } } : {}) };
}
