import type { Span } from '../../machines/policy/gap.ts';
import { BACKFILL } from '../../machines/policy/limits.ts';
import type { Message } from '../protocol/codec.ts';
import type { Reconciler, Reconciliation } from '../protocol/reconciler.ts';
import type { FeedSession } from './feed.ts';
import type { BackfillNeeds, Done, Job } from './job.ts';
import type { Request } from './wanted.ts';

export type ComparisonMessage = Extract<Message, { type: 'comparison' }>;

export interface ComparisonNeeds extends BackfillNeeds {
  readonly reconciler: Reconciler;
  /** A name under which nothing was compared on this connection. */
  nextName(): string;
  /** The relay has answered, or has kept silent. */
  found(ability: 'able' | 'unable'): void;
}

/**
 * What was dated back further than the overlap reaches: for one filter of a subscription, what is remembered of a span of time
 * is compared with what the relay has (NIP-77), and what is missing is asked for.
 */
export class Comparison implements Job {
  readonly #needs: ComparisonNeeds;
  readonly #request: Request;
  readonly #epoch: number;
  readonly #session: FeedSession;
  readonly #filter: object;
  readonly #span: Span;
  #name: string | undefined;
  #reconciliation: Reconciliation | undefined;
  #rounds = 0;
  #timer: unknown;
  #hasEnded = false;
  #done: Done = () => {};

  constructor(request: Request, session: FeedSession, filter: object, span: Span, needs: ComparisonNeeds) {
    this.#needs = needs;
    this.#request = request;
    this.#epoch = request.epoch;
    this.#session = session;
    this.#filter = filter;
    this.#span = span;
  }

  run(done: Done): void {
    this.#done = done;
    if (this.#isOver) return done();
    const { codec, reconciler } = this.#needs;
    const { known, span } = this.#compared();
    // The application's own may throw, which is no reason to tell the relay.
    const reconciliation = attempted(() => reconciler.begin(known));
    if (!reconciliation) return done();
    const name = this.#needs.nextName();
    // A connection that cannot be sent on any more is about to say that it is closed.
    if (!this.#session.send(codec.compare(name, this.#filter, span, reconciliation.opening))) return;
    this.#name = name;
    this.#reconciliation = reconciliation;
    this.#await();
  }

  /** Whether a message is about it; then it is taken. */
  take({ name, text, isRefused }: ComparisonMessage): boolean {
    if (name !== this.#name || !this.#reconciliation) return false;
    this.#needs.found('able');
    if (isRefused) {
      this.#needs.count(this.#request.feed.url, 'comparison-refused');
      this.#finish(false);
      return true;
    }
    this.#rounds += 1;
    const next = this.#answerTo(this.#reconciliation, text);
    const isEnough = this.#rounds >= BACKFILL.roundsMax || this.#reconciliation.missing.size >= BACKFILL.missingMax;
    if (next === undefined || isEnough || this.#isOver) this.#finish(true);
    else if (this.#session.send(this.#needs.codec.compareOn(name, next))) this.#await();
    return true;
  }

  end(): void {
    this.#hasEnded = true;
    this.#needs.clock.clearTimeout(this.#timer);
  }

  /** Whether nobody wants to know any more. */
  get #isOver(): boolean {
    return this.#request.isOver(this.#epoch);
  }

  /** What is compared: of more than can be, the newest, and the span that they fill. */
  #compared() {
    const span = this.#span;
    const known = this.#request.wanted.seen.within(span, BACKFILL.comparedMax);
    if (known.length < BACKFILL.comparedMax) return { known, span };
    const oldestMs = known.reduce((least, { atMs }) => Math.min(least, atMs), Number.POSITIVE_INFINITY);
    return { known: known.filter(({ atMs }) => atMs > oldestMs), span: { ...span, fromMs: oldestMs + 1 } };
  }

  #answerTo(reconciliation: Reconciliation, text: string): string | undefined {
    try {
      return reconciliation.next(text);
    } catch {
      this.#needs.charge(this.#request.feed.url, 'comparison-nonsense');
      return undefined;
    }
  }

  #await(): void {
    const { clock, answerTimeoutMs } = this.#needs;
    clock.clearTimeout(this.#timer);
    this.#timer = clock.setTimeout(() => {
      this.#needs.found('unable');
      this.#finish(true);
    }, answerTimeoutMs);
  }

  /** The comparison is over, by itself or by us; what it has found by now is asked for. */
  #finish(isToBeEnded: boolean): void {
    const { clock, codec } = this.#needs;
    const [name, missing] = [this.#name, this.#reconciliation?.missing ?? []];
    clock.clearTimeout(this.#timer);
    this.#name = undefined;
    this.#reconciliation = undefined;
    if (isToBeEnded && name !== undefined) this.#session.write(codec.endComparison(name));
    this.#fetch([...missing].slice(0, BACKFILL.missingMax));
  }

  #fetch(missing: readonly string[]): void {
    const { wanted, feed, source } = this.#request;
    const left = this.#isOver ? [] : missing.filter((id) => wanted.seen.again(id, source) === undefined);
    if (left.length === 0) return this.#done();
    const asked = attempted(() => this.#needs.codec.byIds(left.slice(0, BACKFILL.idsPerRequest)));
    if (!asked) return this.#done();
    // Whatever a relay says that is missing, only what was asked for is taken.
    const matches = (event: unknown): boolean => asked.matches(event) && wanted.filters.matches(event);
    this.#needs.fetch(wanted, feed.url, { list: asked.list, matches }, () => {
      if (!this.#hasEnded) this.#fetch(left.slice(BACKFILL.idsPerRequest));
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
