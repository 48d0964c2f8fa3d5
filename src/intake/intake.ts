import { RecloserError } from '../../machines/policy/error.ts';
import { hostOf } from '../../machines/policy/relay-url.ts';
import { requestDelayMs } from '../../machines/policy/request.ts';
import type { BreakerSettings, SubscribeSettings } from '../../machines/policy/settings.ts';
import type { RelayStatus } from '../../machines/policy/status.ts';
import type { SubscriptionEnd } from '../../machines/subscription/subscription.events.ts';
import { type Clock, wallTime } from '../clock.ts';
import type { CircuitListener, CircuitOpening } from '../health/outcome-circuit.ts';
import type { Codec, PreparedFilters } from '../protocol/codec.ts';
import type { Reconciler } from '../protocol/reconciler.ts';
import type { Verifier } from '../protocol/verifier.ts';
import type { Steps } from '../steps.ts';
import { Backfill } from './backfill.ts';
import { Feed, type FeedOwner, type FeedSession } from './feed.ts';
import { Inbox } from './inbox.ts';
import type { Fetched } from './job.ts';
import { Placer } from './placer.ts';
import { Requests } from './requests.ts';
import { Screening } from './screening.ts';
import { StoredEnds } from './stored-end.ts';
import { type Request, type Sink, Wanted, type WantedInput } from './wanted.ts';

/** What the intake needs from around it. */
export interface IntakeNeeds {
  readonly clock: Clock;
  readonly random: () => number;
  readonly settings: SubscribeSettings;
  readonly codec: Codec;
  readonly verifier: Verifier;
  readonly reconciler: Reconciler | undefined;
  /** Hears of every step of a subscription. */
  readonly steps: Steps;
  /** One of these relays, by the pool's strategy. */
  choose(urls: readonly string[], key: string): string | undefined;
  /** A relay has served a request; it has failed to, or might as well have. */
  answered(url: string): void;
  failed(url: string): void;
  /** The circuit of a relay's requests opened, or closed. */
  suspended(url: string, opening: CircuitOpening): void;
  resumed(url: string): void;
  /** A subscription is on this relay alone, which does not serve. */
  needed(url: string): void;
  /** A relay did something against the protocol: counted by kind, and charged as well. */
  charge(url: string, kind: string): void;
  count(url: string, kind: string): void;
  /** Whether it is worth a try to tell a relay who we are; `settleAuthentication` says how that ended. */
  mayAuthenticate(url: string): boolean;
  authenticate(url: string): void;
  verifierFailed(problem: string): void;
}

/** What the application says of a relay, and the relay itself, as far as it is asked for something. */
export interface FeedStanding {
  readonly subscriptionsMax: number;
  readonly frameBytesMax: number;
  /** Stored events that it sends in answer to one filter, at most, as far as it says so. */
  readonly storedMax: number;
  readonly verify: boolean;
  readonly breaker: BreakerSettings;
}

/** What the relay's chart says of it. */
export interface FeedState {
  readonly status: RelayStatus;
  /** Whether it may be asked: it is connected, and not silent. */
  readonly isFit: boolean;
  readonly retryAtMs: number | undefined;
}

/** What the names of subscriptions begin with that no application has given. */
export const OWN_NAME = '#';

/**
 * What is received: the subscriptions that are wanted, and the feed of every relay. It sees to it that every subscription is
 * where it should be.
 */
export class Intake implements FeedOwner<Request> {
  readonly clock: Clock;
  readonly circuits: IntakeNeeds;
  readonly #needs: IntakeNeeds;
  readonly #feeds = new Map<string, Feed<Request>>();
  readonly #wanted = new Map<string, Wanted>();
  readonly #requests: Requests;
  readonly #placer: Placer;
  readonly #screening: Screening;
  readonly #storedEnds: StoredEnds;
  readonly #backfill: Backfill;
  /** Where what relays say is taken. */
  readonly inbox: Inbox;
  /** Subscriptions that something has happened to, which are looked at when all that follows from it is done. */
  readonly #unsettled = new Set<Wanted>();
  #depth = 0;
  #fetched = 0;

