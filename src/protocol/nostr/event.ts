import { RecloserError } from '../../../machines/policy/error.ts';
import type { Version } from '../codec.ts';
import { isHex } from '../hex.ts';

/** A signed Nostr event (NIP-01). */
export interface NostrEvent {
  /** SHA-256 of the serialised event, 64 lower-case hex digits. */
  readonly id: string;
  readonly pubkey: string;
  /** Seconds since the epoch, by the author's clock. */
  readonly created_at: number;
  readonly kind: number;
  readonly tags: readonly (readonly string[])[];
  readonly content: string;
  readonly sig: string;
}

/** Bounds on the shape of an event, beyond the size of its frame. */
export const EVENT_LIMITS = { tags: 2_000, tagElements: 64, kindMax: 65_535 } as const;

export const isId = (value: unknown): value is string => isHex(value, 64);

/** Half of a character has no bytes, so nobody can tell what was signed. */
const isText = (value: unknown): value is string => typeof value === 'string' && value.isWellFormed();

// Loops, because this is done for every event that is received.
function areTags(values: readonly unknown[]): boolean {
  for (const value of values) {
    if (!Array.isArray(value) || value.length > EVENT_LIMITS.tagElements) return false;
    for (const each of value) if (!isText(each)) return false;
  }
  return true;
}

/** What is wrong with the shape of an event, or nothing. Neither hash nor signature is checked here. */
function shapeProblem(event: Partial<Record<keyof NostrEvent, unknown>>): string | undefined {
  const { id, pubkey, created_at, kind, tags, content, sig } = event;
  if (!isId(id)) return 'id is not 64 lower-case hex digits';
  if (!isId(pubkey)) return 'pubkey is not 64 lower-case hex digits';
  if (!isHex(sig, 128)) return 'sig is not 128 lower-case hex digits; sign the event first';
  if (!Number.isSafeInteger(created_at) || (created_at as number) < 0) return 'created_at is not a time in seconds';
  if (!Number.isInteger(kind) || (kind as number) < 0 || (kind as number) > EVENT_LIMITS.kindMax) {
    return `kind is not a whole number from 0 to ${EVENT_LIMITS.kindMax}`;
  }
  if (!isText(content)) return 'content is not a string of whole characters';
  if (!Array.isArray(tags) || tags.length > EVENT_LIMITS.tags || !areTags(tags)) {
    return 'tags is not a list of lists of strings of whole characters';
  }
  return undefined;
}

/** Rebuilds an event from its seven fields, so that nothing else travels with it; nothing when its shape is wrong. */
export function rebuildEvent(value: unknown): NostrEvent | undefined {
  if (typeof value !== 'object' || value === null || shapeProblem(value) !== undefined) return undefined;
  const { id, pubkey, created_at, kind, tags, content, sig } = value as NostrEvent;
  return { id, pubkey, created_at, kind, tags: tags.map((tag) => [...tag]), content, sig };
}

/**
 * The same for what comes straight from `JSON.parse`, so that nobody else holds any of it: its tags are taken as they are,
 * and all is frozen.
 */
export function adoptEvent(value: unknown): NostrEvent | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, pubkey, created_at, kind, tags, content, sig } = value as NostrEvent;
  const event = { id, pubkey, created_at, kind, tags, content, sig };
  if (shapeProblem(event) !== undefined) return undefined;
  for (const tag of tags) Object.freeze(tag);
  Object.freeze(tags);
  return Object.freeze(event);
}

/** Whether two events are the same in every field. */
export function isSameEvent(one: NostrEvent, other: NostrEvent): boolean {
  if (one === other) return true;
  return (
    one.id === other.id &&
    one.sig === other.sig &&
    one.pubkey === other.pubkey &&
    one.created_at === other.created_at &&
    one.kind === other.kind &&
    one.content === other.content &&
    one.tags.length === other.tags.length &&
    one.tags.every((tag, index) => isSameTag(tag, other.tags[index] ?? []))
  );
}

const isSameTag = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((text, index) => text === other[index]);

/** As `rebuildEvent`; throws `INVALID_EVENT` with what is wrong. */
export function requireEvent(value: unknown): NostrEvent {
  if (typeof value !== 'object' || value === null) throw notAnEvent('it is not an object');
  try {
    // Read once: what is checked is what is sent, whatever the object would say the next time.
    const { id, pubkey, created_at, kind, tags, content, sig } = value as NostrEvent;
    const event = { id, pubkey, created_at, kind, tags, content, sig };
    const problem = shapeProblem(event);
    if (problem === undefined) return event;
    throw notAnEvent(problem);
  } catch (error) {
    throw error instanceof RecloserError ? error : notAnEvent('it throws when it is read', error);
  }
}

/** What a replaceable or addressable event is a version of (NIP-01); nothing for others. */
export function versionOf({ kind, pubkey, tags, created_at }: NostrEvent): Version | undefined {
  if (kind === 0 || kind === 3 || (kind >= 10_000 && kind < 20_000)) {
    return { key: `${kind}:${pubkey}`, at: created_at };
  }
  if (kind < 30_000 || kind >= 40_000) return undefined;
  const address = tags.find(([name]) => name === 'd')?.[1] ?? '';
  return { key: `${kind}:${pubkey}:${address}`, at: created_at };
}

const notAnEvent = (problem: string, cause?: unknown): RecloserError =>
  new RecloserError('INVALID_EVENT', `This is not a signed Nostr event: ${problem}.`, { cause });
