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
import { bytesIn } from '../frame.ts';
import type { PreparedEvent, Version } from '../protocol/codec.ts';
import type { Move } from './failovers.ts';
import type { Lane, LaneItem } from './lane.ts';
import type { Durability, Lease } from './outbox/outbox.ts';
import { PublishCall } from './publish-call.ts';
import type { Receipt } from './receipt.ts';
import type { Target } from './target.ts';
import type { WaitersDeps } from './waiters.ts';
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
  /** Its failure has been counted at the relay's write circuit; one event counts once. */
  hasFailed = false;
  /** The delay before a resend, while one runs. */
  resendTimer: unknown;
  sentOn: LaneSession | undefined;
  sendNumber = 0;
  overtaken = 0;

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

  get bytes(): number {
    return this.publication.bytes;
  }

  get isQuarantined(): boolean {
    return this.record.state === 'quarantined';
  }

  /** Outcome so far, or at the end. Only what has not ended reads the clock. */
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
        return { status: 'skipped', atMs: agoMs(), ...this.lane.whyNotServing(clock.now()) };
      case 'queued':
      case 'unauthenticated':
      case 'deferred': {
        const why = this.lane.isServing ? {} : this.lane.whyNotServing(clock.now());
        return { status: 'queued', atMs: agoMs(), ...why, ...(context.refusal ? { refusal: context.refusal } : {}) };
      }
      case 'sent':
        return { status: 'sent', atMs: agoMs() };
      case 'unknown':
      case 'quarantined':
      case 'given-up':
        return {
          status: 'unknown',
          atMs: agoMs(),
          ...(context.reason === undefined ? {} : { reason: context.reason }),
        };
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

/** A call of an application in this library's terms. */
export type Call = PublishCall<DeliveryLane>;

/** One event over all its deliveries: the record that the chart steps, and the calls that publish it. */
export class Publication {
  readonly id: string;
  readonly frame: string;
  readonly acceptedAt: number;
  readonly record: PublicationRecord;
  readonly version?: Version;
  /** True if an outbox keeps it, so that it is never given up for something else. */
  readonly isStored: boolean;
  durability: Durability;
  /** Waiting for its outbox to hand it out; nothing is sent before. */
  isHeld = false;
  /** Lease of its outbox; nothing once that has been settled. */
  lease: Lease | undefined;
  /** Cancelled while held or settling. */
  isUnwanted = false;
  /** Its quorums have been reached, and its outbox is told before anyone else. */
  isSettling = false;
  priority: Priority;
  /** Events of one key go to the same relay. */
  affinityKey: string | undefined;
  /** Calls that publish the event and have not ended alone. */
  calls: readonly Call[];
  /** True if there was ever more than one. */
  isShared = false;
  /** Copies beyond those asked for, because an answer was late. */
  hedges = 0;
  /** True if it was set aside at a relay, because it may be what kills connections. */
  isSuspect = false;
  /** Relays that it was moved to, until one accepts. */
  move: Move | undefined;
  readonly deliveries = new Map<DeliveryLane, Delivery>();
  listeners: ((fact: PublicationFact) => void)[] | undefined;
  first: { readonly relay: string; readonly latencyMs: number } | undefined;
  confirmedAtMs: number | undefined;
  failureCause: FailureCause | undefined;
  /** Its deliveries are being closed; nothing new begins. */
  closing = false;
  /** Nothing more will be sent, and the last outcome is known. */
  completed = false;
  readonly #clock: Clock;
  /** Union of the relays of several calls. */
  #union: readonly DeliveryLane[] | undefined;
  #bytes: number | undefined;
  /** Relays that a newer version goes to. */
  #superseded: Set<DeliveryLane> | undefined;
  /** Distinct hosts that have accepted. None is ever taken away: relays may leave and come back under the same name. */
  #hosts: readonly string[] = [];

  constructor(
    { id, frame, version }: PreparedEvent,
    target: Target<DeliveryLane>,
    { priority, isStored, durability }: Standing,
    deps: WaitersDeps & { readonly clock: Clock },
  ) {
    this.isStored = isStored;
    this.durability = durability;
    this.id = id;
    this.frame = frame;
    if (version) this.version = version;
    this.priority = priority;
    this.#clock = deps.clock;
    this.calls = [new PublishCall<DeliveryLane>(this, target, deps)];
    this.acceptedAt = this.calls[0]?.acceptedAt ?? 0;
    this.record = publicationTable.create({ quorum: target.quorum });
  }

  get status(): PublicationStatus {
    return this.record.state;
  }

  get isConfirmed(): boolean {
    return this.record.state === 'confirmed';
  }

  /** True if nothing may be sent any more. */
  get isOver(): boolean {
    return this.closing || this.record.state === 'failed' || this.record.state === 'cancelled';
  }

  /** Bytes of its frame, counted once somebody asks. */
  get bytes(): number {
    this.#bytes ??= bytesIn(this.frame);
    return this.#bytes;
  }

