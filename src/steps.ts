/** One step of a record whose chart runs as data. */
export interface Step {
  readonly chart: 'publication' | 'delivery' | 'subscription' | 'auth' | 'circuit';
  /** The publication or subscription that it belongs to; for `auth`, the number of the signer; for `circuit`, the kind of operation. */
  readonly id: string;
  /** The relay that it is about, where it is about one. */
  readonly relay?: string;
  /** What the record was told; it knows this event in the state that it was in. */
  readonly event: { readonly type: string };
  /** Where it is now. */
  readonly state: string;
  readonly context: object;
}

/**
 * Where whoever steps records says so. Nobody listens by default, and then it costs one comparison: what is told is only
 * made for listeners.
 */
export class Steps {
  listener: ((step: Step) => void) | undefined;
}
