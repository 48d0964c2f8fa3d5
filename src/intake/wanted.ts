import {
  gapSinceMs,
  type Mark,
  markAfterEnd,
  markAfterEvent,
  markAfterLoss,
  markAfterMiss,
  mayBeCut,
  NO_MARK,
  newSinceMs,
  type Page,
} from '../../machines/policy/gap.ts';
import { RELAYS_REMEMBERED } from '../../machines/policy/limits.ts';
import type { Refusal } from '../../machines/policy/refusal.ts';
import { mayBeKnown } from '../../machines/subscription/subscription.context.ts';
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
import type { Docket, Lateness } from './verification.ts';

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

/** How it is with the end of what is stored. */
export interface StoredState {
  /** Whether it is told; or is about to be, once all that has come is looked at; and whether its time is up. */
  isTold: boolean;
  isNear: boolean;
  isDue: boolean;
  cancelTimer: (() => void) | undefined;
  /** Milliseconds that relays have for it, and that were added because we were late ourselves. */
  timeoutMs: number;
  addedMs: number;
}

export interface WantedInput {
  readonly id: string;
  readonly kind: Kind;
  readonly filters: PreparedFilters;
  readonly scope: Scope;
  readonly affinityKey: string;
  readonly newestOnly: boolean;
  readonly sink: Sink;
  /** On whose behalf it is wanted: what one of the two has delivered, the other does not. */
  readonly behalf?: Wanted;
}

/** What is remembered of a relay, also while the subscription is not there. */
interface Memory {
  mark: Mark;
  /** It was refused there for now, and has gone elsewhere: until when it does not come back, and how often it was. */
  restsUntilMs: number;
  tries: number;
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
  readonly sinceMs: number;
  /** Where it is, by feed, in the order in which it came there. */
  readonly requests = new Map<Feed<Request>, Request>();
  /** How far each relay has served it, also those that it has left. */
  readonly #memories = new Map<string, Memory>();
  restTimer: unknown;
  readonly seen: Seen;
  readonly newest: Newest | undefined;
  /** Whether it only fetches something for another one. */
  readonly isBrief: boolean;
  isOver = false;
  readonly stored: StoredState = {
    isTold: false,
    isNear: false,
    isDue: false,
    cancelTimer: undefined,
    timeoutMs: 0,
    addedMs: 0,
  };
  /** Events that have come and wait to be verified, and ends of what is stored that wait behind events; and where. */
  readonly pending = new Map<Docket, number>();
  /** Events delivered; passed over because a newer version had come, or because their time is too far ahead. */
  delivered = 0;
  outdated = 0;
  ahead = 0;

