import { percentile } from '../../machines/policy/percentile.ts';

/** Samples that the percentiles look at, and the weight of a new one in the average. */
const WINDOW = 128;
const WEIGHT = 1 / 8;

/** Latencies of one relay: a moving average (the smoothing of RFC 6298), and percentiles of the last 128. */
export class Latency {
  readonly #samples = new Float64Array(WINDOW);
  #count = 0;
  #averageMs = 0;

  add(latencyMs: number): void {
    this.#averageMs = this.#count === 0 ? latencyMs : this.#averageMs + WEIGHT * (latencyMs - this.#averageMs);
    this.#samples[this.#count % WINDOW] = latencyMs;
    this.#count += 1;
  }

  /** Samples so far. */
  get count(): number {
    return this.#count;
  }

  /** Nothing before the first sample. */
  get averageMs(): number | undefined {
    return this.#count === 0 ? undefined : this.#averageMs;
  }

  /** The smallest sample that a share of the window does not exceed; nothing before the first sample. */
  percentileMs(share: number): number | undefined {
    const size = Math.min(this.#count, WINDOW);
    if (size === 0) return undefined;
    return percentile(this.#samples.slice(0, size).sort(), share);
  }
}
