import { type AnswerCost, afterCost, afterFailure, NO_COST } from '../../machines/policy/balance/cost.ts';
import {
  afterFlap,
  type CallQuality,
  type DegradedReason,
  exitHoldMs,
  type FlapPenalty,
  isWell,
  NO_FLAPS,
  reasonsToDegrade,
  slowMs,
} from '../../machines/policy/degraded.ts';
import type { RelayHistory } from '../../machines/policy/history.ts';
import { BREAKER_WINDOW_CALLS, DEGRADED, HEDGE } from '../../machines/policy/limits.ts';
import {
  afterSample,
  answerTimeoutMs,
  isErratic,
  NO_ROUND_TRIP,
  type RoundTrip,
} from '../../machines/policy/round-trip.ts';
import { Latency } from './latency.ts';

type Call = 'good' | 'slow' | 'failed';

/** What a session reports of its calls; only what can change a state. */
export interface CallListener {
  failed(successesAt: readonly number[]): void;
  degraded(reasons: readonly DegradedReason[]): void;
  recovered(): void;
}

/**
 * How the calls of one relay go. Successes cost a few writes and are kept to be told with the next failure, which is
 * all that the breaker needs of them; the last calls of the session decide whether it counts as degraded.
 */
export class Calls {
  readonly latency = new Latency();
  succeededTotal = 0;
  failedTotal = 0;
  readonly #listener: CallListener;
  readonly #answerTimeoutMsMax: () => number;
  #roundTrip: RoundTrip = NO_ROUND_TRIP;
  #roundTripIsPing = false;
  #pingMs: number | undefined;
  #cost: AnswerCost = NO_COST;
  #usualMs: number | undefined;
  #usualAt = 0;
  #successesAt: number[] = [];
  #recent: Call[] = [];
  #degradedAt: number | undefined;
  #wellSince: number | undefined;
  #flaps: FlapPenalty = NO_FLAPS;
  #pacedAt = Number.NEGATIVE_INFINITY;
  #congestedSince: number | undefined;

  /** No answer is waited for longer than `answerTimeoutMsMax`, as it is now. */
  constructor(answerTimeoutMsMax: () => number, listener: CallListener) {
    this.#answerTimeoutMsMax = answerTimeoutMsMax;
    this.#listener = listener;
  }

  /** Goes on with what a former process has counted. */
  resume({ successes, failures, pingMs }: RelayHistory): void {
    this.succeededTotal = successes;
    this.failedTotal = failures;
    this.#pingMs = pingMs;
  }

  /** A new session begins with a clean slate; totals, latencies and the memory of flapping stay. */
  beginSession(): void {
    this.#roundTrip = NO_ROUND_TRIP;
    this.#roundTripIsPing = false;
    this.#recent = [];
    this.#degradedAt = undefined;
    this.#wellSince = undefined;
    this.#congestedSince = undefined;
  }

