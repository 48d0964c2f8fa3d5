/** Milliseconds over which a rate forgets. */
const SPAN_MS = 10_000;

/** Events per second as an average that fades over ten seconds. */
export class Rate {
  #weight = 0;
  #at = 0;

  add(amount: number, now: number): void {
    this.#weight = this.#faded(now) + amount;
    this.#at = now;
  }

  perSecond(now: number): number {
    return (this.#faded(now) * 1_000) / SPAN_MS;
  }

  #faded(now: number): number {
    return this.#weight === 0 ? 0 : this.#weight * Math.exp(-Math.max(0, now - this.#at) / SPAN_MS);
  }
}
