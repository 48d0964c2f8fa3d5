/** Milliseconds in which nothing fades that anybody would notice. */
const TOGETHER_MS = 1;

/** Events per second as an average that fades over a span of milliseconds. */
export class Rate {
  readonly #spanMs: number;
  #weight = 0;
  #at = 0;

  constructor(spanMs = 10_000) {
    this.#spanMs = spanMs;
  }

  add(amount: number, now: number): void {
    // What comes together fades together.
    if (now - this.#at < TOGETHER_MS && now >= this.#at) {
      this.#weight += amount;
      return;
    }
    this.#weight = this.#faded(now) + amount;
    this.#at = now;
  }

  perSecond(now: number): number {
    return (this.#faded(now) * 1_000) / this.#spanMs;
  }

  #faded(now: number): number {
    return this.#weight === 0 ? 0 : this.#weight * Math.exp(-Math.max(0, now - this.#at) / this.#spanMs);
  }
}
