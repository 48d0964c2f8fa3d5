/**
 * Tells whether events are genuine: that their id is the hash of their content, and that their author has signed it. What
 * it gets is frozen. It may answer at once or later, in its own thread or elsewhere; one that throws or does not answer loses
 * nothing, for what it was given is asked for again.
 */
export interface Verifier {
  readonly name: string;
  /** Events that it is given at one time, at most. For what works in this thread, 1: between two, others have their turn. */
  readonly batchMax: number;
  /** Questions that may be open at one time. */
  readonly parallel: number;
  /** One verdict for each event, in their order. */
  verify(events: readonly unknown[]): readonly boolean[] | Promise<readonly boolean[]>;
  /** Ends whatever it has started. Only whoever made it calls that: several pools may share one. */
  close?(): void | Promise<void>;
}
