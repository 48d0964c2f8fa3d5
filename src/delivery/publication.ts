import { type DeliveryRecord, deliveryTable } from '../../machines/delivery/delivery.table.ts';
import type { Priority } from '../../machines/policy/priority.ts';
import type {
  FailureCause,
  Outcome,
  PublicationFact,
  PublicationStatus,
} from '../../machines/publication/publication.events.ts';
import { type PublicationRecord, publicationTable } from '../../machines/publication/publication.table.ts';
import type { Clock } from '../clock.ts';
import type { PreparedEvent, Version } from '../protocol/codec.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import type { Move } from './failovers.ts';
import type { Lane, LaneItem } from './lane.ts';
import type { Durability, Lease } from './outbox/outbox.ts';
import type { Moment, Receipt, Waiter } from './receipt.ts';
import type { Target } from './target.ts';
import { type WaitedFor, Waiters } from './waiters.ts';
import type { LaneSession } from './way.ts';

/** The way of deliveries to one relay. */
export type DeliveryLane = Lane<Delivery>;

/** One event on its way to one relay: the record that the chart steps, and where it belongs. */
export class Delivery implements LaneItem {
  readonly publication: Publication;
  readonly lane: DeliveryLane;
  readonly record: DeliveryRecord;
  /** Whether its lateness has cost trust. */
  isCharged = false;
  /** Nothing more is sent there: the relay left, or a newer version of the event goes there instead. */
  isAbandoned = false;
  /** The delay before a resend, while one runs. */
  resendTimer: unknown;
  sentOn: LaneSession | undefined;

  constructor(publication: Publication, lane: DeliveryLane, triesMax: number) {
    this.publication = publication;
    this.lane = lane;
    this.record = deliveryTable.create({ triesMax });
  }

  get frame(): string {
    return this.publication.frame;
  }

  get priority(): Priority {
    return this.publication.priority;
  }

  get acceptedAt(): number {
    return this.publication.acceptedAt;
  }

  get order(): string | undefined {
    return this.publication.version?.key;
  }

  get sentAt(): number {
    return this.record.context.sentAt;
  }

  /** How it went so far, or ended. Only what has not ended needs to know what time it is. */
  outcome(clock: Clock): Outcome {
    const { state, context } = this.record;
    const { acceptedAt } = this.publication;
    const agoMs = (): number => clock.now() - acceptedAt;
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
          : { status: 'unknown', atMs: agoMs() };
      case 'skipped':
        return { status: 'skipped', atMs: agoMs(), ...this.lane.whySkipped(clock.now()) };
      case 'unauthenticated':
        return { status: 'queued', atMs: agoMs() };
      default:
        return { status: state, atMs: agoMs() };
    }
  }
}

interface Versioned {
  readonly id: string;
  readonly version?: Version | undefined;
}

/** Whether one version of a replaceable event takes the place of another (NIP-01: among equals the smaller id). */
export function isNewer(one: Versioned, other: Versioned): boolean {
  if (!one.version || !other.version || one.id === other.id) return false;
  const [a, b] = [one.version.at, other.version.at];
  return a !== b ? a > b : one.id < other.id;
}

/** How much a publication matters, and what it survives. */
interface Standing {
  readonly priority: Priority;
  readonly isStored: boolean;
  readonly durability: Durability;
}

