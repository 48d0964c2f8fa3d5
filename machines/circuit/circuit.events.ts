/** Events of an outcome circuit. Times are milliseconds of the pool's clock. */
export type CircuitEvent =
  /** An operation succeeded. While the circuit is closed, successes come with the next failure instead. */
  | { readonly type: 'outcome.succeeded'; readonly at: number }
  /** An operation failed; with the times of the successes since the last such event. */
  | {
      readonly type: 'outcome.failed';
      readonly at: number;
      readonly random: number;
      readonly successesAt: readonly number[];
    }
  /** The wait of the open circuit is over. */
  | { readonly type: 'wait.ended'; readonly at: number }
  /** An operation needs this relay, and would be its trial. */
  | { readonly type: 'TRY'; readonly at: number };
