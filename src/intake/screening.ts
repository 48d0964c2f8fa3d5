import { debtAfterForged, debtAfterGenuine, type ForgeryDebt, NO_DEBT } from '../../machines/policy/forgery.ts';
import type { SubscribeSettings } from '../../machines/policy/settings.ts';
import { type Clock, wallTime } from '../clock.ts';
import type { Place } from '../frame.ts';
import type { Codec, Message } from '../protocol/codec.ts';
import type { Verifier } from '../protocol/verifier.ts';
import type { Feed, FeedSession } from './feed.ts';
import { type Docket, type Verdict, Verification } from './verification.ts';
import type { Request, Wanted } from './wanted.ts';

export interface ScreeningNeeds {
  readonly clock: Clock;
  readonly settings: SubscribeSettings;
  readonly codec: Codec;
  readonly verifier: Verifier;
  /** A relay did something against the protocol: counted by kind, and charged as well. */
  charge(url: string, kind: string): void;
  count(url: string, kind: string): void;
  /** A relay has sent so many forged events that it counts as a failed call. */
  failed(url: string): void;
  verifierFailed(problem: string): void;
  /** One event less of a subscription waits, whose time is up. */
  looked(wanted: Wanted): void;
  /** What a relay has sent waits, because so much of it was forged. */
  held(docket: Docket): void;
  /** Some events of it were passed over, and have to be asked for again. */
  overflowed(request: Request): void;
}

export type EventMessage = Extract<Message, { type: 'event' }>;

/**
 * The way of an event from the wire to the application: is it new, is it what was asked for, is its time plausible, is it
 * genuine; only then it is remembered and delivered. What is cheap comes first, and nothing is remembered of what fails.
 */
export class Screening {
  readonly #needs: ScreeningNeeds;
  readonly #verification: Verification;
  /** What time it was when that last mattered. */
  #nowMs = 0;
  readonly #debts = new WeakMap<Feed<Request>, ForgeryDebt>();

  constructor(needs: ScreeningNeeds) {
    this.#needs = needs;
    this.#verification = new Verification({
      clock: needs.clock,
      verifier: needs.verifier,
      isSame: (one, other) => needs.codec.isSame(one, other),
      failed: (problem) => needs.verifierFailed(problem),
      held: (docket) => needs.held(docket),
    });
  }

  /** Events that were verified. */
  get verifications(): number {
    return this.#verification.count;
  }

  /** `isNew` says that it has been looked up just now, and was not found. */
  take(request: Request, { id, atMs, event, glimpse }: EventMessage, isNew = false): void {
    const { wanted, feed, epoch } = request;
    const { session } = feed;
    const known = isNew ? undefined : wanted.seen.again(id, request.source);
    if (known !== undefined) return request.noteEvent(known);
    if (!wanted.filters.matches(event)) return this.#needs.charge(feed.url, 'unmatched-event');
    if (this.#isAhead(atMs)) {
      wanted.ahead += 1;
      return this.#needs.count(feed.url, 'event-ahead');
    }
    const isStored = !request.hasEnded;
    // Nothing comes between, so it is as new as it was.
    if (!feed.verifies && feed.docket.size === 0)
      return this.#deliverNew(request, epoch, id, atMs, event, isStored, glimpse);
    if (!feed.balance()) return this.#miss(request, atMs);
    wanted.await(feed.docket);
    const settle = (verdict: Verdict): void => {
      wanted.settle(feed.docket);
      this.#judged(request, session, epoch, verdict, atMs);
      if (verdict === 'genuine') this.#deliver(request, epoch, id, atMs, event, isStored);
      feed.balance();
      if (wanted.stored.isDue && !wanted.stored.isTold) this.#needs.looked(wanted);
    };
    if (feed.verifies) this.#verification.submit(feed.docket, id, event, settle);
    else this.#verification.after(feed.docket, () => settle('genuine'));
  }

  /** Whether its time is further ahead of ours than it may be. The clock is asked only where it may make a difference. */
  #isAhead(atMs: number): boolean {
    const { clock, settings } = this.#needs;
    if (atMs <= this.#nowMs + settings.aheadMaxMs) return false;
    this.#nowMs = wallTime(clock);
    return atMs > this.#nowMs + settings.aheadMaxMs;
  }

  /** Calls back when everything that this relay has sent so far has been looked at. */
  after(feed: Feed<Request>, then: () => void): void {
    this.#verification.after(feed.docket, then);
  }

  /** Calls back when all that has come for a subscription so far has been looked at. */
  afterAll({ pending }: Wanted, then: () => void): void {
    let left = pending.size;
    if (left === 0) return then();
    for (const docket of [...pending.keys()]) {
      this.#verification.after(docket, () => {
        left -= 1;
        if (left === 0) then();
      });
    }
  }

  end(): void {
    this.#verification.end();
  }

  #miss(request: Request, atMs: number): void {
    request.noteMissed(atMs);
    this.#needs.overflowed(request);
  }

  #judged(request: Request, session: FeedSession | undefined, epoch: number, verdict: Verdict, atMs: number): void {
    const { feed } = request;
    const now = this.#needs.clock.now();
    const debt = this.#debts.get(feed) ?? NO_DEBT;
    if (verdict === 'genuine') {
      if (debt !== NO_DEBT) this.#debts.set(feed, debtAfterGenuine(debt, now));
    } else if (verdict === 'forged') {
      this.#needs.count(feed.url, 'forged-event');
      // What an earlier connection sent is not held against this one.
      if (feed.session !== session) return;
      const next = debtAfterForged(debt, now);
      this.#debts.set(feed, next.debt);
      if (next.fails) this.#needs.failed(feed.url);
    } else if (request.epoch === epoch) this.#miss(request, atMs);
  }

  #deliver(request: Request, epoch: number, id: string, atMs: number, event: unknown, isStored: boolean): void {
    const { wanted } = request;
    // It may have come from elsewhere while it was being verified.
    if (wanted.isOver) return;
    if (wanted.seen.again(id, request.source) === undefined) {
      return this.#deliverNew(request, epoch, id, atMs, event, isStored);
    }
    if (request.epoch === epoch) request.noteEvent(atMs);
  }

  #deliverNew(
    request: Request,
    epoch: number,
    id: string,
    atMs: number,
    event: unknown,
    isStored: boolean,
    place: string | Place = id,
  ): void {
    const { wanted, feed } = request;
    if (!wanted.seen.add(place, request.source, atMs)) return this.#needs.charge(feed.url, 'event-id');
    if (request.epoch === epoch) request.noteEvent(atMs);
    const version = wanted.newest && this.#needs.codec.versionOf(event);
    if (version && !wanted.newest?.take(version, id)) {
      wanted.outdated += 1;
      return;
    }
    wanted.delivered += 1;
    wanted.sink.event({ event, relay: feed.url, stored: isStored });
  }
}
