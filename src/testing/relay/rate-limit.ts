/** A token bucket: so many events a second, after a burst of as many. */
export class RateLimit {
  #tokens = Number.POSITIVE_INFINITY;
  #at = 0;

  /** Whether one more is within the limit at this time. */
  take(perSecond: number, nowMs: number): boolean {
    if (perSecond === Number.POSITIVE_INFINITY) {
      this.#tokens = perSecond;
      this.#at = nowMs;
      return true;
    }
    const refilled = this.#tokens + Math.max(0, nowMs - this.#at) * (perSecond / 1_000);
    this.#tokens = Math.min(Math.max(1, perSecond), refilled);
    this.#at = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
