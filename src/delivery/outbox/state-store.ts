/** Keeps one text over restarts, beside what an outbox keeps. Both methods reject with a `RecloserError`. */
export interface StateStore {
  /** The text that was written last; nothing where none was. */
  readState(): Promise<string | undefined>;
  /** Settles when the text is as durable as the store can make it. */
  writeState(text: string): Promise<void>;
}
