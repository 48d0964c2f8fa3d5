/** Whoever works on one thing at a time, in the order in which they come. */
export class Desk {
  #freeAt = Number.NEGATIVE_INFINITY;

  /** Milliseconds until something that comes now and takes so long is done. */
  doneInMs(takesMs: number, now: number): number {
    this.#freeAt = Math.max(this.#freeAt, now) + takesMs;
    return this.#freeAt - now;
  }
}