  /** `sinceMs` is the time from which on it is wanted. */
  constructor(input: WantedInput, overlapMs: number, sinceMs: number) {
    this.sinceMs = sinceMs;
    this.id = input.id;
    this.kind = input.kind;
    this.filters = input.filters;
    this.scope = input.scope;
    this.affinityKey = input.affinityKey;
    this.sink = input.sink;
    this.isBrief = input.behalf !== undefined;
    this.newest = input.behalf ? input.behalf.newest : input.newestOnly ? new Newest() : undefined;
    this.seen = input.behalf?.seen ?? new Seen(() => this.#horizonMs(overlapMs));
  }

  /** It is over, and so is what it remembers where that is much. */
  forget(): void {
    if (!this.isBrief) this.seen.close();
  }

  /** Something of it waits to be looked at, or waits no longer. */
  await(docket: Docket): void {
    this.pending.set(docket, (this.pending.get(docket) ?? 0) + 1);
  }

  settle(docket: Docket): void {
    const left = (this.pending.get(docket) ?? 1) - 1;
    if (left > 0) this.pending.set(docket, left);
    else this.pending.delete(docket);
  }

  /** How far a relay has served it; kept when it leaves. */
  memoryOf(url: string): Memory {
    let memory = this.#memories.get(url);
    if (!memory) {
      memory = { mark: NO_MARK, restsUntilMs: 0, tries: 0 };
      this.#memories.set(url, memory);
      if (this.#memories.size > RELAYS_REMEMBERED) this.#forgetOldest(url);
    }
    return memory;
  }

  /** Forgets the relay that it was on first, of those that it is not on now. */
  #forgetOldest(newest: string): void {
    const present = new Set([...this.requests.keys()].map(({ url }) => url)).add(newest);
    for (const url of this.#memories.keys()) {
      if (present.has(url)) continue;
      this.#memories.delete(url);
      return;
    }
  }

  /** The time up to which some relay has served it, and with its overlap nothing is asked for that is older. */
  #horizonMs(overlapMs: number): number {
    let horizon = Number.POSITIVE_INFINITY;
    for (const { mark } of this.#memories.values()) horizon = Math.min(horizon, mark.newestMs ?? 0);
    return horizon - overlapMs;
  }

  /** Whether it is wanted at every relay that it may be on; otherwise one of them stands for the others. */
  get goesEverywhere(): boolean {
    const { copies, urls } = this.scope;
    return copies >= (urls?.size ?? Number.POSITIVE_INFINITY);
  }

  /** The time of the newest event that any relay has sent all up to. */
  get servedUpTo(): Mark {
    let latest = NO_MARK;
    for (const { mark } of this.#memories.values()) if ((mark.newestMs ?? -1) > (latest.newestMs ?? -1)) latest = mark;
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
  /** Whether the relay stopped before the end of what it has (NIP-67). */
  hasMore = false;
  /** The relay has closed it after its end, which is still being looked at. */
  refusedAfterwards: Refusal | undefined;
  /** Waits because more came than could be looked at, which is not the relay's fault. */
  isBehind = false;
  /** The time from which on it was asked for after a gap; nothing where all of it was. */
  askedSinceMs: number | undefined;
  readonly isBrief: boolean;
  /** How late we were with what its relay had sent when its time began to run. */
  lateness: Lateness;
  /** What its relay is called where it is remembered who has sent an event. */
  readonly source: number;
  /** What has come since it was asked for. */
  #arrived = 0;
  #oldestMs = Number.POSITIVE_INFINITY;
  retryTimer: unknown;
  retryAtMs: number | undefined;
  readonly #wording: Wording;
  readonly #memory: Memory;

  constructor(wanted: Wanted, feed: Feed<Request>, wording: Wording, now: number) {
    this.lateness = feed.docket.lateness(now);
    this.wanted = wanted;
    this.#memory = wanted.memoryOf(feed.url);
    this.feed = feed;
    this.isBrief = wanted.isBrief;
    this.source = wanted.seen.sourceOf(feed.url);
    this.#wording = wording;
    this.record = subscriptionTable.create({ isOnce: wanted.kind !== 'live', tries: this.#memory.tries });
  }

  /** How far the relay has served it. */
  get mark(): Mark {
    return this.#memory.mark;
  }

  /** What has come before the end of what is stored. */
  get page(): Page {
    return { events: this.#arrived, oldestMs: this.#oldestMs, hasMore: this.hasMore };
  }

  /** Whether it was asked for after a gap, and there may be more of that. */
  get isCut(): boolean {
    return this.askedSinceMs !== undefined && mayBeCut(this.page, this.feed.storedMax);
  }

  /** Whether its relay has refused it because it does not know who we are, and could learn that. */
  get mayBeKnown(): boolean {
    return this.record.state === 'refused' && mayBeKnown(this.record.context);
  }

  /** Whether nobody wants to know any more what was asked for then. */
  isOver(epoch: number): boolean {
    const { wanted, feed } = this;
    return wanted.isOver || this.epoch !== epoch || wanted.requests.get(feed) !== this;
  }

  /** An event came that has been verified, now or earlier. */
  noteEvent(atMs: number): void {
    this.#arrived += 1;
    if (atMs < this.#oldestMs) this.#oldestMs = atMs;
    const { newestMs, pendingMs } = this.#memory.mark;
    // Most events are no news.
    if (atMs <= ((this.isStoredComplete ? newestMs : pendingMs) ?? -1)) return;
    this.#memory.mark = markAfterEvent(this.#memory.mark, atMs, this.#wording.now(), this.isStoredComplete);
  }

  /** An event of this time came and was passed over, so that it has to be asked for again. */
  noteMissed(atMs: number): void {
    this.#memory.mark = markAfterMiss(this.#memory.mark, atMs);
    // What came after it and is still being looked at does not make up for it.
    this.isStoredComplete = false;
  }

  /** All that was stored has come. */
  noteEnd(): void {
    this.isStoredComplete = true;
    // Who asked for nothing that is stored does not know that there is nothing.
    const { list } = this.wanted.filters;
    const nothingMs = list.some((filter) => 'limit' in filter && filter.limit === 0) ? this.#wording.now() : 0;
    this.#memory.mark = markAfterEnd(this.#memory.mark, nothingMs);
  }

  frame(name: string): string | undefined {
    const { codec, overlapMs } = this.#wording;
    const { wanted } = this;
    const { list } = wanted.filters;
    if (wanted.kind === 'count') return codec.count(name, list);
    if (wanted.kind === 'once') return codec.subscribe(name, list);
    const now = this.#wording.now();
    const since = gapSinceMs(this.mark, now, overlapMs);
    this.askedSinceMs = since;
    if (since !== undefined) {
      const missed = codec.filtersSince(list, since);
      return missed.length === 0 ? undefined : codec.subscribe(name, missed);
    }
    // What is new since it is wanted is asked for beside what is stored, which may be bounded.
    const elsewhere = wanted.goesEverywhere ? undefined : gapSinceMs(wanted.servedUpTo, now, overlapMs);
    const newFrom = elsewhere ?? newSinceMs(wanted.sinceMs, now, this.epoch === 0);
    const bounded = newFrom === undefined ? [] : codec.filtersSince(list.filter(isBounded), newFrom);
    return codec.subscribe(name, [...list, ...bounded]);
  }

  farewell(name: string): string | undefined {
    return this.wanted.kind === 'count' ? undefined : this.#wording.codec.unsubscribe(name);
  }

  /** It leaves while it waits to be asked for again: it does not come back before its time. */
  rememberRest(): void {
    this.#memory.restsUntilMs = this.retryAtMs ?? 0;
    this.#memory.tries = this.retryAtMs === undefined ? 0 : this.record.context.tries;
  }

  /** It is asked for anew. */
  begin(): void {
    this.isBehind = false;
    this.epoch += 1;
    this.hasEnded = false;
    this.hasMore = false;
    this.#arrived = 0;
    this.#oldestMs = Number.POSITIVE_INFINITY;
    this.refusedAfterwards = undefined;
    this.isStoredComplete = false;
    this.#memory.mark = markAfterLoss(this.#memory.mark);
  }

  standing(now: number): SubscriptionStanding {
    const { refusal, trouble = this.feed.isSilent ? 'silent' : undefined } = this.record.context;
    const { status, retryAtMs } = this.feed;
    const retryAt = this.retryAtMs ?? (this.record.state === 'waiting' ? retryAtMs : undefined);
    return {
      state: this.record.state,
      relay: status,
      isStoredComplete: this.isStoredComplete,
      ...(refusal === undefined ? {} : { refusal }),
      ...(trouble === undefined ? {} : { trouble }),
      ...(retryAt === undefined ? {} : { retryInMs: Math.max(0, retryAt - now) }),
    };
  }
}
