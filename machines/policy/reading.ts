/** What a chart knows of the world at a moment: the time, and one throw of the dice. */
export interface Reading {
  /** Milliseconds of the pool's clock, which never runs backwards. */
  readonly nowMs: number;
  /** At least 0 and below 1. */
  readonly random: number;
}

export const NO_READING: Reading = { nowMs: 0, random: 0 };
