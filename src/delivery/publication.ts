import { type DeliveryRecord, deliveryTable } from '../../machines/delivery/delivery.table.ts';
import type {
  FailureCause,
  Outcome,
  PublicationFact,
  PublicationStatus,
} from '../../machines/publication/publication.events.ts';
import { type PublicationRecord, publicationTable } from '../../machines/publication/publication.table.ts';
import type { Clock } from '../clock.ts';
import type { PreparedEvent } from '../protocol/codec.ts';
import type { Lane, LaneItem } from './lane.ts';
import { type Moment, type Receipt, Waiter } from './receipt.ts';
import type { Target } from './target.ts';

/** The way of deliveries to one relay. */
export type DeliveryLane = Lane<Delivery>;

/** One event on its way to one relay: the record that the chart steps, and where it belongs. */
export class Delivery implements LaneItem {
  readonly publication: Publication;
  readonly lane: DeliveryLane;
  readonly record: DeliveryRecord;
  /** The delay before a resend, while one runs. */
  resendTimer: unknown;

  constructor(publication: Publication, lane: DeliveryLane, triesMax: number) {
    this.publication = publication;
    this.lane = lane;
    this.record = deliveryTable.create({ triesMax });
  }

  get frame(): string {
    return this.publication.frame;
  }

  get sentAt(): number {
    return this.record.context.sentAt;
  }

  /** How it went so far, or ended. */
  outcome(now: number): Outcome {
    const { state, context } = this.record;
    const { acceptedAt } = this.publication;
    switch (state) {
      case 'accepted':
        return {
          status: 'accepted',
          atMs: context.answeredAt - acceptedAt,
          latencyMs: context.answeredAt - context.sentAt,
          duplicate: context.duplicate,
        };
      case 'rejected':
        return context.refusal
          ? { status: 'rejected', atMs: context.answeredAt - acceptedAt, refusal: context.refusal }
          : { status: 'unknown', atMs: now - acceptedAt };
      case 'skipped':
        return { status: 'skipped', atMs: now - acceptedAt, ...this.lane.whySkipped(now) };
      default:
        return { status: state, atMs: now - acceptedAt };
    }
  }
}

/** One of the hosts that may confirm: URLs of it that may still accept, and whether one has. */
interface HostVote {
  open: number;
  accepted: boolean;
}

/** One event over all its deliveries: the record that the chart steps, and everybody who waits for it. */
export class Publication {
  readonly id: string;
  readonly frame: string;
  readonly acceptedAt: number;
  readonly record: PublicationRecord;
  /** Relays that may be asked, and how many of them shall have the event. */
  readonly candidates: Set<DeliveryLane>;
  copies: number;
  readonly deliveries = new Map<DeliveryLane, Delivery>();
  /** Callers who may still withdraw; one who cannot keeps it for good. */
  readonly owners = new Set<Waiter>();
  kept = false;
  readonly listeners = new Set<(fact: PublicationFact) => void>();
  first: { readonly relay: string; readonly latencyMs: number } | undefined;
  confirmedAtMs: number | undefined;
  failureCause: FailureCause | undefined;
  /** Its deliveries are being closed; nothing new begins. */
  closing = false;
  /** Nothing more will be sent, and the last outcome is known. */
  completed = false;
  expiresAt = 0;
  expiryTimer: unknown;
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();
  readonly #votes = new Map<string, HostVote>();

  constructor(event: PreparedEvent, target: Target<DeliveryLane>, clock: Clock) {
    this.id = event.id;
    this.frame = event.frame;
    this.#clock = clock;
    this.acceptedAt = clock.now();
    this.candidates = new Set(target.lanes);
    this.copies = target.copies;
    this.record = publicationTable.create({ quorum: target.quorum, hosts: target.hosts });
  }

  get status(): PublicationStatus {
    return this.record.state;
  }

  get isConfirmed(): boolean {
    return this.record.state === 'confirmed';
  }

  /** Whether nothing may be sent any more. */
  get isOver(): boolean {
    return this.closing || this.record.state === 'failed' || this.record.state === 'cancelled';
  }