/** One event over all its deliveries: the record that the chart steps, and everybody who waits for it. */
export class Publication implements WaitedFor {
  readonly id: string;
  readonly frame: string;
  readonly acceptedAt: number;
  readonly record: PublicationRecord;
  readonly version?: Version;
  /** Whether an outbox keeps it, so that it is never given up for something else. */
  readonly isStored: boolean;
  durability: Durability;
  /** It waits for its outbox to have it; nothing is sent before. */
  isHeld = false;
  /** What its outbox handed out; nothing once that has been settled. */
  lease: Lease | undefined;
  /** What is held, or about to be confirmed, is wanted by nobody any more; and for how long what is held it is tried once it may be sent. */
  isUnwanted = false;
  expiresMs = 0;
  /** Its quorum has been reached, and its outbox is told before anybody else. */
  isSettling = false;
  priority: Priority;
  /** What goes to the same relay as others of the same key. */
  affinityKey: string | undefined;
  /** Relays that may be asked, and how many of them shall have the event. */
  candidates: readonly DeliveryLane[];
  copies: number;
  /** Copies beyond that, because an answer was late. */
  hedges = 0;
  /** Where it was moved to, until it is accepted. */
  move: Move | undefined;
  readonly deliveries = new Map<DeliveryLane, Delivery>();
  /** Callers who may still withdraw; and whether there is one who cannot, so that it is wanted for good. */
  owners: Set<Waiter> | undefined;
  isFirm = false;
  listeners: ((fact: PublicationFact) => void)[] | undefined;
  first: { readonly relay: string; readonly latencyMs: number } | undefined;
  confirmedAtMs: number | undefined;
  failureCause: FailureCause | undefined;
  /** Its deliveries are being closed; nothing new begins. */
  closing = false;
  /** Nothing more will be sent, and the last outcome is known. */
  completed = false;
  expiry: Deadline | undefined;
  /** Everybody who waits for a moment of it. */
  readonly waiters: Waiters;
  readonly #clock: Clock;
  /** Relays that a newer version goes to. */
  #superseded: Set<DeliveryLane> | undefined;
  /** Hosts that have accepted. It never forgets one: relays may leave and come back under the same name. */
  #acceptedHosts: readonly string[] = [];

