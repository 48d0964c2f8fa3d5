import { Calls } from '../health/calls.ts';
import { Rate } from '../health/rate.ts';
import type { Session } from './session.ts';

/** Malformed frames that together count as one failed call. */
const MALFORMED_PER_FAILURE = 3;

/** What is measured of one relay, over all its sessions. */
export class RelayLink {
  readonly url: string;
  readonly calls: Calls;
  session: Session | undefined;
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

  constructor(url: string) {
    this.url = url;
    this.calls = new Calls({
      failed: (successesAt) => this.#report('operation.failed', { successesAt }),
      degraded: (reasons) => this.#report('health.degraded', { reasons }),
      recovered: () => this.#report('health.recovered', {}),
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

  #report(type: 'operation.failed', data: { successesAt: readonly number[] }): void;
  #report(type: 'health.degraded', data: { reasons: readonly ('slow' | 'failing')[] }): void;
  #report(type: 'health.recovered', data: object): void;
  #report(type: 'operation.failed' | 'health.degraded' | 'health.recovered', data: object): void {
    const { session } = this;
    if (session) session.report({ type, generation: session.generation, ...data } as never);
  }
}
