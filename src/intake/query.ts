import type { ReceivedEvent, SubscriptionStanding } from '../../machines/subscription/subscription.events.ts';
import type { NostrEvent } from '../protocol/nostr/event.ts';
import type { Sink } from './wanted.ts';

/** What was stored, as far as it could be had in time. */
export interface QueryResult {
  /** Each once, the newest first; of those that replace each other the newest version alone, unless all were asked for. */
  readonly events: readonly NostrEvent[];
  /** Whether every relay that was asked has sent all that it had. */
  readonly complete: boolean;
  /** How it went at each relay, by URL. */
  readonly relays: Readonly<Record<string, SubscriptionStanding>>;
}

/** How many events relays have (NIP-45). */
export interface CountResult {
  /** The largest count of any relay: what all of them have together may be more. Nothing where none has counted. */
  readonly count: number | undefined;
  readonly complete: boolean;
  /** What each relay has counted, by URL, and how it went there. */
  readonly counts: Readonly<Record<string, { readonly count: number; readonly approximate: boolean }>>;
  readonly relays: Readonly<Record<string, SubscriptionStanding>>;
}

export interface QuestionNeeds {
  readonly eventsMax: number;
  /** Whether the first event is all that is wanted. */
  readonly isFirstEnough: boolean;
  /** Called when more is not wanted. */
  enough(): void;
  /** Called once, when it is over. */
  settled(answer: Answer): void;
}

/** What has come of a question. */
export interface Answer {
  readonly received: readonly NostrEvent[];
  readonly counts: CountResult['counts'];
  readonly complete: boolean;
  readonly relays: Readonly<Record<string, SubscriptionStanding>>;
}

/** Gathers what is stored until its end. */
export class Question implements Sink {
  readonly #needs: QuestionNeeds;
  readonly #received: NostrEvent[] = [];
  readonly #counts = new Map<string, { readonly count: number; readonly approximate: boolean }>();
  readonly #standings = new Map<string, SubscriptionStanding>();
  #complete = false;

  constructor(needs: QuestionNeeds) {
    this.#needs = needs;
  }

  event({ event }: ReceivedEvent): void {
    this.#received.push(event as NostrEvent);
    if (this.#needs.isFirstEnough || this.#received.length >= this.#needs.eventsMax) this.#needs.enough();
  }

  stored(complete: boolean): void {
    this.#complete = complete;
  }

  // The last that was heard of each: when it is over, it is closed everywhere, which says nothing.
  changed(relay: string, standing: SubscriptionStanding): void {
    if (standing.state !== 'closed') this.#standings.set(relay, standing);
  }

  counted(relay: string, count: number, approximate: boolean): void {
    this.#counts.set(relay, { count, approximate });
  }

  closed(): void {
    this.#needs.settled({
      received: this.#received,
      counts: Object.fromEntries(this.#counts),
      complete: this.#complete,
      relays: Object.fromEntries(this.#standings),
    });
  }
}

/** The newest first, with the lower id first at equal times (NIP-01). */
export const newestFirst = (events: readonly NostrEvent[]): readonly NostrEvent[] =>
  [...events].sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1));
