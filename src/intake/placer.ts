import { SILENCE } from '../../machines/policy/limits.ts';
import { nextMove, type Place } from '../../machines/policy/placement.ts';
import type { SubscriptionState } from '../../machines/subscription/subscription.events.ts';
import type { Clock } from '../clock.ts';
import type { Feed } from './feed.ts';
import type { Requests } from './requests.ts';
import type { Request, Wanted } from './wanted.ts';

export interface PlacerNeeds {
  readonly clock: Clock;
  readonly requests: Requests;
  /** The feeds of all relays, by URL. */
  readonly feeds: ReadonlyMap<string, Feed<Request>>;
  /** It has to be looked at again. */
  unsettle(wanted: Wanted): void;
  /** One of these relays, by the pool's strategy. */
  choose(urls: readonly string[], key: string): string | undefined;
}

interface FeedPlace extends Place {
  readonly feed: Feed<Request>;
}

const SERVED: ReadonlySet<SubscriptionState> = new Set(['opening', 'live']);

/** Sees to it that every subscription is where it is wanted. */
export class Placer {
  readonly #needs: PlacerNeeds;

  constructor(needs: PlacerNeeds) {
    this.#needs = needs;
  }

  /** Brings a subscription to relays that are missing, and away from those that are not wanted any more. */
  place(wanted: Wanted): void {
    const { requests } = this.#needs;
    const places = this.#places(wanted);
    if (wanted.scope.copies >= places.length) {
      // It is wanted everywhere, whether or not it can be served there for now.
      for (const { feed, standing } of places) if (standing === 'absent') this.#begin(wanted, feed);
      return;
    }
    const { missing, among, leave } = nextMove(places, wanted.scope.copies);
    const served = places.filter(({ standing }) => standing === 'served').length;
    if (served < wanted.scope.copies) this.#awaitRest(wanted);
    for (const { feed } of leave) {
      const request = wanted.requests.get(feed);
      if (request) requests.leave(request);
      feed.pump();
    }
    const left = new Set(among.map(({ feed }) => feed));
    for (let count = 0; count < missing && left.size > 0; count += 1) {
      const feed = this.#choose(wanted, left);
      left.delete(feed);
      this.#begin(wanted, feed);
    }
  }

  #begin(wanted: Wanted, feed: Feed<Request>): void {
    this.#needs.requests.begin(wanted, feed);
    feed.pump();
  }

  #places(wanted: Wanted): readonly FeedPlace[] {
    const { scope, requests } = wanted;
    const now = this.#needs.clock.now();
    // Those where it is come first, in the order in which it came there.
    const feeds = new Set([...requests.keys(), ...this.#needs.feeds.values()]);
    return [...feeds].flatMap((feed) => {
      if (scope.urls !== undefined && !scope.urls.has(feed.url)) return [];
      const standing = standingOf(requests.get(feed), feed);
      const restsMs = standing === 'absent' ? wanted.memoryOf(feed.url).restsUntilMs - now : 0;
      return { feed, standing, isResting: restsMs > 0, isFit: feed.isServing, hasRoom: feed.hasRoom };
    });
  }

  /** Looks again when a relay that has refused it for now may be asked again. */
  #awaitRest(wanted: Wanted): void {
    const { clock, feeds, unsettle } = this.#needs;
    const now = clock.now();
    const { urls } = wanted.scope;
    const ends = [...feeds.keys()]
      .filter((url) => urls === undefined || urls.has(url))
      .map((url) => wanted.memoryOf(url).restsUntilMs)
      .filter((at) => at > now);
    if (wanted.restTimer !== undefined || ends.length === 0) return;
    const delayMs = Math.max(SILENCE.secondLookMs, Math.min(...ends) - now);
    wanted.restTimer = clock.setTimeout(() => {
      wanted.restTimer = undefined;
      unsettle(wanted);
    }, delayMs);
  }

  /** A host that does not serve it yet comes before the second URL of one that does. */
  #choose(wanted: Wanted, from: ReadonlySet<Feed<Request>>): Feed<Request> {
    const hosts = new Set([...wanted.requests.keys()].map(({ host }) => host));
    const fresh = [...from].filter(({ host }) => !hosts.has(host));
    const candidates = fresh.length > 0 ? fresh : [...from];
    const chosen = this.#needs.choose(
      candidates.map(({ url }) => url),
      wanted.affinityKey,
    );
    return candidates.find(({ url }) => url === chosen) ?? (candidates[0] as Feed<Request>);
  }
}

function standingOf(request: Request | undefined, feed: Feed<Request>): Place['standing'] {
  if (!request) return 'absent';
  const { state } = request.record;
  if (state === 'refused') return 'refused';
  if (request.isBehind) return 'served';
  return state === 'complete' || (SERVED.has(state) && feed.isServing) ? 'served' : 'hindered';
}
