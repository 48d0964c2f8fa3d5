import type { CreatePoolOptions, NostrEvent, Pool } from '../../src/index.ts';
import type { RemoteRelay } from './remote-relay.ts';

/** How fast the pool that is tried reacts; limits are told in these. */
export interface Pace {
  readonly connectMs: number;
  readonly ackMs: number;
  readonly firstRetryMs: number;
  readonly openMs: number;
  readonly stableMs: number;
  /** How long a short and a long outage last. */
  readonly outageMs: { readonly short: number; readonly long: number };
  /** When a connection that says nothing is asked for a sign of life, and given up. */
  readonly heartbeatMs: number;
  readonly deadMs: number;
  /** What every limit allows for a machine that has other things to do. */
  readonly slackMs: number;
}

/** A pool that is tried, whoever wrote it. */
export interface Subject {
  /** Settles once a relay has accepted it, or none will: whether one has. */
  publish(event: NostrEvent): Promise<boolean>;
  /** Receives notes, stored and new, until the subject is closed. */
  subscribe(receive: (event: NostrEvent) => void): void;
  close(): Promise<void> | void;
}

export interface Adapter {
  readonly name: string;
  open(urls: readonly string[]): Promise<Subject> | Subject;
}

/** Where a scenario plays. */
export interface Stage {
  readonly pace: Pace;
  /** Three, each in its own process behind a proxy. */
  readonly relays: readonly [RemoteRelay, RemoteRelay, RemoteRelay];
  /** The pool that is tried, over these relays; all three unless told otherwise. It is closed at the end. */
  open(relays?: readonly RemoteRelay[]): Promise<Subject>;
  /** A pool of ours, for what other pools have no words for. */
  pool(relays?: readonly RemoteRelay[], options?: CreatePoolOptions): Pool;
  event(): NostrEvent;
  /** Waits until it holds; fails at the scenario's deadline, saying what was waited for. */
  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void>;
  /** Milliseconds that the work takes. */
  time(work: () => Promise<unknown>): Promise<number>;
  /** Fails the scenario unless it holds. */
  check(holds: boolean, what: string): void;
  /** Lets so much time pass: for what must not happen in it. */
  pass(ms: number): Promise<void>;
}

/** One thing that goes wrong. */
export interface Scenario {
  readonly name: string;
  /** What must be observed. */
  readonly observe: string;
  /** Milliseconds within which. */
  within(pace: Pace): number;
  /** Whether it makes sense for any pool, not only for ours. */
  readonly general?: true;
  /** Needs a network namespace of its own, where packets can be dropped. */
  readonly needs?: 'iptables';
  /** Answers the milliseconds that count, where those are not all that it takes. */
  run(stage: Stage): Promise<number | undefined>;
}
