import { FAILOVERS_MAX } from '../../machines/policy/limits.ts';
import { percentile } from '../../machines/policy/percentile.ts';
import type { MovedEvent } from '../../machines/pool/pool.events.ts';

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
  readonly slowest: MovedEvent;
}

/** What failovers took so far. Percentiles are of the last ones. */
export interface FailoverStatistics {
  readonly failovers: number;
  readonly events: number;
  readonly msP50?: number;
  readonly msP99?: number;
  readonly recent: readonly Failover[];
}

/** Something that can be moved; it is part of one failover at a time. */
export interface Movable {
  readonly id: string;
  /** When it was published, and sent to a relay. */
  readonly acceptedAt: number;
  sentAt(url: string): number | undefined;
  move: Move | undefined;
  /** Nothing is sent any more. */
  readonly isOver: boolean;
}

export interface Move {
  readonly failover: OpenFailover;
  /** When it had been sent to the relay that failed, where it was. */
  readonly sentAt: number | undefined;
  /** URLs of the relays that shall take over. */
  readonly to: Set<string>;
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
  slowest: MovedEvent | undefined;

  constructor(url: string, cause: FailoverCause, atMs: number) {
    this.url = url;
    this.cause = cause;
    this.atMs = atMs;
  }

  noteAccepted(moved: Movable, { sentAt }: Move, relay: string, movedAt: number, now: number): void {
    const acceptedMs = now - this.atMs;
    if (this.slowest && this.slowest.acceptedMs >= acceptedMs) return;
    this.slowest = {
      id: moved.id,
      relay,
      publishedMs: moved.acceptedAt - this.atMs,
      ...(sentAt === undefined ? {} : { sentMs: sentAt - this.atMs }),
      movedMs: movedAt - this.atMs,
      acceptedMs,
    };
  }
}

/** The failovers that go on, and the last that have ended. Whatever ends one returns it, to be reported. */
export class Failovers {
  readonly #recent: Failover[] = [];
  #failovers = 0;
  #events = 0;

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

  /** An event shall go to another relay instead. */
  moved(failover: OpenFailover, moved: Movable, to: string): Failover | undefined {
    if (moved.isOver) return undefined;
    if (moved.move?.failover === failover) {
      moved.move.to.add(to);
      return undefined;
    }
    const ended = this.forget(moved);
    moved.move = { failover, sentAt: moved.sentAt(failover.url), to: new Set([to]) };
    failover.waiting.add(moved);
    return ended;
  }

  /** A relay accepted. Where it was another than those that took over, nothing had to be moved after all. */
  accepted(moved: Movable, url: string, sentAt: number, now: number): Failover | undefined {
    const { move } = moved;
    if (move?.to.has(url)) {
      const { failover } = move;
      failover.to.add(url);
      failover.count += 1;
      failover.movedMs = Math.max(failover.movedMs, sentAt - failover.atMs);
      failover.ms = Math.max(failover.ms, now - failover.atMs);
      failover.noteAccepted(moved, move, url, sentAt, now);
    }
    return this.forget(moved);
  }

  /** Nobody waits for it any more. */
  forget(moved: Movable): Failover | undefined {
    const { move } = moved;
    if (!move) return undefined;
    moved.move = undefined;
    move.failover.waiting.delete(moved);
    return this.#end(move.failover);
  }

  #end({ waiting, url, cause, atMs, to, count, movedMs, ms, slowest }: OpenFailover): Failover | undefined {
    if (waiting.size > 0 || !slowest) return undefined;
    const failover: Failover = { url, cause, atMs, to: [...to], count, movedMs, ms, slowest };
    this.#failovers += 1;
    this.#events += count;
    this.#recent.push(failover);
    if (this.#recent.length > FAILOVERS_MAX) this.#recent.shift();
    return failover;
  }
}
