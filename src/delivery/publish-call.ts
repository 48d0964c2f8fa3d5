import type { DeliveryState } from '../../machines/delivery/delivery.table.ts';
import type {
  FailureCause,
  Outcome,
  PublicationFact,
  PublicationStatus,
} from '../../machines/publication/publication.events.ts';
import type { Clock } from '../clock.ts';
import type { Deadline } from './deadlines.ts';
import type { Durability } from './outbox/outbox.ts';
import type { Moment, Receipt, WaitOptions } from './receipt.ts';
import type { Target } from './target.ts';
import { type WaitedFor, Waiters, type WaitersDeps } from './waiters.ts';

/** A relay that a call asks, as far as the call is concerned. */
interface CalledLane {
  readonly url: string;
  readonly host: string;
  readonly frameBytesMax: number;
  readonly isServing: boolean;
  /** True if it is connected, or a dial is under way. */
  readonly isReachable: boolean;
}

/** A delivery that a call depends on. */
interface CalledDelivery {
  readonly record: { readonly state: DeliveryState };
  readonly isAbandoned: boolean;
  outcome(clock: Clock): Outcome;
}

/** The publication that a call shares with others of the same event. */
export interface CalledPublication<Lane extends CalledLane> {
  readonly id: string;
  readonly status: PublicationStatus;
  readonly durability: Durability;
  readonly failureCause: FailureCause | undefined;
  readonly deliveries: ReadonlyMap<Lane, CalledDelivery>;
  /** True if another call has ever published the same event meanwhile. */
  readonly isShared: boolean;
  /** Distinct hosts that have accepted. */
  readonly hosts: readonly string[];
  /** True if nothing may be sent any more; then, if the last outcome is known. */
  readonly isOver: boolean;
  readonly completed: boolean;
  /** True while its outbox has not handed it out, or forgets it before anybody hears of the quorum. */
  readonly isHeld: boolean;
  readonly isSettling: boolean;
}

/** One call of `publish`: the relays, copies and quorum that its caller asked for, and everyone who waits for its moments. */
export class PublishCall<Lane extends CalledLane = CalledLane> implements WaitedFor {
  /** Relays that may be asked. Those that leave the pool are dropped. */
  lanes: readonly Lane[];
  readonly copies: number;
  readonly quorum: number;
  readonly acceptedAt: number;
  readonly waiters: Waiters;
  /** The first relay of this call that accepted, and the time of its quorum. */
  first: { readonly relay: string; readonly latencyMs: number } | undefined;
  confirmedAtMs: number | undefined;
  expiry: Deadline | undefined;
  /** Milliseconds for which it is tried, from when it may be sent. */
  expiresMs = 0;
  /** Receives the facts of the publication on behalf of this call. */
  listener: ((fact: PublicationFact) => void) | undefined;
  /** Takes the callback of its caller's signal away. */
  release: (() => void) | undefined;

  readonly #publication: CalledPublication<Lane>;
  readonly #clock: Clock;
  /** All relays that it was made for, and their hosts; as sets only once another call shares the publication. */
  readonly #asked: readonly Lane[];
  #askedSet: ReadonlySet<Lane> | undefined;
  #hostSet: ReadonlySet<string> | undefined;
  #end: { readonly status: PublicationStatus; readonly cause: FailureCause | undefined } | undefined;

  constructor(
    publication: CalledPublication<Lane>,
    target: Target<Lane>,
    { clock, ...deps }: WaitersDeps & { readonly clock: Clock },
  ) {
    this.#publication = publication;
    this.#clock = clock;
    this.lanes = target.lanes;
    this.copies = target.copies;
    this.quorum = target.quorum;
    this.acceptedAt = clock.now();
    this.waiters = new Waiters(this, deps);
    this.#asked = target.lanes;
  }

  /** Distinct hosts that have accepted, of those that it asks. */
  get accepted(): number {
    const { hosts } = this.#publication;
    return this.#isAlone ? hosts.length : hosts.filter((host) => this.#asksHost(host)).length;
  }

  get hasQuorum(): boolean {
    return this.accepted >= this.quorum;
  }

