import { isRelayFault, type Refusal } from '../../machines/policy/refusal.ts';
import { isAboutRoom } from '../../machines/policy/request.ts';
import type { SubscriptionEvent } from '../../machines/subscription/subscription.events.ts';
import type { Clock } from '../clock.ts';
import type { Codec, Glimpse, Message } from '../protocol/codec.ts';
import type { Backfill } from './backfill.ts';
import type { Feed } from './feed.ts';
import type { EventMessage, Screening } from './screening.ts';
import type { Request, Wanted } from './wanted.ts';

/** What the inbox needs from around it. */
export interface InboxNeeds {
  readonly clock: Clock;
  readonly codec: Codec;
  readonly screening: Screening;
  readonly backfill: Backfill;
  feedOf(url: string): Feed<Request> | undefined;
  /** Steps a request by its chart, and does what follows from it. */
  step(request: Request, event: SubscriptionEvent): void;
  /** A relay has served a request; it has failed to, or might as well have. */
  answered(url: string): void;
  failed(url: string): void;
  /** A relay did something against the protocol: counted by kind, and charged as well. */
  charge(url: string, kind: string): void;
  count(url: string, kind: string): void;
  /** Whether it is worth a try to tell a relay who we are. */
  mayAuthenticate(url: string): boolean;
}

/** What a relay says about a subscription. */
export type FeedMessage = Extract<Message, { subscription: string }>;

/** Takes what relays say to the subscriptions that it is about: events to be screened, and everything else to their charts. */
export class Inbox {
  readonly #needs: InboxNeeds;
  /** What has been seen last that is new, and for whom. */
  #news: Glimpse | undefined;
  #newsFor: Request | undefined;

  constructor(needs: InboxNeeds) {
    this.#needs = needs;
  }

  /**
   * Whether a glimpse of an event is enough: it is one that nobody wants any more, or a copy of one that has been
   * verified and delivered.
   */
  handles(url: string, glimpse: Glimpse): boolean {
    const request = this.#requestOf(url, glimpse.subscription);
    if (!request) return true;
    const atMs = request.wanted.seen.again(glimpse, request.source);
    if (atMs === undefined) {
      this.#news = glimpse;
      this.#newsFor = request;
      return false;
    }
    request.feed.heard(request);
    request.noteEvent(atMs);
    return true;
  }

  receive(url: string, message: FeedMessage): void {
    const isNews = message.type === 'event' && message.glimpse !== undefined && message.glimpse === this.#news;
    // Nothing has happened since that glimpse.
    const request = isNews ? this.#newsFor : this.#requestOf(url, message.subscription);
    if (!request) return;
    // A frame, and a subscription that may end, are not kept for longer.
    this.#news = undefined;
    this.#newsFor = undefined;
    request.feed.heard(request);
    switch (message.type) {
      case 'event':
        return this.#takeEvent(request, message, isNews);
      case 'end-of-stored':
        return this.#takeEnd(request, message.more);
      case 'closed':
        return this.#takeRefusal(request, message.refusal);
      case 'count':
        return this.#takeCount(request, message);
    }
  }

  #requestOf(url: string, subscription: string): Request | undefined {
    const feed = this.#needs.feedOf(url);
    const request = feed?.itemOf(subscription);
    if (feed && !request) this.#unasked(feed, subscription);
    return request;
  }

  #takeEvent(request: Request, message: EventMessage, isNew: boolean): void {
    const { feed, wanted } = request;
    if (wanted.kind === 'count') return this.#needs.count(feed.url, 'unexpected-event');
    if (isTooLate(wanted)) return;
    this.#needs.screening.take(request, message, isNew);
  }

  /** Takes what a relay says about a comparison of what it has with what we have. */
  compared(url: string, message: Extract<Message, { type: 'comparison' }>): void {
    this.#needs.backfill.take(url, message);
  }

  /** A notice may be all that a relay sends about a request for which it has no room. Returns true if it is. */
  noticed(url: string, text: string): boolean {
    const feed = this.#needs.feedOf(url);
    const newest = feed?.newest;
    if (!newest || !isAboutRoom({ prefix: '', text })) return false;
    feed.heard(newest);
    // It may have been about another one.
    feed.withdraw(newest);
    this.#takeRefusal(newest, { class: 'passing', prefix: 'notice', text });
    return true;
  }

  #unasked(feed: Feed<Request>, name: string): void {
    // What was on its way when it was given up is no fault.
    // Nor is anything that a connection says which is closing.
    if (feed.session === undefined || feed.wasAsked(name)) this.#needs.count(feed.url, 'late-message');
    else this.#needs.charge(feed.url, 'unknown-subscription');
  }

  #takeEnd(request: Request, hasMore: boolean): void {
    const { wanted, feed, epoch } = request;
    if (request.hasEnded) return this.#needs.count(feed.url, 'repeated-end');
    request.hasEnded = true;
    request.hasMore = hasMore;
    this.#needs.answered(feed.url);
    feed.circuit.succeeded(this.#needs.clock.now());
    // What came before it may have been passed over.
    if (isTooLate(wanted)) return;
    wanted.await(feed.docket);
    this.#needs.screening.after(feed, () => {
      wanted.settle(feed.docket);
      if (request.epoch === epoch) this.#needs.step(request, { type: 'answer.ended', at: this.#needs.clock.now() });
    });
  }

  #takeCount(request: Request, { count, approximate }: Extract<FeedMessage, { type: 'count' }>): void {
    const { wanted, feed } = request;
    if (wanted.kind !== 'count') return this.#needs.count(feed.url, 'unexpected-count');
    this.#needs.answered(feed.url);
    feed.circuit.succeeded(this.#needs.clock.now());
    wanted.sink.counted(feed.url, count, approximate);
    this.#needs.step(request, { type: 'answer.ended', at: this.#needs.clock.now() });
  }

  /** Takes the refusal that waited; whether there was one. */
  takeWaitingRefusal(request: Request): boolean {
    const { refusedAfterwards } = request;
    if (!refusedAfterwards) return false;
    request.refusedAfterwards = undefined;
    request.hasEnded = false;
    this.#takeRefusal(request, refusedAfterwards);
    return true;
  }

  #takeRefusal(request: Request, refusal: Refusal): void {
    const { feed, epoch } = request;
    // The end that came before it waits for what is being verified.
    if (request.hasEnded && !request.isStoredComplete) {
      request.refusedAfterwards = refusal;
      return this.#needs.screening.after(feed, () => {
        if (request.epoch === epoch) this.takeWaitingRefusal(request);
      });
    }
    const isFull = feed.mayBeFull && isAboutRoom(refusal);
    if (!isFull && refusal.class === 'paced') feed.slowDown();
    if (!isFull && isRelayFault(refusal)) {
      this.#needs.failed(feed.url);
      feed.circuit.failed(refusal.text);
    }
    const mayAuthenticate = refusal.class === 'unauthenticated' && this.#needs.mayAuthenticate(feed.url);
    const at = this.#needs.clock.now();
    this.#needs.step(request, { type: 'answer.refused', at, refusal, isAboutRoom: isFull, mayAuthenticate });
  }
}

/** Whether its time is up, so that only what has come before is looked at. */
const isTooLate = ({ kind, stored }: Wanted): boolean => kind === 'once' && stored.isDue;
