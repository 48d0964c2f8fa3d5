import type { RelayStatus } from '../status.ts';

/** What is known of a relay that may be asked. */
export interface Candidate {
  readonly url: string;
  readonly status: RelayStatus;
  /** Expected milliseconds to success there, times what waits; less for a larger weight. */
  readonly costMs: number;
  /** Milliseconds that its answers take on average, or a ping where there was none; nothing before the first. */
  readonly latencyMs: number | undefined;
  /** Share of calls that succeeded lately, from 0 to 1. */
  readonly success: number;
  /** Messages that wait there. */
  readonly load: number;
  /** What the application gave it: how much more it may be asked than others, in which order, and where it is. */
  readonly weight: number;
  readonly priority: number;
  readonly region: string | undefined;
  /** Turns that it has had; a relay of twice the weight has had half a turn for each time that it was asked. */
  readonly turns: number;
}

/** What is to be sent, as far as the choice depends on it. */
export interface Request {
  /** The same key stays with the same relay, where the strategy keeps to that. */
  readonly key: string;
  readonly isUrgent: boolean;
  /** From 0, where weights are those that were given, to 1, where they are as good as the relay is. */
  readonly healthWeight: number;
  /** Relays that would be candidates as well, did they serve. */
  readonly absent: readonly Candidate[];
  /** Preferred regions, the best first. */
  readonly regions: readonly string[];
  /** At least 0 and below 1. */
  readonly random: () => number;
}

/** Chooses the relay to ask next. What it returns must be one of the candidates; nothing means any of them. */
export type Strategy = <Each extends Candidate>(candidates: readonly Each[], request: Request) => Each | undefined;
