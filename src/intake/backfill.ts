import { backfillSpan } from '../../machines/policy/gap.ts';
import { Comparison, type ComparisonMessage } from './comparison.ts';
import type { Feed, FeedSession } from './feed.ts';
import type { BackfillNeeds } from './job.ts';
import { MissedPages } from './missed-pages.ts';
import type { Request } from './wanted.ts';

/** What is to be fetched from one relay on one connection, one thing after the other. */
class Agenda {
  readonly session: FeedSession;
  readonly pages: MissedPages[] = [];
  readonly comparisons: Comparison[] = [];
  running: MissedPages | Comparison | undefined;
  /** Timers of pages that go on later. */
  readonly timers = new Set<unknown>();

  constructor(session: FeedSession) {
    this.session = session;
  }
}

/**
 * Fills what is left of a gap, at each relay one thing after the other: first the pages that it has left out, then what was
 * dated back. A relay that does not know how to compare is not asked again; one that will not, or answers nonsense, is asked
 * after its next gap.
 */
export class Backfill {
  readonly #needs: BackfillNeeds;
  readonly #byFeed = new Map<Feed<Request>, Agenda>();
  /** Whether a relay has answered a comparison, or has kept silent to one. */
  readonly #ability = new WeakMap<Feed<Request>, 'able' | 'unable'>();
  #named = 0;

  constructor(needs: BackfillNeeds) {
    this.#needs = needs;
  }

  /** A relay serves a subscription again, and has sent all that is newer than a time. */
  begin(request: Request): void {
    const { feed, askedSinceMs } = request;
    const { session } = feed;
    if (!session || askedSinceMs === undefined) return;
    if (request.isCut) this.#agendaOf(feed, session).pages.push(new MissedPages(request, askedSinceMs, this.#needs));
    this.#compareAll(request, session, askedSinceMs);
    this.#goOn(feed);
  }

  /** Takes what a relay says about a comparison. */
  take(url: string, message: ComparisonMessage): void {
    const feed = this.#needs.feedOf(url);
    const running = feed && this.#byFeed.get(feed)?.running;
    if (running instanceof Comparison && running.take(message)) return;
    const number = Number(NAME.exec(message.name)?.[1] ?? Number.POSITIVE_INFINITY);
    // What was on its way when it was given up is no fault.
    if (number <= this.#named) this.#needs.count(url, 'late-message');
    else this.#needs.charge(url, 'unknown-comparison');
  }

  /** The connection is gone, and the relay may be: the next one begins anew. */
  lost(feed: Feed<Request>): void {
    const agenda = this.#byFeed.get(feed);
    agenda?.running?.end();
    for (const timer of agenda?.timers ?? []) this.#needs.clock.clearTimeout(timer);
    this.#byFeed.delete(feed);
  }

  /** Leaves no timer behind. */
  end(): void {
    for (const feed of [...this.#byFeed.keys()]) this.lost(feed);
  }

  #compareAll(request: Request, session: FeedSession, askedSinceMs: number): void {
    const { reconciler } = this.#needs;
    const { feed, wanted } = request;
    if (!reconciler || this.#ability.get(feed) === 'unable') return;
    const needs = {
      ...this.#needs,
      reconciler,
      nextName: () => {
        this.#named += 1;
        return `c${this.#named}`;
      },
      found: (ability: 'able' | 'unable') => {
        // Who has answered once is only slow.
        if (ability === 'able' || !this.#ability.has(feed)) this.#ability.set(feed, ability);
      },
    };
    const { remembered } = wanted.seen;
    for (const filter of wanted.filters.list) {
      const span = backfillSpan(askedSinceMs, remembered, 'limit' in filter);
      if (!span) continue;
      this.#agendaOf(feed, session).comparisons.push(new Comparison(request, session, filter, span, needs));
    }
  }

  #agendaOf(feed: Feed<Request>, session: FeedSession): Agenda {
    let agenda = this.#byFeed.get(feed);
    if (agenda?.session !== session) {
      this.lost(feed);
      agenda = new Agenda(session);
      this.#byFeed.set(feed, agenda);
    }
    return agenda;
  }

  /** Begins with what is next, where nothing goes on there. */
  #goOn(feed: Feed<Request>): void {
    const agenda = this.#byFeed.get(feed);
    // Whoever hears that something has come may take the relay away.
    while (agenda && !agenda.running && this.#byFeed.get(feed) === agenda) {
      const job = agenda.pages.shift() ?? agenda.comparisons.shift();
      if (!job) {
        if (agenda.timers.size === 0) this.#byFeed.delete(feed);
        return;
      }
      agenda.running = job;
      let isBeginning = true;
      job.run((againInMs?: number) => {
        if (agenda.running !== job) return;
        agenda.running = undefined;
        if (againInMs !== undefined && job instanceof MissedPages) this.#goOnLater(feed, agenda, job, againInMs);
        // Many may be over before they have begun: one after the other, and not one within the other.
        if (!isBeginning && this.#byFeed.get(feed) === agenda) this.#goOn(feed);
      });
      isBeginning = false;
    }
  }

  /** Others need not wait for what is late. */
  #goOnLater(feed: Feed<Request>, agenda: Agenda, pages: MissedPages, delayMs: number): void {
    if (this.#byFeed.get(feed) !== agenda) return;
    const timer = this.#needs.clock.setTimeout(() => {
      agenda.timers.delete(timer);
      agenda.pages.push(pages);
      this.#goOn(feed);
    }, delayMs);
    agenda.timers.add(timer);
  }
}

const NAME = /^c(\d{1,15})$/;