  constructor(needs: IntakeNeeds) {
    this.clock = needs.clock;
    this.circuits = needs;
    this.#needs = needs;
    const { clock, random, settings, codec } = needs;
    this.#requests = new Requests({
      clock,
      random,
      settings,
      steps: needs.steps,
      around: (act) => this.around(act),
      authenticate: (url) => needs.authenticate(url),
      wording: { codec, overlapMs: settings.overlapMs, now: () => wallTime(clock) },
      changed: (request) => {
        this.#unsettled.add(request.wanted);
        if (request.record.state === 'live') this.#backfill.begin(request);
        request.wanted.sink.changed(request.feed.url, request.standing(clock.now()));
      },
    });
    this.#placer = new Placer({
      clock,
      requests: this.#requests,
      unsettle: (wanted) => this.around(() => this.#unsettled.add(wanted)),
      feeds: this.#feeds,
      choose: (urls, key) => needs.choose(urls, key),
    });
    this.#screening = new Screening({
      ...needs,
      looked: (wanted) => this.around(() => this.#unsettled.add(wanted)),
      held: (docket) =>
        this.around(() => {
          for (const wanted of this.#wanted.values()) if (wanted.pending.has(docket)) this.#unsettled.add(wanted);
        }),
      overflowed: (request) => {
        // Who has closed it is not asked again for what was passed over.
        if (this.inbox.takeWaitingRefusal(request)) return;
        request.isBehind = true;
        this.#step(request, { type: 'intake.overflowed', at: clock.now() });
      },
    });
    this.#storedEnds = new StoredEnds({
      clock,
      afterAll: (wanted, then) => this.#screening.afterAll(wanted, then),
      around: (act) => this.around(act),
      unsettle: (wanted) => this.#unsettled.add(wanted),
      told: (wanted, isComplete) => {
        wanted.sink.stored(isComplete);
        if (wanted.kind !== 'live') this.#end(wanted, 'closed');
      },
    });
    this.#backfill = new Backfill({
      ...needs,
      answerTimeoutMs: settings.answerTimeoutMs,
      feedOf: (url) => this.#feeds.get(url),
      fetch: (wanted, url, filters, over) => this.#fetch(wanted, url, filters, over),
      retryDelayMs: (tries) => requestDelayMs(settings, tries, random()),
      filled: (request) =>
        this.around(() => {
          request.noteEnd();
          this.#unsettled.add(request.wanted);
          request.wanted.sink.changed(request.feed.url, request.standing(clock.now()));
        }),
    });
    this.inbox = new Inbox({
      ...needs,
      backfill: this.#backfill,
      screening: this.#screening,
      feedOf: (url) => this.#feeds.get(url),
      step: (request, event) => this.#step(request, event),
    });
  }

  get answerTimeoutMs(): number {
    return this.#needs.settings.answerTimeoutMs;
  }

  get backlogMax(): number {
    return this.#needs.settings.backlogMax;
  }

  /** Subscriptions that are wanted. */
  get size(): number {
    return this.#wanted.size;
  }

  /** Events that were verified. */
  get verifications(): number {
    return this.#screening.verifications;
  }

  feedOf(url: string): Feed<Request> | undefined {
    return this.#feeds.get(url);
  }

  wantedOf(id: string): Wanted | undefined {
    return this.#wanted.get(id);
  }

  openFeed(url: string, breaker: BreakerSettings): void {
    if (this.#feeds.has(url)) return;
    this.#feeds.set(url, new Feed<Request>(url, hostOf(url), breaker, this));
    this.around(() => this.#unsettleAll());
  }

  /** What the application says of a relay has changed. */
  tuneFeed(url: string, { subscriptionsMax, frameBytesMax, storedMax, verify, breaker }: FeedStanding): void {
    const feed = this.#feeds.get(url);
    if (!feed) return;
    feed.slotsMax = subscriptionsMax;
    feed.frameBytesMax = frameBytesMax;
    feed.storedMax = storedMax;
    feed.verifies = verify;
    feed.circuit.tune(breaker);
    this.around(() => feed.pump());
  }

  closeFeed(url: string): void {
    const feed = this.#feeds.get(url);
    if (!feed) return;
    this.#feeds.delete(url);
    this.#backfill.lost(feed);
    this.around(() => {
      for (const request of this.#requests.at(feed)) this.#requests.leave(request);
      feed.dispose();
      this.#unsettleAll();
    });
  }

  /** The relay's chart has changed its state. */
  updateFeed(url: string, { status, isFit, retryAtMs }: FeedState): void {
    const feed = this.#feeds.get(url);
    if (!feed) return;
    feed.status = status;
    feed.retryAtMs = retryAtMs;
    this.#serve(feed, () => feed.update(isFit));
  }

  attach(url: string, session: FeedSession): void {
    const feed = this.#feeds.get(url);
    if (feed) this.#serve(feed, () => feed.attach(session));
  }

  /** The session is gone, and all that was open on it; what had come before is still looked at. */
  detach(url: string, session: FeedSession): void {
    const feed = this.#feeds.get(url);
    if (!feed?.detach(session)) return;
    this.#backfill.lost(feed);
    this.around(() => {
      for (const request of this.#requests.at(feed)) {
        // What it will not serve it will not serve on the next connection either.
        this.inbox.takeWaitingRefusal(request);
        this.#requests.step(request, { type: 'socket.lost' });
      }
      this.#unsettleAll();
    });
  }

  /** A relay has been asked whether it lives: something else may have that slot. */
  questioned(url: string): void {
    this.around(() => this.#feeds.get(url)?.pump());
  }

  /** What was refused for want of it may be asked for once more, or never will be served here. */
  settleAuthentication(url: string, isGranted: boolean): void {
    const feed = this.#feeds.get(url);
    if (!feed) return;
    this.around(() => {
      const type = isGranted ? 'auth.granted' : 'auth.denied';
      for (const request of this.#requests.at(feed)) this.#requests.step(request, { type });
      feed.pump();
    });
  }

  /** Whether something was refused there because the relay does not know who we are, and may be asked for once it does. */
  awaitsAuthentication(url: string): boolean {
    const feed = this.#feeds.get(url);
    return feed !== undefined && this.#requests.at(feed).some((request) => request.mayBeKnown);
  }

  /** Begins a subscription; one of the same name makes way for it. Throws `TOO_MANY_SUBSCRIPTIONS` before it has `begun`. */
  subscribe(input: WantedInput, storedTimeoutMs: number, begun: () => void = () => {}): Wanted {
    const { subscriptionsMax, overlapMs } = this.#needs.settings;
    const former = this.#wanted.get(input.id);
    if (!former && this.#wanted.size >= subscriptionsMax) {
      const problem = `There are ${subscriptionsMax} subscriptions, as many as the pool may have; close one first.`;
      throw new RecloserError('TOO_MANY_SUBSCRIPTIONS', problem);
    }
    const wanted = new Wanted(input, overlapMs, this.clock.now());
    this.around(() => {
      if (former) this.#end(former, 'replaced');
      begun();
      this.#wanted.set(wanted.id, wanted);
      this.#unsettled.add(wanted);
      this.#storedEnds.begin(wanted, storedTimeoutMs);
    });
    return wanted;
  }

  end(wanted: Wanted, cause: SubscriptionEnd): void {
    this.around(() => this.#end(wanted, cause));
  }

  /** Ends all, and leaves no timer behind. */
  close(): void {
    this.#backfill.end();
    this.around(() => {
      for (const wanted of [...this.#wanted.values()]) this.#end(wanted, 'pool-closed');
    });
    this.#screening.end();
    for (const feed of this.#feeds.values()) feed.dispose();
    this.#feeds.clear();
  }

  sent(request: Request, at: number, generation: number, isEmpty: boolean): void {
    request.begin();
    this.#requests.step(request, { type: 'frame.sent', at, generation });
    if (!isEmpty) return;
    request.hasEnded = true;
    this.#requests.step(request, { type: 'answer.ended', at });
  }

  unfit(request: Request, problem: string): void {
    const at = this.clock.now();
    const refusal = { class: 'final', prefix: 'invalid', text: problem } as const;
    // The feed goes on with the next by itself: it would come back here for each of those that wait, one within the other.
    this.around(() => {
      this.sent(request, at, request.feed.session?.generation ?? 0, false);
      this.#requests.step(request, { type: 'answer.refused', at, refusal, isAboutRoom: false, mayAuthenticate: false });
    });
  }

  watchCircuit(url: string): CircuitListener {
    return {
      opened: (opening) => this.#needs.suspended(url, opening),
      halfOpened: () => this.around(() => this.#unsettleAll()),
      closed: () => {
        this.#needs.resumed(url);
        this.around(() => this.#unsettleAll());
      },
    };
  }

  /** True if a subscription names this relay, which does not serve, and none of the others that it names does. */
  isNeeded(url: string): boolean {
    if (this.#feeds.get(url)?.isServing !== false) return false;
    for (const wanted of this.#wanted.values())
      if (wanted.scope.urls?.has(url) && this.#isUnserved(wanted)) return true;
    return false;
  }

  /** True if the subscription names its relays, and none of them serves. */
  #isUnserved({ scope: { urls }, isOver }: Wanted): boolean {
    if (urls === undefined || isOver) return false;
    for (const url of urls) if (this.#feeds.get(url)?.isServing) return false;
    return true;
  }

  overdue(request: Request): void {
    this.#needs.failed(request.feed.url);
    request.feed.circuit.failed('no answer in time');
    this.#step(request, { type: 'answer.overdue', at: this.clock.now() });
  }

  /** The relay may begin to serve by this, or cease to. */
  #serve(feed: Feed<Request>, change: () => void): void {
    const served = feed.isServing;
    change();
    this.around(() => {
      if (served !== feed.isServing) {
        const type = feed.isServing ? 'relay.resumed' : 'relay.suspended';
        for (const request of this.#requests.at(feed)) this.#requests.step(request, { type });
        feed.pump();
      }
      this.#unsettleAll();
    });
  }

  #step(request: Request, event: Parameters<Requests['step']>[1]): void {
    this.around(() => {
      this.#requests.step(request, event);
      request.feed.pump();
    });
  }

  #end(wanted: Wanted, cause: SubscriptionEnd): void {
    if (wanted.isOver) return;
    wanted.isOver = true;
    if (this.#wanted.get(wanted.id) === wanted) this.#wanted.delete(wanted.id);
    this.#storedEnds.stop(wanted);
    this.clock.clearTimeout(wanted.restTimer);
    const feeds = [...wanted.requests.keys()];
    for (const request of [...wanted.requests.values()]) this.#requests.leave(request);
    // Where all are over, nobody waits for their slots.
    if (cause !== 'pool-closed') for (const feed of feeds) feed.pump();
    wanted.sink.closed(cause);
    wanted.forget();
  }

  /** Asks one relay for what a subscription has missed. */
  #fetch(behalf: Wanted, url: string, filters: PreparedFilters, over: (result: Fetched) => void): void {
    this.#fetched += 1;
    const id = `${OWN_NAME}missed-${this.#fetched}`;
    let wanted: Wanted | undefined;
    let result: Fetched = 'late';
    const sink: Sink = {
      event: (received) => {
        if (behalf.isOver) return;
        behalf.delivered += 1;
        behalf.sink.event(received);
      },
      stored: () => {
        const [request] = wanted?.requests.values() ?? [];
        if (request?.isStoredComplete) result = request.page;
        else if (request?.record.state === 'refused') result = 'refused';
      },
      changed: () => {},
      counted: () => {},
      closed: () => over(result),
    };
    const scope = { urls: new Set([url]), copies: 1 };
    const input = { id, kind: 'once', filters, scope, affinityKey: id, newestOnly: false, sink, behalf } as const;
    try {
      wanted = this.subscribe(input, this.#needs.settings.timeoutMs);
    } catch {
      // There are as many subscriptions as there may be, and what is wanted by name comes first.
      over('late');
    }
  }

  /** Whether no relay that it may be on will serve it. */
  #isRefused({ requests, scope: { urls } }: Wanted): boolean {
    if (requests.size === 0) return false;
    for (const feed of this.#feeds.values()) {
      const isIn = urls === undefined || urls.has(feed.url);
      if (isIn && requests.get(feed)?.record.state !== 'refused') return false;
    }
    return true;
  }

  #unsettleAll(): void {
    for (const wanted of this.#wanted.values()) this.#unsettled.add(wanted);
  }

  /** Does something, and then whatever follows for the subscriptions that it has happened to. */
  around(act: () => void): void {
    this.#depth += 1;
    try {
      act();
      if (this.#depth > 1) return;
      for (const wanted of this.#unsettled) {
        this.#unsettled.delete(wanted);
        if (!wanted.isOver) this.#review(wanted);
      }
    } finally {
      this.#depth -= 1;
    }
  }

  #review(wanted: Wanted): void {
    this.#placer.place(wanted);
    if (this.#isUnserved(wanted)) {
      for (const url of wanted.scope.urls ?? []) if (this.#feeds.has(url)) this.#needs.needed(url);
    }
    this.#storedEnds.review(wanted);
    if (!this.#isRefused(wanted)) return;
    // What has come before is looked at first.
    this.#screening.afterAll(wanted, () =>
      this.around(() => {
        if (!wanted.isOver && this.#isRefused(wanted)) this.#end(wanted, 'refused');
      }),
    );
  }
}