  get isConfirmed(): boolean {
    const { status, isSettling } = this.#publication;
    if (status === 'confirmed' || this.#isAlone) return status === 'confirmed' && this.hasQuorum;
    return this.hasQuorum && !isSettling;
  }

  /** True if its quorum has been reached or still may be. */
  get isStanding(): boolean {
    return this.accepted + this.openHosts >= this.quorum;
  }

  get goesEverywhere(): boolean {
    return this.copies >= this.lanes.length;
  }

  get hasUntried(): boolean {
    const { deliveries } = this.#publication;
    return this.lanes.some((lane) => !deliveries.has(lane));
  }

  /** True if what is promised is not enough: too few copies, or too few distinct hosts for the quorum. */
  get wantsMore(): boolean {
    let copies = 0;
    const hosts = new Set<string>();
    for (const [lane, delivery] of this.#publication.deliveries) {
      if (!this.covers(lane) || !isPromising(lane, delivery)) continue;
      copies += 1;
      hosts.add(lane.host);
    }
    if (copies < this.copies) return true;
    return !this.hasQuorum && hosts.size < this.quorum;
  }

  /** Deliveries that may still bring the event to a relay of this call. */
  get hopeful(): number {
    return this.#count(({ record, isAbandoned }) => !isHopeless(record.state) && !isAbandoned);
  }

  /** True if nothing more can come of it: it has its copies, or every relay has answered for good. */
  get isDone(): boolean {
    if (!this.hasQuorum) return false;
    if (this.#count(({ record }) => record.state === 'accepted') >= this.copies) return true;
    if (this.hasUntried) return false;
    return this.#count(({ record, isAbandoned }) => !isLastWord(record.state) && !isAbandoned) === 0;
  }

  /** Distinct hosts that have not accepted and still may. */
  get openHosts(): number {
    const { deliveries, hosts } = this.#publication;
    const open = new Set<string>();
    for (const lane of this.lanes) {
      const state = deliveries.get(lane)?.record.state;
      if (!isHopeless(state) && !hosts.includes(lane.host)) open.add(lane.host);
    }
    return open.size;
  }

  /** True if its quorum lacks this relay: those that serve and have not refused are not enough. */
  needs(lane: Lane): boolean {
    if (this.#end || this.hasQuorum || !this.lanes.includes(lane)) return false;
    const { deliveries, hosts } = this.#publication;
    const others = new Set(hosts.filter((host) => this.#isAlone || this.#asksHost(host)));
    for (const each of this.lanes) {
      if (each.isServing && !isHopeless(deliveries.get(each)?.record.state)) others.add(each.host);
    }
    return others.size < this.quorum;
  }

  /** True if the relay is one of those that this call asks, or was before it left. */
  covers(lane: Lane): boolean {
    if (this.#isAlone) return true;
    this.#askedSet ??= new Set(this.#asked);
    return this.#askedSet.has(lane);
  }

  /** The relay leaves the pool, or a newer version goes there. Returns true if the call had asked it. */
  drop(lane: Lane): boolean {
    const left = this.lanes.filter((each) => each !== lane);
    const isDropped = left.length < this.lanes.length;
    this.lanes = left;
    return isDropped;
  }

  /** Ends this call alone, while others of the same event go on. */
  end(status: 'confirmed' | 'failed' | 'cancelled', cause?: FailureCause): void {
    this.#end = { status, cause: status === 'failed' ? cause : undefined };
    this.release?.();
    this.waiters.settle();
  }

  get status(): PublicationStatus {
    if (this.#end) return this.#end.status;
    const { status } = this.#publication;
    if (this.#isAlone) return status;
    if (this.isConfirmed) return 'confirmed';
    if (status === 'failed' || status === 'cancelled') return this.hasQuorum ? 'confirmed' : status;
    return this.accepted > 0 ? 'partly-confirmed' : 'pending';
  }

  /** Why it failed; nothing if it has not. */
  get cause(): FailureCause | undefined {
    if (this.#end) return this.#end.cause;
    return this.status === 'confirmed' ? undefined : this.#publication.failureCause;
  }

  hasCome(moment: Moment): boolean {
    const { isOver, completed } = this.#publication;
    if (this.#end) return true;
    if (isOver) return completed || moment !== 'complete';
    switch (moment) {
      case 'first':
        return this.first !== undefined;
      case 'quorum':
        return this.isConfirmed;
      case 'answered':
        return this.#isAnswered;
      case 'complete':
        return !this.#isAlone && this.isConfirmed && this.isDone;
    }
  }

  receipt(status: PublicationStatus = this.status): Receipt {
    return new CallReceipt(this, this.#publication, status);
  }

  outcomes(): Readonly<Record<string, Outcome>> {
    const outcomes: Record<string, Outcome> = {};
    for (const [lane, delivery] of this.#publication.deliveries) {
      if (this.covers(lane)) outcomes[lane.url] = delivery.outcome(this.#clock);
    }
    return outcomes;
  }

  /** True if every relay that can be reached has answered, or has run out of time for it. */
  get #isAnswered(): boolean {
    const { deliveries, isHeld } = this.#publication;
    if (isHeld) return false;
    for (const lane of this.lanes) {
      const delivery = deliveries.get(lane);
      if (!lane.isReachable || delivery?.isAbandoned) continue;
      if (delivery ? isPending(delivery.record.state) : this.goesEverywhere) return false;
    }
    return true;
  }

  #asksHost(host: string): boolean {
    this.#hostSet ??= new Set(this.#asked.map((lane) => lane.host));
    return this.#hostSet.has(host);
  }

  get #isAlone(): boolean {
    return !this.#publication.isShared;
  }

  #count(test: (delivery: CalledDelivery) => boolean): number {
    let count = 0;
    for (const [lane, delivery] of this.#publication.deliveries) if (this.covers(lane) && test(delivery)) count += 1;
    return count;
  }
}

/** True if the relay will not accept the event any more. */
const isHopeless = (state: DeliveryState | undefined): boolean => state === 'rejected' || state === 'given-up';

/** True if the relay has given its last word. */
const isLastWord = (state: DeliveryState): boolean => state === 'accepted' || isHopeless(state);

const PENDING: ReadonlySet<DeliveryState> = new Set(['queued', 'sent', 'deferred', 'quarantined', 'unauthenticated']);
const isPending = (state: DeliveryState): boolean => PENDING.has(state);

/**
 * True if a delivery has brought the event to its relay, or is about to; the others have to be made up for. What is on its way
 * to a relay that has fallen silent may never arrive.
 */
const isPromising = (lane: CalledLane, { record, isAbandoned }: CalledDelivery): boolean =>
  record.state === 'accepted' ||
  (!isAbandoned && (record.state === 'sent' || record.state === 'queued') && lane.isServing);

/** The part of a call that its receipts show. */
type ReceiptSource = Pick<
  PublishCall,
  'cause' | 'first' | 'confirmedAtMs' | 'acceptedAt' | 'quorum' | 'accepted' | 'waiters' | 'outcomes'
>;

class CallReceipt implements Receipt {
  readonly id: string;
  readonly status: PublicationStatus;
  readonly cause?: FailureCause;
  readonly durability: Durability;
  readonly quorum: number;
  readonly accepted: number;
  readonly first?: { readonly relay: string; readonly latencyMs: number };
  readonly confirmedMs?: number;
  readonly outcomes: Readonly<Record<string, Outcome>>;
  readonly #waiters: Waiters;

  constructor(
    call: ReceiptSource,
    { id, durability }: Pick<CalledPublication<never>, 'id' | 'durability'>,
    status: PublicationStatus,
  ) {
    const { cause, first, confirmedAtMs, acceptedAt } = call;
    this.id = id;
    this.status = status;
    this.durability = durability;
    this.quorum = call.quorum;
    this.accepted = call.accepted;
    this.outcomes = call.outcomes();
    this.#waiters = call.waiters;
    if (cause !== undefined) this.cause = cause;
    if (first !== undefined) this.first = first;
    if (confirmedAtMs !== undefined) this.confirmedMs = confirmedAtMs - acceptedAt;
  }

  confirmed(options?: WaitOptions): Promise<Receipt> {
    return this.#waiters.waitFor('quorum', options);
  }

  answered(options?: WaitOptions): Promise<Receipt> {
    return this.#waiters.waitFor('answered', options);
  }

  completed(options?: WaitOptions): Promise<Receipt> {
    return this.#waiters.waitFor('complete', options);
  }
}
