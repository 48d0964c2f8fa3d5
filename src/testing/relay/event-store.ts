import { type Filter, matchFilters } from 'nostr-tools/filter';
import { verifyEvent } from 'nostr-tools/pure';
import { type NostrEvent, rebuildEvent } from '../../protocol/nostr/event.ts';

/** The mutable shape that nostr-tools takes. */
const forNostrTools = (event: NostrEvent) => ({ ...event, tags: event.tags.map((tag) => [...tag]) });

/** Verdicts that are remembered, by id and signature; several relays of one process verify the same events. */
const VERDICTS_MAX = 10_000;
const verdicts = new Map<string, boolean>();

/** Whether the id is the hash of the content and the signature is right. */
function isGenuine(event: NostrEvent): boolean {
  // Everything that the verdict depends on is in the key, so a changed event is another one.
  const key = JSON.stringify(event);
  const known = verdicts.get(key);
  if (known !== undefined) return known;
  const genuine = verifyEvent(forNostrTools(event));
  const [oldest] = verdicts.keys();
  if (verdicts.size >= VERDICTS_MAX && oldest !== undefined) verdicts.delete(oldest);
  verdicts.set(key, genuine);
  return genuine;
}

/** What became of a published event: the third and fourth element of its OK. */
export interface StoreAnswer {
  readonly accepted: boolean;
  readonly text: string;
}

/** The events of one relay, in memory, in the order in which they came. */
export class EventStore {
  readonly events = new Map<string, NostrEvent>();
  readonly #verify: boolean;

  constructor(verify: boolean) {
    this.#verify = verify;
  }

  add(value: unknown): { event: NostrEvent | undefined; answer: StoreAnswer } {
    const event = rebuildEvent(value);
    if (!event) return { event, answer: { accepted: false, text: 'invalid: this is not an event' } };
    if (this.events.has(event.id)) return { event, answer: { accepted: true, text: 'duplicate: stored already' } };
    if (this.#verify && !isGenuine(event)) {
      return { event, answer: { accepted: false, text: 'invalid: id or signature is wrong' } };
    }
    this.events.set(event.id, event);
    return { event, answer: { accepted: true, text: '' } };
  }

  /** Newest first, as NIP-01 asks: of each filter as many as it wants, and every event once. */
  query(filters: readonly Filter[]): readonly NostrEvent[] {
    const all = [...this.events.values()].sort(newestFirst);
    const found = filters.flatMap((filter) => all.filter((event) => matches([filter], event)).slice(0, filter.limit));
    return filters.length === 1 ? found : [...new Set(found)].sort(newestFirst);
  }
}

const newestFirst = (a: NostrEvent, b: NostrEvent): number => b.created_at - a.created_at || (a.id < b.id ? -1 : 1);

export const matches = (filters: readonly Filter[], event: NostrEvent): boolean =>
  matchFilters([...filters], forNostrTools(event));
