import type { HealthFact } from '../../machines/relay/relay.events.ts';
import { Calls } from '../health/calls.ts';
import { Rate } from '../health/rate.ts';

/** A session as its relay's measurements see it. */
export interface LinkedSession {
  readonly generation: number;
  /** Reports to the relay's chart. */
  report(fact: HealthFact): void;
  /** Its trial is over. */
  passTrial(): void;
  end(): void;
}

/** Malformed frames that together count as one failed call. */
const MALFORMED_PER_FAILURE = 3;

/** What is measured of one relay, over all its sessions. */
export class RelayLink {
  readonly url: string;
  readonly calls: Calls;
  session: LinkedSession | undefined;
  dials = 0;
  opens = 0;
  refusals = 0;
  sentMessages = 0;
  sentBytes = 0;
  receivedMessages = 0;
  receivedBytes = 0;
  readonly sendRate = new Rate();
  readonly receiveRate = new Rate();
  readonly byteRate = new Rate();
  /** What the relay did against the protocol, counted by kind. The kinds are a fixed set. */
  readonly faults = new Map<string, number>();
  /** What the relay said last to people, made safe to show. */
  lastNotice: string | undefined;
  #malformed = 0;

  constructor(url: string, answerTimeoutMsMax: number) {
    this.url = url;
    this.calls = new Calls(answerTimeoutMsMax, {
      failed: (successesAt) => this.#report((generation) => ({ type: 'operation.failed', generation, successesAt })),
      degraded: (reasons) => this.#report((generation) => ({ type: 'health.degraded', generation, reasons })),
      recovered: () => this.#report((generation) => ({ type: 'health.recovered', generation })),
    });
  }

  dialled(): void {
    this.dials += 1;
    this.calls.beginSession();
  }

  opened(): void {
    this.opens += 1;
  }

  refused(): void {
    this.refusals += 1;
  }

  sent(bytes: number, now: number): void {
    this.sentMessages += 1;
    this.sentBytes += bytes;
    this.sendRate.add(1, now);
    this.byteRate.add(bytes, now);
  }

  received(bytes: number, now: number): void {
    this.receivedMessages += 1;
    this.receivedBytes += bytes;
    this.receiveRate.add(1, now);
    this.byteRate.add(bytes, now);
  }

  /** The relay said something that it should not have said. */
  fault(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  malformed(problem: string, now: number): void {
    this.fault(problem);
    this.#malformed += 1;
    if (this.#malformed % MALFORMED_PER_FAILURE === 0) this.calls.failed(now);
  }

  #report(fact: (generation: number) => HealthFact): void {
    this.session?.report(fact(this.session.generation));
  }
}
