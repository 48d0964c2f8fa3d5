import { backfillSpan, mayBeCut, nextPageUntilMs, type Page, type Span } from '../../machines/policy/gap.ts';
import { BACKFILL, PAGES } from '../../machines/policy/limits.ts';
import type { Clock } from '../clock.ts';
import type { Codec, Message, PreparedFilters } from '../protocol/codec.ts';
import type { Reconciler, Reconciliation } from '../protocol/reconciler.ts';
import type { Feed, FeedSession } from './feed.ts';
import type { Request, Wanted } from './wanted.ts';

export interface BackfillNeeds {
  readonly clock: Clock;
  readonly codec: Codec;
  readonly reconciler: Reconciler | undefined;
  /** Milliseconds to wait for an answer. */
  readonly answerTimeoutMs: number;
  feedOf(url: string): Feed<Request> | undefined;
  /** Asks one relay for some events on behalf of a subscription, and says how that ended. */
  fetch(wanted: Wanted, url: string, filters: PreparedFilters, over: (result: Fetched) => void): void;
  /** Milliseconds before it is asked again for what it has not sent. */
  retryDelayMs(tries: number): number;
  /** All that was asked for after a gap has come. */
  filled(request: Request): void;
  /** A relay did something against the protocol: counted by kind, and charged as well. */
  charge(url: string, kind: string): void;
  count(url: string, kind: string): void;
}

/** All that the relay had to send, or why it has not been sent: it will not, or it has not in time. */
export type Fetched = Page | 'refused' | 'late';

/** One filter of a subscription, to be compared over a span of time. */
interface Task {
  readonly request: Request;
  readonly epoch: number;
  readonly filter: object;
  readonly span: Span;
}

/** A comparison that goes on. */
interface Run {
  readonly task: Task;
  readonly name: string;
  readonly reconciliation: Reconciliation;
  rounds: number;
  timer: unknown;
}

type ComparisonMessage = Extract<Message, { type: 'comparison' }>;

/** A gap of which the relay has left the older part out. */
interface Cut {
  readonly request: Request;
  readonly epoch: number;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly pages: number;
  /** Times that its next page was asked for in vain. */
  readonly tries: number;
}

/** What is to be fetched from one relay on one connection, one thing after the other. */
class Agenda {
  readonly session: FeedSession;
  readonly cuts: Cut[] = [];
  readonly tasks: Task[] = [];
  run: Run | undefined;
  isFetching = false;
  retryTimer: unknown;

  constructor(session: FeedSession) {
    this.session = session;
  }
}

/**
 * Fills what is left of a gap. Relays send only so many events at a time, the newest of them, and do not say so: what is
 * older is asked for page by page, and before that is done, nothing counts as complete. And where events were dated back
 * further than the overlap reaches, what is remembered is compared with what the relay has (NIP-77). A relay that does not
 * know how is not asked again; one that will not, or answers nonsense, is asked after its next gap.
 */
export class Backfill {
  readonly #needs: BackfillNeeds;
  readonly #byFeed = new Map<Feed<Request>, Agenda>();
  /** Whether a relay has answered such a question, or has kept silent to one. */
  readonly #ability = new WeakMap<Feed<Request>, 'able' | 'unable'>();
  #named = 0;

  constructor(needs: BackfillNeeds) {
    this.#needs = needs;
  }

  /** A relay serves a subscription again, and has sent all that is newer than a time. */
  begin(request: Request): void {
    const { feed, epoch, askedSinceMs } = request;
    const { session } = feed;
    if (!session || askedSinceMs === undefined) return;
    if (request.isCut) {
      const untilMs = nextPageUntilMs(request.page, Number.POSITIVE_INFINITY);
      this.#agendaOf(feed, session).cuts.push({ request, epoch, sinceMs: askedSinceMs, untilMs, pages: 0, tries: 0 });
    }
    if (this.#needs.reconciler && this.#ability.get(feed) !== 'unable')
      this.#compareAll(request, session, askedSinceMs);
    this.#goOn(feed);
  }

  #compareAll(request: Request, session: FeedSession, askedSinceMs: number): void {
    const { feed, wanted, epoch } = request;
    const { remembered } = wanted.seen;
    for (const filter of wanted.filters.list) {
      const span = backfillSpan(askedSinceMs, remembered, 'limit' in filter);
      if (span) this.#agendaOf(feed, session).tasks.push({ request, epoch, filter, span });
    }
  }

