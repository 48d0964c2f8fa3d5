import { gapSinceMs, type Mark, markAfterLoss, NO_MARK } from '../../machines/policy/gap.ts';
import type {
  ReceivedEvent,
  SubscriptionEnd,
  SubscriptionStanding,
} from '../../machines/subscription/subscription.events.ts';
import { type SubscriptionRecord, subscriptionTable } from '../../machines/subscription/subscription.table.ts';
import type { Codec, PreparedFilters } from '../protocol/codec.ts';
import type { Feed, FeedItem } from './feed.ts';
import { Newest } from './newest.ts';
import { Seen } from './seen.ts';

/** Who hears what a subscription brings. */
export interface Sink {
  event(received: ReceivedEvent): void;
  /** All stored events have come, from every relay that was asked or from those that were in time. */
  stored(complete: boolean): void;
  /** How it stands at a relay has changed. */
  changed(relay: string, standing: SubscriptionStanding): void;
  /** A relay has counted (NIP-45). */
  counted(relay: string, count: number, approximate: boolean): void;
  closed(cause: SubscriptionEnd): void;
}

/** What is asked for: events, those that are stored alone, or how many there are. */
export type Kind = 'live' | 'once' | 'count';

/** Where it shall be: on so many of the relays of these URLs, or of all that there are. */
export interface Scope {
  readonly urls: ReadonlySet<string> | undefined;
  readonly copies: number;
}

export interface WantedInput {
  readonly id: string;
  readonly kind: Kind;
  readonly filters: PreparedFilters;
  readonly scope: Scope;
  readonly affinityKey: string;
  readonly newestOnly: boolean;
  readonly sink: Sink;
}

/** What a request needs to know to be put into words. */
export interface Wording {
  readonly codec: Codec;
  readonly overlapMs: number;
  now(): number;
}

/** A subscription as it is wanted, whatever relays come and go. */
export class Wanted {
  readonly id: string;
  readonly kind: Kind;
  readonly filters: PreparedFilters;
  readonly scope: Scope;
  readonly affinityKey: string;
  readonly sink: Sink;
  /** Where it is, by feed, in the order in which it came there. */
  readonly requests = new Map<Feed<Request>, Request>();
  /** How far each relay has served it, also those that it has left. */
  readonly marks = new Map<string, Mark>();
  readonly seen: Seen;
  readonly newest: Newest | undefined;
  isOver = false;
  /** The end of what is stored has been told, or its time is up and it is told as soon as what has come is looked at. */
  isStoredTold = false;
  isStoredDue = false;
  storedTimer: unknown;
  /** Events that have come and wait to be verified. */
  unsettled = 0;
  /** Events delivered; passed over because a newer version had come, or because their time is too far ahead. */
  delivered = 0;
  outdated = 0;
  ahead = 0;

  constructor(input: WantedInput, overlapMs: number) {
    this.id = input.id;
    this.kind = input.kind;
    this.filters = input.filters;
    this.scope = input.scope;
    this.affinityKey = input.affinityKey;
    this.sink = input.sink;
    this.newest = input.newestOnly ? new Newest() : undefined;
    this.seen = new Seen(() => this.#horizonMs(overlapMs));
  }

  /** The time up to which some relay has served it, and with its overlap nothing is asked for that is older. */
  #horizonMs(overlapMs: number): number {
    let horizon = Number.POSITIVE_INFINITY;
    for (const { newestMs } of this.marks.values()) horizon = Math.min(horizon, newestMs ?? 0);
    return horizon - overlapMs;
  }

  /** The time of the newest event that any relay has sent all up to. */
  get servedUpTo(): Mark {
    let latest = NO_MARK;
    for (const mark of this.marks.values()) if ((mark.newestMs ?? -1) > (latest.newestMs ?? -1)) latest = mark;
    return latest;
  }
}

const isBounded = (filter: object): boolean => 'limit' in filter;

/** A subscription at one relay. */
export class Request implements FeedItem {
  readonly wanted: Wanted;
  readonly feed: Feed<Request>;
  readonly record: SubscriptionRecord;
  /** Counts how often it was asked for; what came in answer to an earlier time says nothing of this one. */
  epoch = 0;
  /** Whether the end of what is stored has arrived since it was asked; and whether all before it has been looked at. */
  hasEnded = false;
  isStoredComplete = false;
  retryTimer: unknown;
  retryAtMs: number | undefined;
  readonly #wording: Wording;

  constructor(wanted: Wanted, feed: Feed<Request>, wording: Wording) {
    this.wanted = wanted;
    this.feed = feed;
    this.#wording = wording;
    this.record = subscriptionTable.create({ isOnce: wanted.kind !== 'live' });
  }

  get mark(): Mark {
    return this.wanted.marks.get(this.feed.url) ?? NO_MARK;
  }

  set mark(mark: Mark) {
    this.wanted.marks.set(this.feed.url, mark);
  }

  frame(name: string): string | undefined {
    const { codec, overlapMs } = this.#wording;
    const { wanted } = this;
    const { list } = wanted.filters;
    if (wanted.kind === 'count') return codec.count(name, list);
    if (wanted.kind === 'once') return codec.subscribe(name, list);
    const now = this.#wording.now();
    const since = gapSinceMs(this.mark, now, overlapMs);
    if (since !== undefined) {
      const missed = codec.filtersSince(list, since);
      return missed.length === 0 ? undefined : codec.subscribe(name, missed);
    }
    // Another relay has served it so far: what came since is asked for beside what is stored, which may be bounded.
    const elsewhere = gapSinceMs(wanted.servedUpTo, now, overlapMs);
    const bounded = elsewhere === undefined ? [] : codec.filtersSince(list.filter(isBounded), elsewhere);
    return codec.subscribe(name, [...list, ...bounded]);
  }

  farewell(name: string): string | undefined {
    return this.wanted.kind === 'count' ? undefined : this.#wording.codec.unsubscribe(name);
  }

  /** It is asked for anew. */
  begin(): void {
    this.epoch += 1;
    this.hasEnded = false;
    this.isStoredComplete = false;
    this.mark = markAfterLoss(this.mark);
  }

  standing(now: number): SubscriptionStanding {
    const { refusal } = this.record.context;
    const { status, retryAtMs } = this.feed;
    const retryAt = this.retryAtMs ?? (this.record.state === 'waiting' ? retryAtMs : undefined);
    return {
      state: this.record.state,
      relay: status,
      isStoredComplete: this.isStoredComplete,
      ...(refusal === undefined ? {} : { refusal }),
      ...(retryAt === undefined ? {} : { retryInMs: Math.max(0, retryAt - now) }),
    };
  }
}