  /** Relays that may be asked. */
  get candidates(): readonly DeliveryLane[] {
    const [call] = this.calls;
    if (this.calls.length === 1 && call) return call.lanes;
    this.#union ??= [...new Set(this.calls.flatMap(({ lanes }) => lanes))];
    return this.#union;
  }

  /** Copies that the calls ask for together, at most. */
  get copies(): number {
    return Math.min(
      this.candidates.length,
      this.calls.reduce((sum, { copies }) => sum + copies, 0),
    );
  }

  /** True if every relay of every call shall have it, so that there is nothing to choose. */
  get goesEverywhere(): boolean {
    return this.calls.every((call) => call.goesEverywhere);
  }

  /** True if every relay that was asked has given its last word. */
  get isAnswered(): boolean {
    for (const { record, isAbandoned } of this.deliveries.values()) {
      const { state } = record;
      if (!isAbandoned && state !== 'accepted' && state !== 'rejected' && state !== 'given-up') return false;
    }
    return true;
  }

  /** True if something is on its way to a relay that can be reached, so that waiting a little longer makes sense. */
  get isMoving(): boolean {
    if (this.isHeld || this.isSettling) return true;
    for (const lane of this.candidates) {
      if (!lane.isReachable) continue;
      const state = this.deliveries.get(lane)?.record.state;
      if (state === 'queued' || state === 'sent' || state === 'quarantined') return true;
      if (!this.isConfirmed && state !== 'rejected' && state !== 'given-up') return true;
    }
    return false;
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

  /** True if a relay that serves has not answered in time. */
  get isOverdue(): boolean {
    for (const [lane, { record }] of this.deliveries) if (record.state === 'unknown' && lane.isServing) return true;
    return false;
  }

  /** True if some call has a relay that has not been asked. */
  get hasUntried(): boolean {
    return this.calls.some((call) => call.hasUntried);
  }

  get wantsMore(): boolean {
    return this.calls.some((call) => call.wantsMore);
  }

  /** True if the quorum of some call lacks this relay. */
  needs(lane: DeliveryLane): boolean {
    return !this.isOver && !this.isHeld && this.calls.some((call) => call.needs(lane));
  }

  /** True if some call asks this relay. */
  isFor(lane: DeliveryLane): boolean {
    return this.calls.some(({ lanes }) => lanes.includes(lane));
  }

  /** Counts an acceptance for every call that asks the relay. */
  countAcceptance({ host, url }: DeliveryLane, answeredAt: number): void {
    if (!this.#hosts.includes(host)) this.#hosts = [...this.#hosts, host];
    this.first ??= { relay: url, latencyMs: answeredAt - this.acceptedAt };
  }

  /** Distinct hosts that have accepted. */
  get hosts(): readonly string[] {
    return this.#hosts;
  }

  get acceptedHosts(): number {
    return this.#hosts.length;
  }

  /** Acceptances that are missing until every call has its quorum, for the call that lacks most. */
  get missing(): number {
    return this.calls.reduce((most, { quorum, accepted }) => Math.max(most, quorum - accepted), 0);
  }

  /** Calls that have their quorum or may still reach it. */
  get standing(): number {
    return this.calls.filter(({ isStanding }) => isStanding).length;
  }

  /** Time at which it was last sent to a relay; nothing if it never was. */
  sentAt(url: string): number | undefined {
    for (const [lane, { record }] of this.deliveries) {
      if (lane.url === url && record.context.tries > 0) return record.context.sentAt;
    }
    return undefined;
  }

  /** Another call publishes the same event. */
  join(target: Target<DeliveryLane>, deps: WaitersDeps & { readonly clock: Clock }): Call {
    const call = new PublishCall<DeliveryLane>(this, target, deps);
    this.#union = undefined;
    this.isShared = true;
    this.calls = [...this.calls, call];
    return call;
  }

  /** A call ends alone. */
  leave(call: Call): void {
    this.#union = undefined;
    this.calls = this.calls.filter((each) => each !== call);
  }

  /** The relay leaves the pool, or a newer version goes there. Returns true if some call had asked it. */
  dropCandidate(lane: DeliveryLane): boolean {
    this.#union = undefined;
    return this.calls.map((call) => call.drop(lane)).includes(true);
  }

  /** Outcomes so far at every relay that was asked, by URL. */
  outcomes(): Readonly<Record<string, Outcome>> {
    const outcomes: Record<string, Outcome> = {};
    for (const [lane, delivery] of this.deliveries) outcomes[lane.url] = delivery.outcome(this.#clock);
    return outcomes;
  }

  /** It was never begun: this is everyone's receipt. */
  refuse(receipt: Receipt): void {
    for (const call of this.calls) {
      call.release?.();
      call.waiters.refuse(receipt);
    }
  }

  /** Settles everyone whose moment has come. */
  settle(): void {
    for (const call of this.calls) call.waiters.settle();
  }
}