  /** Takes what a relay says about a comparison. */
  take(url: string, { name, text, isRefused }: ComparisonMessage): void {
    const feed = this.#needs.feedOf(url);
    const agenda = feed && this.#byFeed.get(feed);
    const run = agenda?.run;
    if (!feed || !agenda || run?.name !== name) return this.#unasked(url, name);
    this.#ability.set(feed, 'able');
    if (isRefused) {
      this.#needs.count(url, 'comparison-refused');
      return this.#finish(feed, agenda, false);
    }
    run.rounds += 1;
    const next = this.#answerTo(run, url, text);
    const isEnough = run.rounds >= BACKFILL.roundsMax || run.reconciliation.missing.size >= BACKFILL.missingMax;
    if (next === undefined || isEnough || isOver(run.task)) return this.#finish(feed, agenda, true);
    if (!agenda.session.send(this.#needs.codec.compareOn(name, next))) return;
    this.#await(feed, agenda, run);
  }

  /** The connection is gone, and the relay may be: the next one begins anew. */
  lost(feed: Feed<Request>): void {
    const agenda = this.#byFeed.get(feed);
    this.#needs.clock.clearTimeout(agenda?.run?.timer);
    this.#needs.clock.clearTimeout(agenda?.retryTimer);
    this.#byFeed.delete(feed);
  }

  /** Leaves no timer behind. */
  end(): void {
    for (const feed of [...this.#byFeed.keys()]) this.lost(feed);
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

  #unasked(url: string, name: string): void {
    const number = Number(NAME.exec(name)?.[1] ?? Number.POSITIVE_INFINITY);
    // What was on its way when it was given up is no fault.
    if (number <= this.#named) this.#needs.count(url, 'late-message');
    else this.#needs.charge(url, 'unknown-comparison');
  }

  /** Begins with what is next, where nothing goes on there. */
  #goOn(feed: Feed<Request>): void {
    const agenda = this.#byFeed.get(feed);
    if (!agenda || agenda.run || agenda.isFetching) return;
    const cut = agenda.cuts.shift();
    if (cut) return this.#turnPage(feed, agenda, cut);
    const task = agenda.tasks.shift();
    if (!task) {
      this.#byFeed.delete(feed);
      return;
    }
    if (isOver(task)) return this.#goOn(feed);
    const { codec, reconciler } = this.#needs;
    if (!reconciler) return;
    const { known, span } = compared(task);
    // The application's own may throw, which is no reason to tell the relay.
    const reconciliation = attempted(() => reconciler.begin(known));
    if (!reconciliation) return this.#goOn(feed);
    this.#named += 1;
    const name = `c${this.#named}`;
    const run: Run = { task, name, reconciliation, rounds: 0, timer: undefined };
    // A connection that cannot be sent on any more is about to say that it is closed.
    if (!agenda.session.send(codec.compare(name, task.filter, span, reconciliation.opening))) return;
    agenda.run = run;
    this.#await(feed, agenda, run);
  }

  /** Asks for the next page of what was left out. */
  #turnPage(feed: Feed<Request>, agenda: Agenda, cut: Cut): void {
    const { request, epoch, sinceMs, untilMs, pages } = cut;
    const { codec, fetch, filled } = this.#needs;
    const { wanted } = request;
    const list = isOver({ request, epoch }) ? [] : codec.filtersSince(wanted.filters.list, sinceMs, untilMs);
    if (list.length === 0) {
      if (!isOver(cut)) filled(request);
      return this.#goOn(feed);
    }
    agenda.isFetching = true;
    fetch(wanted, feed.url, { list, matches: wanted.filters.matches }, (page) => {
      if (this.#byFeed.get(feed) !== agenda) return;
      if (page === 'late' && !isOver(cut)) return this.#retry(feed, agenda, cut);
      agenda.isFetching = false;
      // What it will not send is asked for again after the next gap, because nothing says that it has come.
      if (typeof page === 'string' || isOver(cut)) return this.#goOn(feed);
      const isMore = mayBeCut(page, feed.storedMax) && pages < PAGES.most;
      if (isMore) agenda.cuts.unshift({ ...cut, untilMs: nextPageUntilMs(page, untilMs), pages: pages + 1, tries: 0 });
      else filled(request);
      this.#goOn(feed);
    });
  }

  /** A page has not come in time; nothing else is fetched before it is asked for again. */
  #retry(feed: Feed<Request>, agenda: Agenda, cut: Cut): void {
    const tries = cut.tries + 1;
    agenda.cuts.unshift({ ...cut, tries });
    agenda.retryTimer = this.#needs.clock.setTimeout(() => {
      agenda.isFetching = false;
      this.#goOn(feed);
    }, this.#needs.retryDelayMs(tries));
  }

  #answerTo({ reconciliation }: Run, url: string, text: string): string | undefined {
    try {
      return reconciliation.next(text);
    } catch {
      this.#needs.charge(url, 'comparison-nonsense');
      return undefined;
    }
  }

  #await(feed: Feed<Request>, agenda: Agenda, run: Run): void {
    const { clock, answerTimeoutMs } = this.#needs;
    clock.clearTimeout(run.timer);
    run.timer = clock.setTimeout(() => {
      if (!this.#ability.has(feed)) this.#ability.set(feed, 'unable');
      this.#finish(feed, agenda, true);
    }, answerTimeoutMs);
  }

  /** The comparison is over, by itself or by us; what it has found by now is asked for. */
  #finish(feed: Feed<Request>, agenda: Agenda, isToBeEnded: boolean): void {
    const { run, session } = agenda;
    if (!run) return;
    const { clock, codec } = this.#needs;
    clock.clearTimeout(run.timer);
    agenda.run = undefined;
    if (isToBeEnded) session.write(codec.endComparison(run.name));
    this.#fetch(feed, agenda, run.task, [...run.reconciliation.missing].slice(0, BACKFILL.missingMax));
  }

