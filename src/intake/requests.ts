import { requestDelayMs } from '../../machines/policy/request.ts';
import type { SubscribeSettings } from '../../machines/policy/settings.ts';
import type { SubscriptionEvent } from '../../machines/subscription/subscription.events.ts';
import type { SubscriptionEffect } from '../../machines/subscription/subscription.setup.ts';
import { subscriptionTable } from '../../machines/subscription/subscription.table.ts';
import type { Clock } from '../clock.ts';
import type { Steps } from '../steps.ts';
import type { Feed } from './feed.ts';
import { Request, type Wanted, type Wording } from './wanted.ts';

/** What follows from the steps of requests. */
export interface RequestsNeeds {
  readonly clock: Clock;
  readonly random: () => number;
  readonly settings: SubscribeSettings;
  readonly wording: Wording;
  readonly steps: Steps;
  /** Begins to authenticate at a relay. */
  authenticate(url: string): void;
  /** Does something, and then what follows from it. */
  around(act: () => void): void;
  /** Something about it may have to be done, or told. */
  changed(request: Request): void;
}

/** Steps every subscription at every relay by its chart, and does at the feeds what the chart says. */
export class Requests {
  readonly #needs: RequestsNeeds;
  readonly #byFeed = new Map<Feed<Request>, Set<Request>>();

  constructor(needs: RequestsNeeds) {
    this.#needs = needs;
  }

  /** The subscriptions at one relay. */
  at(feed: Feed<Request>): readonly Request[] {
    return [...(this.#byFeed.get(feed) ?? [])];
  }

  /** A subscription is wanted at a relay as well. */
  begin(wanted: Wanted, feed: Feed<Request>): void {
    const request = new Request(wanted, feed, this.#needs.wording, this.#needs.clock.now());
    wanted.requests.set(feed, request);
    const here = this.#byFeed.get(feed) ?? new Set();
    here.add(request);
    this.#byFeed.set(feed, here);
    if (feed.isServing) this.step(request, { type: 'relay.resumed' });
    else this.#needs.changed(request);
  }

  /** It is not wanted there any more. */
  leave(request: Request): void {
    const { wanted, feed } = request;
    request.rememberRest();
    this.step(request, { type: 'CLOSE' });
    wanted.requests.delete(feed);
    const here = this.#byFeed.get(feed);
    here?.delete(request);
    if (here?.size === 0) this.#byFeed.delete(feed);
  }

  /** False when its state does not know the event. */
  step(request: Request, event: SubscriptionEvent): boolean {
    const before = request.record.state;
    const effects = subscriptionTable.step(request.record, event);
    if (effects === undefined) return false;
    const { wanted, feed, record } = request;
    this.#needs.steps.listener?.({ chart: 'subscription', id: wanted.id, relay: feed.url, event, ...record });
    for (const effect of effects) this.#carryOut(request, effect);
    if (request.record.state !== before) this.#needs.changed(request);
    return true;
  }

  #carryOut(request: Request, effect: SubscriptionEffect): void {
    const { feed } = request;
    switch (effect) {
      case 'enqueue':
        return feed.enqueue(request);
      case 'dequeue':
        return feed.dequeue(request);
      case 'releaseSlot':
        return feed.release(request);
      case 'withdraw':
        return feed.withdraw(request);
      case 'learnRoom':
        return feed.learnRoom();
      case 'authenticate':
        return this.#needs.authenticate(feed.url);
      case 'reportRefused':
        return;
      case 'retryLater':
        return this.#retryLater(request);
      case 'stopRetry':
        return this.#stopRetry(request);
      case 'reportStored':
        // Only once the rest has been fetched it is known that all has come.
        return request.isCut ? undefined : request.noteEnd();
    }
  }

  #retryLater(request: Request): void {
    const { clock, random, settings } = this.#needs;
    const delayMs = requestDelayMs(settings, request.record.context.tries, random());
    this.#stopRetry(request);
    request.retryAtMs = clock.now() + delayMs;
    request.retryTimer = clock.setTimeout(() => {
      this.#stopRetry(request);
      this.#needs.around(() => {
        this.step(request, { type: 'retry.due' });
        request.feed.pump();
      });
    }, delayMs);
  }

  #stopRetry(request: Request): void {
    this.#needs.clock.clearTimeout(request.retryTimer);
    request.retryTimer = undefined;
    request.retryAtMs = undefined;
  }
}
