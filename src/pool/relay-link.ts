import type { CloseReport } from '../../machines/policy/close.ts';
import { successAfter, UNKNOWN_SUCCESS } from '../../machines/policy/dial.ts';
import type { ConnectionRecord, RelayHistory } from '../../machines/policy/history.ts';
import { CONNECTIONS_KEPT } from '../../machines/policy/limits.ts';
import type { HealthFact } from '../../machines/socket.ts';
import { Calls } from '../health/calls.ts';
import { Rate } from '../health/rate.ts';

/** A session as its relay's measurements see it. */
export interface LinkedSession {
  readonly generation: number;
  /** Reports to the relay's chart. */
  report(fact: HealthFact): void;
  /** Nothing is sent on it for now. */
  rest(): void;
  end(): void;
}

/** Malformed frames that together count as one failed call. */
const MALFORMED_PER_FAILURE = 3;

/** What is measured of one relay, over all its sessions. */
export class RelayLink {
  readonly url: string;
  readonly calls: Calls;
  /** The session that the relay is judged by, and those beside it by their numbers. */
  session: LinkedSession | undefined;
  readonly further = new Map<number, LinkedSession>();
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
  /** Estimated share of dials that succeed. */
  dialSuccess = UNKNOWN_SUCCESS;
  servesProbes: boolean | undefined;
  /** Bytes of a frame that the relay takes, as far as it has closed connections because of larger ones. */
  learnedFrameBytesMax = Number.POSITIVE_INFINITY;
  /** The last connections, the oldest first. */
  connections: readonly ConnectionRecord[] = [];
  #malformed = 0;

  constructor(url: string, answerTimeoutMsMax: () => number, history?: RelayHistory) {
    this.url = url;
    this.calls = new Calls(answerTimeoutMsMax, {
      failed: (successesAt) => this.#report((generation) => ({ type: 'operation.failed', generation, successesAt })),
      degraded: (reasons) => this.#report((generation) => ({ type: 'health.degraded', generation, reasons })),
      recovered: () => this.#report((generation) => ({ type: 'health.recovered', generation })),
    });
    if (!history) return;
    this.dials = history.dials;
    this.opens = history.opens;
    this.refusals = history.refusals;
    this.connections = history.connections;
    this.calls.resume(history);
  }

  /** How it has been so far, for whoever goes on with it after a restart. */
  get history(): RelayHistory {
    const { dials, opens, refusals, connections, calls } = this;
    const { succeededTotal: successes, failedTotal: failures, pingMs } = calls;
    return { dials, opens, refusals, successes, failures, ...(pingMs === undefined ? {} : { pingMs }), connections };
  }

  dialled(isFurther: boolean): void {
    this.dials += 1;
    if (!isFurther) this.calls.beginSession();
  }

  /** A connection is open. Returns what tells that it is not any more; with a report where it was closed and not let go of. */
  opened(now: number): (now: number, report?: CloseReport) => void {
    this.opens += 1;
    this.dialSuccess = successAfter(this.dialSuccess, true);
    let record: ConnectionRecord = { openedAtMs: now };
    this.connections = [...this.connections, record].slice(-CONNECTIONS_KEPT);
    return (closedAtMs, report) => {
      if (record.closedAtMs !== undefined) return;
      const why = report ? { code: report.code, reason: report.reason } : {};
      const closed = { ...record, closedAtMs, ...why };
      this.connections = this.connections.map((each) => (each === record ? closed : each));
      record = closed;
    };
  }

  refused(): void {
    this.refusals += 1;
  }

  /** A dial ended without a connection. */
  dialFailed(): void {
    this.dialSuccess = successAfter(this.dialSuccess, false);
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
    if (this.#malformed % MALFORMED_PER_FAILURE === 0) this.calls.faulted(now);
  }

  #report(fact: (generation: number) => HealthFact): void {
    this.session?.report(fact(this.session.generation));
  }
}