  #fetch(feed: Feed<Request>, agenda: Agenda, task: Task, missing: readonly string[]): void {
    const { wanted, source } = task.request;
    const isNew = (id: string): boolean => wanted.seen.again(id, source) === undefined;
    const left = isOver(task) ? [] : missing.filter(isNew);
    agenda.isFetching = left.length > 0;
    if (!agenda.isFetching) return this.#goOn(feed);
    const asked = attempted(() => this.#needs.codec.byIds(left.slice(0, BACKFILL.idsPerRequest)));
    if (!asked) {
      agenda.isFetching = false;
      return this.#goOn(feed);
    }
    // Whatever a relay says that is missing, only what was asked for is taken.
    const matches = (event: unknown): boolean => asked.matches(event) && wanted.filters.matches(event);
    this.#needs.fetch(wanted, feed.url, { list: asked.list, matches }, () => {
      if (this.#byFeed.get(feed) !== agenda) return;
      this.#fetch(feed, agenda, task, left.slice(BACKFILL.idsPerRequest));
    });
  }
}

/** What a call gives; nothing where it throws. */
function attempted<Value>(act: () => Value): Value | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

const NAME = /^c(\d{1,15})$/;

/** Whether nobody wants to know any more. */
const isOver = ({ request, epoch }: Pick<Task, 'request' | 'epoch'>): boolean =>
  request.wanted.isOver || request.epoch !== epoch;

/** What is compared: of more than can be, the newest, and the span that they fill. */
function compared({ request, span }: Task) {
  const known = request.wanted.seen.within(span, BACKFILL.comparedMax);
  if (known.length < BACKFILL.comparedMax) return { known, span };
  const oldestMs = known.reduce((least, { atMs }) => Math.min(least, atMs), Number.POSITIVE_INFINITY);
  return { known: known.filter(({ atMs }) => atMs > oldestMs), span: { ...span, fromMs: oldestMs + 1 } };
}
