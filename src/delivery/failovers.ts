import { FAILOVERS_MAX } from '../../machines/policy/limits.ts';
import { percentile } from '../../machines/policy/percentile.ts';

/** Why work was moved off a relay: it fell silent, its connection was lost, or it is kept from serving otherwise. */
export type FailoverCause = 'silent' | 'lost' | 'unfit';

/** Work that was moved off one relay, and is stored elsewhere now. Times are milliseconds from the detected loss. */
export interface Failover {
  readonly url: string;
  readonly cause: FailoverCause;
  /** When it began, in milliseconds since the epoch. */
  readonly atMs: number;
  /** Relays that took over, and how many events. */
  readonly to: readonly string[];
  readonly count: number;
  /** Until the last of them was sent elsewhere, and until the last was accepted there. */
  readonly movedMs: number;
  readonly ms: number;
}

/** What failovers took so far. Percentiles are of the last ones. */
export interface FailoverStatistics {
  readonly failovers: number;
  readonly events: number;
  readonly msP50?: number;
  readonly msP99?: number;
  readonly recent: readonly Failover[];
}

/** Something that is moved: it is part of one failover at a time. */
interface Movable {
  failover: OpenFailover | undefined;
}

/** One that goes on: the publications that have not been accepted elsewhere yet. */
export class OpenFailover {
  readonly url: string;
  readonly cause: FailoverCause;
  readonly atMs: number;
  readonly waiting = new Set<Movable>();
  readonly to = new Set<string>();
  count = 0;
  movedMs = 0;
  ms = 0;
  /** All that is to be moved has been. */
  sealed = false;

  constructor(url: string, cause: FailoverCause, atMs: number) {
    this.url = url;
    this.cause = cause;
    this.atMs = atMs;
  }
}

/** The failovers that go on, and the last that have ended. */
export class Failovers {
  readonly #recent: Failover[] = [];
  readonly #report: (failover: Failover) => void;
  #failovers = 0;
  #events = 0;

  constructor(report: (failover: Failover) => void) {
    this.#report = report;
  }

  get statistics(): FailoverStatistics {
    const sorted = this.#recent.map(({ ms }) => ms).sort((a, b) => a - b);
    const known = sorted.length > 0;
    return {
      failovers: this.#failovers,
      events: this.#events,
      ...(known ? { msP50: percentile(sorted, 0.5), msP99: percentile(sorted, 0.99) } : {}),
      recent: [...this.#recent],
    };
  }

  /** An event was sent to another relay instead. */
  moved(failover: OpenFailover, publication: Movable, to: string, now: number): void {
    if (publication.failover !== undefined && publication.failover !== failover) this.#leave(publication);
    publication.failover = failover;
    failover.waiting.add(publication);
    failover.to.add(to);
    failover.count += 1;
    failover.movedMs = now - failover.atMs;
  }

  /** All that can be moved has been. */
  seal(failover: OpenFailover): void {
    failover.sealed = true;
    this.#end(failover);
  }

  /** A relay accepted. */
  accepted(publication: Movable, url: string, now: number): void {
    const { failover } = publication;
    if (!failover) return;
    // The relay that was given up may have been right after all; then nothing had to be waited for.
    if (failover.to.has(url) || url === failover.url) failover.ms = Math.max(failover.ms, now - failover.atMs);
    this.#leave(publication);
  }

  /** The publication is over; nobody waits for it any more. */
  forget(publication: Movable): void {
    if (publication.failover) this.#leave(publication);
  }

  #leave(publication: Movable): void {
    const { failover } = publication;
    publication.failover = undefined;
    failover?.waiting.delete(publication);
    if (failover) this.#end(failover);
  }

  #end(open: OpenFailover): void {
    if (!open.sealed || open.waiting.size > 0 || open.count === 0) return;
    const { url, cause, atMs, to, count, movedMs, ms } = open;
    const failover: Failover = { url, cause, atMs, to: [...to], count, movedMs, ms };
    open.count = 0;
    this.#failovers += 1;
    this.#events += count;
    this.#recent.push(failover);
    if (this.#recent.length > FAILOVERS_MAX) this.#recent.shift();
    this.#report(failover);
  }
}
