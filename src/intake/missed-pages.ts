import { mayBeCut, nextPageUntilMs, type Page } from '../../machines/policy/gap.ts';
import { PAGES } from '../../machines/policy/limits.ts';
import type { BackfillNeeds, Done, Job } from './job.ts';
import type { Request } from './wanted.ts';

/**
 * What a relay has left out of its answer after a gap: relays send only so many events at a time, the newest of them, and do
 * not say so. What is older is asked for page by page, and before that is done, nothing counts as complete.
 */
export class MissedPages implements Job {
  readonly #needs: BackfillNeeds;
  readonly #request: Request;
  readonly #epoch: number;
  readonly #sinceMs: number;
  #untilMs: number;
  #pages = 0;
  /** Times that the next page was asked for in vain. */
  #tries = 0;
  #hasEnded = false;

  constructor(request: Request, sinceMs: number, needs: BackfillNeeds) {
    this.#needs = needs;
    this.#request = request;
    this.#epoch = request.epoch;
    this.#sinceMs = sinceMs;
    this.#untilMs = nextPageUntilMs(request.page, Number.POSITIVE_INFINITY);
  }

  run(done: Done): void {
    const { codec, fetch } = this.#needs;
    const { wanted, feed } = this.#request;
    const list = this.#isOver ? [] : codec.filtersSince(wanted.filters.list, this.#sinceMs, this.#untilMs);
    if (list.length === 0) return this.#fill(done);
    fetch(wanted, feed.url, { list, matches: wanted.filters.matches }, (page) => {
      if (this.#hasEnded) return;
      if (this.#isOver) return done();
      if (page === 'late') return this.#askLater(done);
      // What it will not send is asked for again after the next gap, because nothing says that it has come.
      if (page === 'refused') return done();
      this.#turn(page, done);
    });
  }

  end(): void {
    this.#hasEnded = true;
  }

  get #isOver(): boolean {
    return this.#request.isOver(this.#epoch);
  }

  #turn(page: Page, done: Done): void {
    const isMore = mayBeCut(page, this.#request.feed.storedMax) && this.#pages < PAGES.most;
    if (!isMore) return this.#fill(done);
    this.#untilMs = nextPageUntilMs(page, this.#untilMs);
    this.#pages += 1;
    this.#tries = 0;
    this.run(done);
  }

  #fill(done: Done): void {
    if (!this.#isOver) this.#needs.filled(this.#request);
    done();
  }

  #askLater(done: Done): void {
    this.#tries += 1;
    done(this.#needs.retryDelayMs(this.#tries));
  }
}