  /** Deliveries that have brought the event there, or are about to; the others have to be made up for. */
  get promising(): number {
    return this.#count(({ record, lane }) => {
      const { state } = record;
      return state === 'accepted' || state === 'sent' || (state === 'queued' && lane.isServing);
    });
  }

  /** Deliveries that may still bring it there. */
  get hopeful(): number {
    return this.#count(({ record, lane }) => record.state !== 'rejected' && !lane.closed);
  }

  get acceptedCopies(): number {
    return this.#count(({ record }) => record.state === 'accepted');
  }

  /** Whether every relay that was asked has given its last word. */
  get isAnswered(): boolean {
    const answered = this.#count(
      ({ record, lane }) => record.state === 'accepted' || record.state === 'rejected' || lane.closed,
    );
    return answered === this.deliveries.size;
  }

  /** Whether something is on its way, so that waiting a little longer makes sense. */
  get isMoving(): boolean {
    if (!this.isConfirmed) return true;
    return (
      this.#count(({ record, lane }) => lane.isServing && (record.state === 'sent' || record.state === 'queued')) > 0
    );
  }

  voteOf(lane: DeliveryLane): HostVote {
    let vote = this.#votes.get(lane.host);
    if (!vote) {
      vote = { open: 0, accepted: false };
      for (const candidate of this.candidates) if (candidate.host === lane.host) vote.open += 1;
      this.#votes.set(lane.host, vote);
    }
    return vote;
  }

  /** More relays may be asked, or more of them shall have it. */
  widen(target: Target<DeliveryLane>): void {
    for (const lane of target.lanes) {
      if (this.candidates.has(lane)) continue;
      const vote = this.#votes.get(lane.host);
      this.candidates.add(lane);
      if (vote) vote.open += 1;
    }
    this.copies = Math.max(this.copies, target.copies);
  }

  /** How it went so far at every relay that was asked, by URL. */
  outcomes(): Readonly<Record<string, Outcome>> {
    const now = this.#clock.now();
    const outcomes: Record<string, Outcome> = {};
    for (const [lane, delivery] of this.deliveries) outcomes[lane.url] = delivery.outcome(now);
    return Object.freeze(outcomes);
  }

  /** What is known now. `status` overrides its own for a caller who has withdrawn from a shared publication. */
  receipt(status: PublicationStatus = this.status): Receipt {
    const { id, first, confirmedAtMs, failureCause, record } = this;
    return Object.freeze({
      id,
      status,
      ...(failureCause === undefined ? {} : { cause: failureCause }),
      quorum: record.context.quorum,
      accepted: record.context.accepted,
      ...(first === undefined ? {} : { first }),
      ...(confirmedAtMs === undefined ? {} : { confirmedMs: confirmedAtMs - this.acceptedAt }),
      outcomes: this.outcomes(),
      confirmed: () => this.waitFor('quorum'),
      completed: () => this.waitFor('complete'),
    });
  }

  /** Settles the waiter when its moment comes, or with what is known when its time is up. */
  addWaiter(waiter: Waiter, timeoutMs?: number): void {
    if (this.#hasCome(waiter.until)) return waiter.resolve(this.receipt());
    this.#waiters.add(waiter);
    if (timeoutMs !== undefined) waiter.timer = this.#clock.setTimeout(() => this.#settle(waiter), timeoutMs);
  }

  waitFor(moment: Moment): Promise<Receipt> {
    const waiter = new Waiter(moment);
    this.addWaiter(waiter);
    return waiter.promise;
  }

  /** One caller withdraws; the others do not notice. */
  withdraw(waiter: Waiter): void {
    if (!this.#waiters.delete(waiter)) return;
    this.#clock.clearTimeout(waiter.timer);
    waiter.resolve(this.receipt('cancelled'));
  }

  /** Tells everybody whose moment has come. */
  settleWaiters(): void {
    for (const waiter of this.#waiters) if (this.#hasCome(waiter.until)) this.#settle(waiter);
  }

  #settle(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    this.#clock.clearTimeout(waiter.timer);
    waiter.resolve(this.receipt());
  }

  #hasCome(moment: Moment): boolean {
    if (this.isOver) return this.completed || moment !== 'complete';
    if (moment === 'first') return this.first !== undefined;
    return moment === 'quorum' && this.isConfirmed;
  }

  #count(test: (delivery: Delivery) => boolean): number {
    let count = 0;
    for (const delivery of this.deliveries.values()) if (test(delivery)) count += 1;
    return count;
  }
}
