import {
  type CallQuality,
  type DegradedReason,
  hasRecovered,
  reasonsToDegrade,
  slowMs,
} from '../../machines/policy/degraded.ts';
import { BREAKER_WINDOW_CALLS, DEGRADED } from '../../machines/policy/limits.ts';
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
  #successesAt: number[] = [];
  #recent: Call[] = [];
  #degradedAt: number | undefined;

  constructor(listener: CallListener) {
    this.#listener = listener;
  }

  /** A new session begins with a clean slate; totals and latencies stay. */
  beginSession(): void {
    this.#recent = [];
    this.#degradedAt = undefined;
  }

  /** `latencyMs` is left out where the answer does not measure the relay. */
  succeeded(latencyMs: number | undefined, now: number): void {
    this.succeededTotal += 1;
    if (latencyMs !== undefined) this.latency.add(latencyMs);
    this.#successesAt.push(now);
    if (this.#successesAt.length > 2 * BREAKER_WINDOW_CALLS) this.#successesAt = this.#lastSuccesses();
    this.#note(this.#isSlow(latencyMs) ? 'slow' : 'good', now);
  }

  failed(now: number): void {
    this.failedTotal += 1;
    this.#listener.failed(this.takeSuccesses());
    this.#note('failed', now);
  }

  /** A degraded relay was asked how it is; its answer counts like a call's, or as a failure when there is none. */
  checked(latencyMs: number | undefined, now: number): void {
    if (this.#degradedAt === undefined) return;
    if (latencyMs === undefined) this.#note('failed', now);
    else this.#note(this.#isSlow(latencyMs) ? 'slow' : 'good', now);
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
    if (this.#degradedAt !== undefined) {
      if (!hasRecovered(this.#quality(), now - this.#degradedAt)) return;
      this.#degradedAt = undefined;
      this.#listener.recovered();
    } else if (call !== 'good') {
      const reasons = reasonsToDegrade(this.#quality());
      if (reasons.length === 0) return;
      this.#degradedAt = now;
      this.#recent = [];
      this.#listener.degraded(reasons);
    }
  }

  #quality(): CallQuality {
    let slow = 0;
    let failed = 0;
    for (const call of this.#recent) {
      if (call === 'slow') slow += 1;
      else if (call === 'failed') failed += 1;
    }
    return { calls: this.#recent.length, slow, failed };
  }
}