  constructor(
    { id, frame, version }: PreparedEvent,
    target: Target<DeliveryLane>,
    { priority, isStored, durability }: Standing,
    { clock, deadlines }: { readonly clock: Clock; readonly deadlines: Deadlines },
  ) {
    this.isStored = isStored;
    this.durability = durability;
    this.id = id;
    this.frame = frame;
    if (version) this.version = version;
    this.priority = priority;
    this.#clock = clock;
    this.waiters = new Waiters(this, deadlines);
    this.acceptedAt = clock.now();
    this.candidates = target.lanes;
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

  /** Whether every candidate shall have it, so that there is nothing to choose. */
  get goesEverywhere(): boolean {
    return this.copies >= this.candidates.length;
  }

  /** Deliveries that may still bring it there. */
  get hopeful(): number {
    return this.#count(({ record, isAbandoned }) => record.state !== 'rejected' && !isAbandoned);
  }

  get acceptedCopies(): number {
    return this.#count(({ record }) => record.state === 'accepted');
  }

  /** Whether every relay that was asked has given its last word. */
  get isAnswered(): boolean {
    const answered = this.#count(
      ({ record, isAbandoned }) => record.state === 'accepted' || record.state === 'rejected' || isAbandoned,
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

  /** A newer version of it goes to these relays. */
  supersedeOn(lanes: readonly DeliveryLane[]): void {
    this.#superseded = new Set([...(this.#superseded ?? []), ...lanes]);
  }

  get isSuperseded(): boolean {
    return this.#superseded !== undefined;
  }

  isSupersededOn(lane: DeliveryLane): boolean {
    return this.#superseded?.has(lane) ?? false;
  }

  /** Whether a relay that serves has not answered in time. */
  get isOverdue(): boolean {
    return this.#count(({ record, lane }) => record.state === 'unknown' && lane.isServing) > 0;
  }

  /** Whether a candidate has not been asked. */
  get hasUntried(): boolean {
    return this.candidates.some((lane) => !this.deliveries.has(lane));
  }

  /** Whether what is promised is not enough: too few copies, or too few distinct hosts for the quorum. */
  get wantsMore(): boolean {
    const promising = [...this.deliveries.values()].filter(isPromising);
    if (promising.length < this.copies) return true;
    if (this.isConfirmed) return false;
    return new Set(promising.map(({ lane }) => lane.host)).size < this.record.context.quorum;
  }

  /** Counts an acceptance, and says how many distinct hosts have accepted by now. */
  countAcceptance({ host }: DeliveryLane): number {
    if (!this.#acceptedHosts.includes(host)) this.#acceptedHosts = [...this.#acceptedHosts, host];
    return this.acceptedHosts;
  }

  get acceptedHosts(): number {
    return this.#acceptedHosts.length;
  }

  /** When it was last sent to a relay; nothing where it never was. */
  sentAt(url: string): number | undefined {
    for (const [lane, { record }] of this.deliveries) {
      if (lane.url === url && record.context.tries > 0) return record.context.sentAt;
    }
    return undefined;
  }

  /** Distinct hosts among these relays that have not accepted and still may. */
  openHosts(lanes: readonly DeliveryLane[] = this.candidates): number {
    const open = new Set<string>();
    for (const lane of lanes) {
      const rejected = this.deliveries.get(lane)?.record.state === 'rejected';
      if (!rejected && !this.#acceptedHosts.includes(lane.host)) open.add(lane.host);
    }
    return open.size;
  }

  /** Whether so many distinct hosts may still come together if these relays are asked as well. */
  canReach(quorum: number, more: readonly DeliveryLane[]): boolean {
    return this.#acceptedHosts.length + this.openHosts([...this.candidates, ...more]) >= quorum;
  }

  /** More relays may be asked, or more of them shall have it. */
  widen(target: Target<DeliveryLane>): void {
    const added = target.lanes.filter((lane) => !this.candidates.includes(lane));
    this.candidates = [...this.candidates, ...added];
    this.copies = Math.max(this.copies, target.copies);
  }

  /** The relay leaves the pool. Whether it had been a candidate. */
  dropCandidate(lane: DeliveryLane): boolean {
    const left = this.candidates.filter((each) => each !== lane);
    const dropped = left.length < this.candidates.length;
    this.candidates = left;
    return dropped;
  }

  /** How it went so far at every relay that was asked, by URL. */
  outcomes(): Readonly<Record<string, Outcome>> {
    const outcomes: Record<string, Outcome> = {};
    for (const [lane, delivery] of this.deliveries) outcomes[lane.url] = delivery.outcome(this.#clock);
    return outcomes;
  }

  /** What is known now. `status` overrides its own for a caller who has withdrawn from a shared publication. */
  receipt(status: PublicationStatus = this.status): Receipt {
    return new PublicationReceipt(this, status, this.failureCause);
  }

  /** Tells a caller that what it asks for beyond the others is out of reach. */
  failFor(waiter: Waiter | undefined, quorum: number): void {
    waiter?.resolve(new PublicationReceipt(this, 'failed', 'rejected', quorum));
  }

  /** It was never begun: everybody hears that. */
  refuse(receipt: Receipt): void {
    for (const owner of this.owners ?? []) owner.letGo();
    this.waiters.refuse(receipt);
  }

  /** Whether what a caller waits for has happened, or cannot any more. */
  hasCome(moment: Moment): boolean {
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

/**
 * Whether a delivery has brought the event there, or is about to; the others have to be made up for. What is on its way to
 * a relay that has fallen silent may never arrive.
 */
function isPromising({ record, lane, isAbandoned }: Delivery): boolean {
  const { state } = record;
  return state === 'accepted' || (!isAbandoned && (state === 'sent' || state === 'queued') && lane.isServing);
}

class PublicationReceipt implements Receipt {
  readonly id: string;
  readonly status: PublicationStatus;
  readonly cause?: FailureCause;
  readonly durability: Durability;
  readonly quorum: number;
  readonly accepted: number;
  readonly first?: { readonly relay: string; readonly latencyMs: number };
  readonly confirmedMs?: number;
  readonly outcomes: Readonly<Record<string, Outcome>>;
  readonly #publication: Publication;

  constructor(
    publication: Publication,
    status: PublicationStatus,
    cause: FailureCause | undefined,
    quorum = publication.record.context.quorum,
  ) {
    const { first, confirmedAtMs } = publication;
    this.id = publication.id;
    this.status = status;
    this.durability = publication.durability;
    this.quorum = quorum;
    this.accepted = publication.record.context.accepted;
    this.outcomes = publication.outcomes();
    this.#publication = publication;
    if (cause !== undefined) this.cause = cause;
    if (first !== undefined) this.first = first;
    if (confirmedAtMs !== undefined) this.confirmedMs = confirmedAtMs - publication.acceptedAt;
  }

  confirmed(): Promise<Receipt> {
    return this.#publication.waiters.waitFor('quorum');
  }

  completed(): Promise<Receipt> {
    return this.#publication.waiters.waitFor('complete');
  }
}
