/** An event that we have. */
export interface KnownEvent {
  readonly id: string;
  /** Its own time, in milliseconds since the epoch. */
  readonly atMs: number;
}

/** Finds out, message by message, which events the other side has and we have not. */
export interface Reconciliation {
  /** What is said first. */
  readonly opening: string;
  /** Events that the other side has and we have not, as far as that is known. */
  readonly missing: ReadonlySet<string>;
  /** Takes an answer; what is said next, or nothing where all is known. Throws for what is no answer. */
  next(answer: string): string | undefined;
}

/** Set reconciliation, where the protocol has it: what is missing is found out by little more than its own size. */
export interface Reconciler {
  readonly name: string;
  /** Begins with all that we have of what is compared. */
  begin(known: readonly KnownEvent[]): Reconciliation;
}