  /** Milliseconds after which an answer on this connection is late. */
  get answerTimeoutMs(): number {
    return Math.min(this.#answerTimeoutMsMax(), answerTimeoutMs(this.#roundTrip));
  }

  /** Smoothed milliseconds and mean deviation of the answers on this connection; nothing before the first. */
  get roundTrip(): RoundTrip | undefined {
    return this.#roundTrip.samples === 0 ? undefined : this.#roundTrip;
  }

  /** Milliseconds that the last ping took on any connection. */
  get pingMs(): number | undefined {
    return this.#pingMs;
  }

  /** Milliseconds that an answer usually takes at most; nothing before enough are known. */
  get usualMs(): number | undefined {
    const { count } = this.latency;
    if (count < HEDGE.samplesMin) return undefined;
    // Looked up again only once in a while: it takes sorting.
    if (count >= this.#usualAt + HEDGE.samplesMin || this.#usualMs === undefined) {
      this.#usualAt = count;
      this.#usualMs = this.latency.percentileMs(HEDGE.usualShare);
    }
    return this.#usualMs;
  }

  /** What answers have cost lately, for choosing between relays. */
  get cost(): AnswerCost {
    return this.#cost;
  }

  /** A ping was answered. It stands for an answer until there is one: answering events takes relays longer. */
  pinged(latencyMs: number): void {
    this.#pingMs = latencyMs;
    if (this.#roundTrip.samples > 0 && !this.#roundTripIsPing) return;
    this.#roundTripIsPing = true;
    this.#roundTrip = afterSample(this.#roundTrip, latencyMs);
  }

  /** `latencyMs` is left out where the answer does not measure the relay. */
  succeeded(latencyMs: number | undefined, now: number): void {
    this.succeededTotal += 1;
    if (latencyMs !== undefined) this.#measure(latencyMs, now);
    this.#successesAt.push(now);
    if (this.#successesAt.length > 2 * BREAKER_WINDOW_CALLS) this.#successesAt = this.#lastSuccesses();
    this.#note(this.#isSlow(latencyMs) ? 'slow' : 'good', now);
  }

  /** An event or a request failed: it counts for routing, and not against the connection. */
  failed(now: number): void {
    this.failedTotal += 1;
    this.#cost = afterFailure(this.#cost);
    this.#note('failed', now);
  }

  /** The relay broke the protocol, which counts against the connection as well. */
  faulted(now: number): void {
    this.#listener.failed(this.takeSuccesses());
    this.failed(now);
  }

  /** A degraded relay was asked how it is; its answer counts like a call's, or as a failure when there is none. */
  checked(latencyMs: number | undefined, now: number): void {
    if (this.#degradedAt === undefined) return;
    if (latencyMs === undefined) return this.#note('failed', now);
    // Perhaps nothing else is sent there now that could show that its answers have become steady.
    this.#roundTrip = afterSample(this.#roundTrip, latencyMs);
    this.#note(this.#isSlow(latencyMs) ? 'slow' : 'good', now);
  }

  /** The relay wants to be asked less often. */
  paced(now: number): void {
    this.#pacedAt = now;
    this.#judge(now);
  }

  /** So many bytes wait to leave. */
  buffered(bytes: number, now: number): void {
    if (bytes <= DEGRADED.congestedBytes) this.#congestedSince = undefined;
    else {
      this.#congestedSince ??= now;
      this.#judge(now);
    }
  }

  /** The chart says that the connection is degraded, for a reason of its own: from now on it is watched. */
  watch(now: number): void {
    if (this.#degradedAt === undefined) this.#degrade(now);
  }

  /** The times of the successes since the last failure, as many as the breaker can use; they are told once. */
  takeSuccesses(): readonly number[] {
    const successesAt = this.#lastSuccesses();
    this.#successesAt = [];
    return successesAt;
  }

  /** Share of calls that succeeded, from 0 to 1; nothing before the first. */
  get successRate(): number | undefined {
    const total = this.succeededTotal + this.failedTotal;
    return total === 0 ? undefined : this.succeededTotal / total;
  }

  #measure(latencyMs: number, now: number): void {
    this.latency.add(latencyMs);
    this.#cost = afterCost(this.#cost, latencyMs, now);
    this.#roundTrip = afterSample(this.#roundTripIsPing ? NO_ROUND_TRIP : this.#roundTrip, latencyMs);
    this.#roundTripIsPing = false;
  }

  // The median is only asked for where it can matter.
  #isSlow(latencyMs: number | undefined): boolean {
    if (latencyMs === undefined || latencyMs <= DEGRADED.slowMsMin) return false;
    return latencyMs > slowMs(this.latency.percentileMs(0.5) ?? latencyMs);
  }

  #lastSuccesses(): number[] {
    return this.#successesAt.slice(-BREAKER_WINDOW_CALLS);
  }

  #note(call: Call, now: number): void {
    this.#recent.push(call);
    if (this.#recent.length > DEGRADED.calls) this.#recent.shift();
    if (this.#degradedAt !== undefined || call !== 'good') this.#judge(now);
  }

  #judge(now: number): void {
    const quality = this.#quality(now);
    if (this.#degradedAt === undefined) {
      const reasons = reasonsToDegrade(quality);
      if (reasons.length === 0) return;
      this.#degrade(now);
      this.#listener.degraded(reasons);
      return;
    }
    this.#wellSince = isWell(quality) ? (this.#wellSince ?? now) : undefined;
    if (this.#wellSince === undefined || now - this.#degradedAt < DEGRADED.dwellMs) return;
    if (now - this.#wellSince < exitHoldMs(this.#flaps, now)) return;
    this.#degradedAt = undefined;
    this.#listener.recovered();
  }

  #degrade(now: number): void {
    this.#degradedAt = now;
    this.#wellSince = undefined;
    this.#recent = [];
    this.#flaps = afterFlap(this.#flaps, now);
  }

  #quality(now: number): CallQuality {
    let slow = 0;
    let failed = 0;
    for (const call of this.#recent) {
      if (call === 'slow') slow += 1;
      else if (call === 'failed') failed += 1;
    }
    return {
      calls: this.#recent.length,
      slow,
      failed,
      paced: now - this.#pacedAt < DEGRADED.pacedMs,
      congested: this.#congestedSince !== undefined && now - this.#congestedSince >= DEGRADED.congestedMs,
      erratic: isErratic(this.#roundTrip),
    };
  }
}
