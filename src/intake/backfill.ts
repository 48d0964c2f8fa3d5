import { backfillSpan, type Span } from '../../machines/policy/gap.ts';
import { BACKFILL } from '../../machines/policy/limits.ts';
import type { Clock } from '../clock.ts';
import type { Codec, Message, PreparedFilters } from '../protocol/codec.ts';
import type { Reconciler, Reconciliation } from '../protocol/reconciler.ts';
import type { Feed, FeedSession } from './feed.ts';
import type { Request, Wanted } from './wanted.ts';

export interface BackfillNeeds {
  readonly clock: Clock;
  readonly codec: Codec;
  readonly reconciler: Reconciler;
  /** Milliseconds to wait for an answer. */
  readonly answerTimeoutMs: number;
  feedOf(url: string): Feed<Request> | undefined;
  /** Asks one relay for some events on behalf of a subscription, and says when it is over. */
  fetch(wanted: Wanted, url: string, filters: PreparedFilters, over: () => void): void;
  /** A relay did something against the protocol: counted by kind, and charged as well. */
  charge(url: string, kind: string): void;
  count(url: string, kind: string): void;
}

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

/** What is to be compared with one relay on one connection, one thing after the other. */
class Agenda {
  readonly session: FeedSession;
  readonly tasks: Task[] = [];
  run: Run | undefined;
  isFetching = false;

  constructor(session: FeedSession) {
    this.session = session;
  }
}

/**
 * Fills what the overlap after a gap does not reach: events that were dated back further while a relay could not be reached
 * (NIP-77). It compares what is remembered with what the relay has, and asks for what is missing. A relay that does not
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
    const { feed, wanted, epoch, askedSinceMs } = request;
    const { session } = feed;
    if (!session || askedSinceMs === undefined || this.#ability.get(feed) === 'unable') return;
    const { remembered } = wanted.seen;
    for (const filter of wanted.filters.list) {
      const span = backfillSpan(askedSinceMs, remembered, 'limit' in filter);
      if (span) this.#agendaOf(feed, session).tasks.push({ request, epoch, filter, span });
    }
    this.#goOn(feed);
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
    this.#needs.clock.clearTimeout(this.#byFeed.get(feed)?.run?.timer);
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
    const task = agenda.tasks.shift();
    if (!task) {
      this.#byFeed.delete(feed);
      return;
    }
    if (isOver(task)) return this.#goOn(feed);
    const { codec, reconciler } = this.#needs;
    const { known, span } = compared(task);
    const reconciliation = reconciler.begin(known);
    this.#named += 1;
    const name = `c${this.#named}`;
    const run: Run = { task, name, reconciliation, rounds: 0, timer: undefined };
    // A connection that cannot be sent on any more is about to say that it is closed.
    if (!agenda.session.send(codec.compare(name, task.filter, span, reconciliation.opening))) return;
    agenda.run = run;
    this.#await(feed, agenda, run);
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
    const { wanted } = task.request;
    const isNew = (id: string): boolean => wanted.seen.again(id, feed.url) === undefined;
    const left = isOver(task) ? [] : missing.filter(isNew);
    agenda.isFetching = left.length > 0;
    if (!agenda.isFetching) return this.#goOn(feed);
    const asked = this.#needs.codec.byIds(left.slice(0, BACKFILL.idsPerRequest));
    // Whatever a relay says that is missing, only what was asked for is taken.
    const matches = (event: unknown): boolean => asked.matches(event) && wanted.filters.matches(event);
    this.#needs.fetch(wanted, feed.url, { list: asked.list, matches }, () => {
      if (this.#byFeed.get(feed) !== agenda) return;
      this.#fetch(feed, agenda, task, left.slice(BACKFILL.idsPerRequest));
    });
  }
}

const NAME = /^c(\d{1,15})$/;

/** Whether nobody wants to know any more. */
const isOver = ({ request, epoch }: Task): boolean => request.wanted.isOver || request.epoch !== epoch;

/** What is compared: of more than can be, the newest, and the span that they fill. */
function compared({ request, span }: Task) {
  const known = request.wanted.seen.within(span, BACKFILL.comparedMax);
  if (known.length < BACKFILL.comparedMax) return { known, span };
  const oldestMs = known.reduce((least, { atMs }) => Math.min(least, atMs), Number.POSITIVE_INFINITY);
  return { known: known.filter(({ atMs }) => atMs > oldestMs), span: { ...span, fromMs: oldestMs + 1 } };
}
