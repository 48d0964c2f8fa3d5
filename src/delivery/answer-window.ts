import { WINDOW } from '../../machines/policy/limits.ts';
import { queuedAt, windowAfter, windowAfterLoss } from '../../machines/policy/window.ts';

/** How many messages may wait for their answers on one connection; looked at once in a round trip. */
export class AnswerWindow {
  readonly #sizeMax: number;
  #size: number;
  #isStarting = true;
  /** The answers of this round trip. */
  #since: number;
  #sumMs = 0;
  #answers = 0;
  #inFlightMax = 0;
  /** Fewest milliseconds of an answer, in this span and the one before. */
  #leastMs = Number.POSITIVE_INFINITY;
  #leastMsBefore = Number.POSITIVE_INFINITY;
  #leastSince: number;
  #lostAt = Number.NEGATIVE_INFINITY;

  constructor(sizeMax: number, now: number) {
    this.#sizeMax = sizeMax;
    this.#size = Math.min(WINDOW.initial, sizeMax);
    this.#since = now;
    this.#leastSince = now;
  }

  get size(): number {
    return this.#size;
  }

  /** An answer came after so long, while so many were in flight. */
  answered(latencyMs: number, inFlight: number, now: number): void {
    if (now - this.#leastSince >= WINDOW.leastMs) {
      this.#leastMsBefore = this.#leastMs;
      this.#leastMs = Number.POSITIVE_INFINITY;
      this.#leastSince = now;
    }
    this.#leastMs = Math.min(this.#leastMs, latencyMs);
    this.#sumMs += latencyMs;
    this.#answers += 1;
    this.#inFlightMax = Math.max(this.#inFlightMax, inFlight);
    const meanMs = this.#sumMs / this.#answers;
    if (now - this.#since < meanMs) return;
    const leastMs = Math.min(this.#leastMs, this.#leastMsBefore);
    if (queuedAt(this.#size, meanMs, leastMs) >= WINDOW.queuedMin) this.#isStarting = false;
    const seen = { meanMs, leastMs, inFlightMax: this.#inFlightMax, isStarting: this.#isStarting };
    this.#size = windowAfter(this.#size, seen, this.#sizeMax);
    this.#since = now;
    this.#sumMs = 0;
    this.#answers = 0;
    this.#inFlightMax = 0;
  }

  /** An answer never came, or the relay asked for rest. What was lost together counts once. */
  lost(roundTripMs: number, now: number): void {
    if (now - this.#lostAt < roundTripMs) return;
    this.#lostAt = now;
    this.#isStarting = false;
    this.#size = windowAfterLoss(this.#size);
  }
}
