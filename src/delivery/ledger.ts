import { readable } from '../../machines/policy/error.ts';
import { isMoreUrgent, type Priority } from '../../machines/policy/priority.ts';
import { isRelayFault } from '../../machines/policy/refusal.ts';
import { hostOf } from '../../machines/policy/relay-url.ts';
import type { BalanceSettings, PoolSettings, PublishSettings } from '../../machines/policy/settings.ts';
import type { PublishOptions } from '../../machines/pool/pool.events.ts';
import type { FailureCause, PublicationEvent, PublicationFact } from '../../machines/publication/publication.events.ts';
import type { PublicationEffect } from '../../machines/publication/publication.setup.ts';
import { publicationTable } from '../../machines/publication/publication.table.ts';
import type { Clock } from '../clock.ts';
import type { PreparedEvent } from '../protocol/codec.ts';
import { Capacity } from './capacity.ts';
import { Deadlines } from './deadlines.ts';
import { type Answer, Deliveries } from './deliveries.ts';
import { Dispatcher } from './dispatcher.ts';
import * as facts from './facts.ts';
import { type Failover, type FailoverStatistics, Failovers } from './failovers.ts';
import { Lane, type LaneBurden, type LaneOwner, type LaneStanding, type LaneState } from './lane.ts';
import { type AnswerTimes, isCoverable, Mover } from './mover.ts';
import type { Durability, Lease } from './outbox/outbox.ts';
import { type Delivery, type DeliveryLane, Publication } from './publication.ts';
import type { Receipt, Waiter } from './receipt.ts';
import { Selector } from './selector.ts';
import { resolveTarget, type Target } from './target.ts';
import { Versions } from './versions.ts';
import type { LaneSession } from './way.ts';

/** What the ledger needs from around it. */
export interface LedgerNeeds {
  readonly clock: Clock;
  readonly random: () => number;
  readonly balance: BalanceSettings;
  readonly clusters: PoolSettings['clusters'];
  /** The one spelling of a relay's URL; throws for what is none. */
  canonical(url: unknown): string;
  /** Whether anybody wants to know what happens to a publication; facts are only made for listeners. */
  hears(publication: Publication): boolean;
  /** Something happened to a publication. */
  report(publication: Publication, fact: PublicationFact): void;
  /** A relay answered; `latencyMs` is left out where it would not measure the relay. */
  answered(lane: DeliveryLane, latencyMs: number | undefined): void;
  /** A relay failed to answer, or said that it failed. */
  failed(lane: DeliveryLane): void;
  /** A relay wants to be asked less often. */
  paced(lane: DeliveryLane): void;
  answerTimes(url: string): AnswerTimes;
  costMs(url: string, burden: LaneBurden): number;
  measured(url: string): { readonly latencyMs: number | undefined; readonly success: number };
  /** Work was moved off a relay, and is stored elsewhere. */
  failedOver(failover: Failover): void;
  /** What accepted events survive. */
  readonly durability: Durability;
  /** A publication is over without its quorum, and its outbox still has it. */
  undelivered(publication: Publication, lease: Lease): void;
  /** Draining was asked for, and nothing is on its way any more. */
  emptied(): void;
}

/** One caller's request. */
export interface PublishRequest {
  readonly event: PreparedEvent;
  readonly options: PublishOptions;
  readonly waiter: Waiter | undefined;
  /** Milliseconds that the waiter waits, and that the pool keeps trying. */
  readonly timeoutMs: number;
  readonly expiresMs: number;
  readonly listener: ((fact: PublicationFact) => void) | undefined;
  /** Begins to keep the event in an outbox; nothing is sent before that has handed it out. */
  readonly keep?: () => void;
  /** What an outbox has handed out, from before a restart. */
  readonly lease?: Lease;
}

/**
 * The books of publishing: every publication that is open, and the lane to every relay. It steps the records by their
 * charts' tables and does what the charts say; what it decides itself is only who is asked.
 */
export class Ledger implements LaneOwner<Delivery> {
  readonly clock: Clock;
  readonly #needs: LedgerNeeds;
  readonly #settings: PublishSettings;
  readonly #lanes = new Map<string, DeliveryLane>();
  readonly #publications = new Map<string, Publication>();
  readonly #versions = new Versions();
  readonly #capacity: Capacity;
  readonly #deliveries: Deliveries;
  readonly #selector: Selector;
  readonly #dispatcher: Dispatcher;
  readonly #mover: Mover;
  readonly #failovers = new Failovers();
  readonly #deadlines: Deadlines;
  readonly #time: { readonly clock: Clock; readonly deadlines: Deadlines };
  /** The lanes as a list, made anew when one comes or goes. */
  #all: readonly DeliveryLane[] = [];
  #draining = false;
  #isMakingRoom = false;

  constructor(settings: PublishSettings, needs: LedgerNeeds) {
    this.#settings = settings;
    this.#needs = needs;
    this.clock = needs.clock;
    this.#capacity = new Capacity(settings);
    this.#deadlines = new Deadlines(needs.clock);
    this.#time = { clock: needs.clock, deadlines: this.#deadlines };
    this.#deliveries = new Deliveries({
      clock: needs.clock,
      random: needs.random,
      settings,
      accepted: (delivery) => this.#accepted(delivery),
      rejected: (delivery) => this.#rejected(delivery),
      // What was lost with its socket is moved with all that was; what is overdue costs trust.
      unanswered: ({ publication }) => {
        if (this.#mover.unanswered()) this.#dispatcher.topUp(publication);
        else this.#mover.defer(publication);
      },
      resent: ({ publication, record }) => {
        if (record.state !== 'unknown') return;
        if (this.#mover.mayRetry()) this.#dispatcher.topUp(publication);
        else this.#mover.defer(publication);
      },
      abandon: ({ publication, lane }) => this.#abandon(publication, [lane]),
    });
    const { clock, random, balance } = needs;
    this.#selector = new Selector({ clock, random, balance, lanes: () => this.#all });
    this.#dispatcher = new Dispatcher(settings.triesMax, this.#selector, (delivery, event) =>
      this.#deliveries.step(delivery, event),
    );
    this.#mover = new Mover({
      clock: needs.clock,
      dispatcher: this.#dispatcher,
      failovers: this.#failovers,
      failedOver: (failover) => needs.failedOver(failover),
      lanes: () => this.#all,
      answerTimes: (url) => needs.answerTimes(url),
      hedged: (delivery, to) => this.#report(delivery.publication, facts.hedged(delivery, to, this.clock.now())),
    });
  }

  /** Copies that were sent because an answer was late, and how much more such copies are trusted. */
  get hedges(): { readonly count: number; readonly trust: number } {
    return { count: this.#mover.hedges, trust: this.#mover.trust };
  }

  get failovers(): FailoverStatistics {
    return this.#failovers.statistics;
  }

  get windowMax(): number {
    return this.#settings.window;
  }

  get ackTimeoutMs(): number {
    return this.#settings.ackTimeoutMs;
  }

  /** Publications that are open, and those of them that have not reached their quorum. */
  get open(): number {
    return this.#publications.size;
  }

  get unconfirmed(): number {
    return this.#capacity.unconfirmed;
  }

  get queueBytes(): number {
    return this.#capacity.bytes;
  }

  /** The ways to all relays. */
  get lanes(): readonly DeliveryLane[] {
    return this.#all;
  }

  laneOf(url: string): DeliveryLane | undefined {
    return this.#lanes.get(url);
  }

  openLane(url: string): DeliveryLane {
    const known = this.#lanes.get(url);
    if (known) return known;
    const lane = new Lane<Delivery>(url, hostOf(url), this);
    this.#lanes.set(url, lane);
    this.#all = [...this.#lanes.values()];
    return lane;
  }

  /** What the application says of a relay has changed. */
  tuneLane(url: string, standing: LaneStanding): void {
    const lane = this.#lanes.get(url);
    if (lane) lane.standing = standing;
  }

  /** The relay is leaving: nothing more goes there, and what was under way is made up for elsewhere. */
  closeLane(url: string): void {
    const lane = this.#lanes.get(url);
    if (!lane) return;
    this.#lanes.delete(url);
    this.#all = [...this.#lanes.values()];
    lane.closed = true;
    lane.dispose();
    for (const publication of [...this.#publications.values()]) this.#abandon(publication, [lane]);
    lane.items.clear();
  }

  /** The relay's chart has changed its state. */
  updateLane(url: string, state: LaneState): void {
    const lane = this.#lanes.get(url);
    if (!lane) return;
    const served = lane.isServing;
    lane.state = state;
    if (!served && lane.isServing) this.#selector.joined(lane);
    if (lane.isComing) this.#dispatcher.resume(lane);
    else this.#dispatcher.suspend(lane);
    if (served && !lane.isServing) this.#mover.evacuate(lane, state.suspect ? 'silent' : 'unfit');
    if (!lane.isServing) return;
    this.#mover.topUpNeedy();
    lane.pump();
  }

  attach(url: string, session: LaneSession, isResting: boolean): void {
    this.#lanes.get(url)?.attach(session, isResting);
  }

  /** The session is gone. What it had not answered waits for another one, and may go elsewhere meanwhile. */
  detach(url: string, session: LaneSession): void {
    const lane = this.#lanes.get(url);
    if (!lane) return;
    const lost = lane.detach(session);
    this.#deliveries.lost(lane, lost);
    if (!lane.isServing) this.#mover.evacuate(lane, 'lost');
    this.#checkDrained();
  }

  /** Accepts an event, or joins the publication of it that is open. Throws for misuse; refuses nothing else. */
  publish(request: PublishRequest): void {
    const target = readable('relays', () =>
      resolveTarget(request.options, {
        all: this.#all,
        clusters: this.#needs.clusters,
        laneOf: (url) => this.#lanes.get(this.#needs.canonical(url)),
      }),
    );
    const known = this.#publications.get(request.event.id);
    const { waiter, listener } = request;
    if (known && !known.isOver && !known.canReach(target.quorum, target.lanes)) {
      // The others may still have what they asked for; this caller cannot.
      known.failFor(waiter, target.quorum);
      if (listener)
        listener({ type: 'publication.failed', id: known.id, cause: 'rejected', outcomes: known.outcomes() });
      return;
    }
    const { priority = 'normal' } = request.options;
    const publication =
      known && !known.isOver ? this.#widen(known, target, priority) : this.#begin(request, target, priority);
    // The end comes before whoever waits for as long, so that they hear how it ended.
    if (publication.isHeld) publication.expiresMs = Math.max(publication.expiresMs, request.expiresMs);
    else this.#expireAfter(publication, request.expiresMs);
    if (waiter) publication.addWaiter(waiter, request.timeoutMs);
    if (waiter?.signal) this.#own(publication, waiter);
    else publication.isFirm = true;
    if (listener) publication.listeners = [...(publication.listeners ?? []), listener];
    if (publication.isHeld) return;
    if (publication === known) this.#dispatcher.topUp(publication);
    else this.#start(publication);
  }

  /** What was held is kept by its outbox now, and may be sent. False where nothing waits for it. */
  release(lease: Lease): boolean {
    const publication = this.#publications.get(lease.id);
    if (!publication || publication.isOver) return false;
    if (publication.isHeld) {
      publication.lease = lease;
      this.#unhold(publication);
    } else if (publication.isConfirmed) void lease.settle();
    else publication.lease ??= lease;
    return true;
  }

  /** What was held could not be kept: nothing is sent. Whoever waits hears it from the receipt. */
  refuse(id: string, receipt: Receipt, fact: PublicationFact): void {
    const publication = this.#publications.get(id);
    if (!publication?.isHeld) return;
    this.#remove(publication);
    publication.refuse(receipt);
    this.#report(publication, () => fact);
    this.#checkDrained();
  }

  /**
   * Whether there is room for one more event. What is confirmed and only waits for the last relays makes room, the oldest
   * first; after that, what matters less.
   */
  makeRoomFor({ id, frame }: PreparedEvent, priority: Priority): boolean {
    const known = this.#publications.get(id);
    if (known && !known.isOver) return true;
    // Whoever hears that something was given up must not take the place that was made.
    if (this.#isMakingRoom) return false;
    const { trailing } = this.#capacity;
    while (this.#capacity.bytes + frame.length > this.#settings.queueBytesMax && trailing.size > 0) this.#endOldest();
    this.#isMakingRoom = true;
    try {
      while (!this.#capacity.fits(frame.length)) {
        const victim = this.#capacity.victimFor(priority, frame.length);
        if (!victim) return false;
        this.#expire(victim, 'evicted');
      }
      return true;
    } finally {
      this.#isMakingRoom = false;
    }
  }

  /** Whether a newer version of the event is being published. */
  isSuperseded(event: PreparedEvent): boolean {
    return this.#versions.isSuperseded(event);
  }

  /** A relay answered. False when it answers for something that it was not sent. */
  answer(lane: DeliveryLane, message: Answer): boolean {
    const delivery = lane.items.get(message.id) ?? lane.owed.get(message.id);
    if (!delivery || delivery.record.context.tries === 0) return false;
    const at = this.clock.now();
    const { tries, sentAt, answeredAt } = delivery.record.context;
    if (!this.#deliveries.take(delivery, message, at)) return false;
    if (!message.accepted && message.refusal.class === 'paced') {
      lane.slowDown(this.#deliveries.resendDelayMs(tries));
      this.#needs.paced(lane);
    }
    // An answer to something that was sent twice does not say to which of the two (Karn's rule). One that comes late is
    // a sample like any other, or a relay that has become slower would be late for ever.
    const isSample = tries === 1 && answeredAt === 0;
    if (message.accepted || !isRelayFault(message.refusal)) {
      this.#mover.answered();
      const latencyMs = isSample ? at - sentAt : undefined;
      lane.answered(delivery, latencyMs);
      this.#needs.answered(lane, latencyMs);
    } else {
      this.#needs.failed(lane);
    }
    lane.pump();
    this.#checkDrained();
    return true;
  }

  cancel(id: string): void {
    const publication = this.#publications.get(id);
    if (publication) this.#cancel(publication);
  }

  /** Says so once nothing is on its way any more. */
  drain(): void {
    this.#draining = true;
    this.#checkDrained();
  }

  /** Gives everything up and tells everybody. */
  close(): void {
    for (const publication of [...this.#publications.values()]) {
      if (publication.isHeld) this.#giveUpHeld(publication);
      if (publication.isSettling) this.#count(publication);
      this.#expire(publication, 'closed');
    }
    for (const lane of this.#all) lane.dispose();
    this.#mover.dispose();
    this.#lanes.clear();
    this.#all = [];
    this.#deadlines.clear();
  }

  costMs(url: string, burden: LaneBurden): number {
    return this.#needs.costMs(url, burden);
  }

  measured(url: string): { readonly latencyMs: number | undefined; readonly success: number } {
    return this.#needs.measured(url);
  }

  isCoverable({ publication }: Delivery): boolean {
    return isCoverable(publication);
  }

  lateAfterMs(url: string): number {
    return this.#mover.lateAfterMs(url);
  }

  late(delivery: Delivery): boolean {
    return this.#mover.late(delivery);
  }

  sent(delivery: Delivery, at: number, generation: number): void {
    this.#mover.sent();
    this.#deliveries.step(delivery, { type: 'frame.sent', at, generation });
  }

  overdue(delivery: Delivery): void {
    const { lane, publication } = delivery;
    if (lane.owed.get(publication.id) === delivery) lane.owed.delete(publication.id);
    else this.#deliveries.step(delivery, { type: 'answer.overdue' });
    this.#needs.failed(lane);
    this.#checkDrained();
  }

  #begin(
    { event, options, keep, lease }: PublishRequest,
    target: Target<DeliveryLane>,
    priority: Priority,
  ): Publication {
    const isStored = keep !== undefined || lease !== undefined;
    const { durability } = this.#needs;
    const publication = new Publication(event, target, { priority, isStored, durability }, this.#time);
    publication.lease = lease;
    publication.affinityKey = options.affinityKey;
    this.#publications.set(event.id, publication);
    this.#capacity.opened(publication);
    if (keep) {
      publication.isHeld = true;
      keep();
    }
    return publication;
  }

  #start(publication: Publication): void {
    this.#report(publication, facts.accepted(publication));
    // Whoever heard that may have ended it, or published a newer version.
    if (publication.isOver) return;
    if (this.#versions.isSuperseded(publication)) return this.#expire(publication, 'superseded');
    this.#supersede(publication);
    // Relays may have left while it was held.
    if (publication.isStored) this.#giveUpOn(publication);
    else this.#dispatcher.topUp(publication);
  }

  #unhold(publication: Publication): void {
    publication.isHeld = false;
    if (!publication.isUnwanted) {
      this.#expireAfter(publication, publication.expiresMs);
      return this.#start(publication);
    }
    this.#report(publication, facts.accepted(publication));
    this.#advance(publication, { type: 'CANCEL' });
  }

  /** It is not known whether it is kept; if so, it is sent after a restart. */
  #giveUpHeld(publication: Publication): void {
    publication.isHeld = false;
    publication.durability = 'none';
    this.#report(publication, facts.accepted(publication));
  }

  /** What is held cannot be called back from its outbox yet, and what is being confirmed not any more. */
  #cancel(publication: Publication): void {
    if (publication.isHeld || publication.isSettling) publication.isUnwanted = true;
    else this.#advance(publication, { type: 'CANCEL' });
  }

  #widen(publication: Publication, target: Target<DeliveryLane>, priority: Priority): Publication {
    publication.widen(target);
    this.#advance(publication, { type: 'WIDEN', quorum: target.quorum, open: publication.openHosts() });
    publication.isUnwanted = false;
    if (!publication.isConfirmed) this.#capacity.reopened(publication);
    // Its outbox has forgotten it at the quorum that it had.
    if (!publication.isConfirmed && !publication.isHeld && !publication.lease) publication.durability = 'none';
    if (isMoreUrgent(priority, publication.priority)) this.#hurry(publication, priority);
    return publication;
  }

  /** It matters more than it did: it waits among others. */
  #hurry(publication: Publication, priority: Priority): void {
    const waiting = [...publication.deliveries.values()].filter((delivery) => delivery.lane.queue.delete(delivery));
    this.#capacity.reprioritise(publication, priority);
    for (const delivery of waiting) delivery.lane.offer(delivery);
  }

  /**
   * A newer version goes out. Older ones are not sent any more to the relays that get it; what is on its way there is
   * answered first, so that no relay ever ends with an older one.
   */
  #supersede(newer: Publication): void {
    for (const each of this.#versions.add(newer)) {
      each.supersedeOn(newer.candidates);
      this.#abandon(
        each,
        newer.candidates.filter((lane) => !isUnderWay(each.deliveries.get(lane))),
      );
    }
  }

  #remove(publication: Publication): void {
    if (this.#publications.get(publication.id) === publication) this.#publications.delete(publication.id);
    this.#capacity.closed(publication);
    this.#versions.delete(publication);
  }

  /** Nothing more of it is sent to these relays. */
  #abandon(publication: Publication, lanes: readonly DeliveryLane[]): void {
    const dropped = lanes.filter((lane) => publication.dropCandidate(lane));
    for (const lane of dropped) {
      const delivery = publication.deliveries.get(lane);
      if (!delivery) continue;
      delivery.isAbandoned = true;
      // It can still be answered: what was sent may be stored there.
      this.#deliveries.step(delivery, { type: 'CLOSE' });
    }
    if (dropped.length > 0) this.#giveUpOn(publication);
  }

  /** The caller may withdraw; the publication ends when nobody is left who wants it. */
  #own(publication: Publication, waiter: Waiter): void {
    publication.owners ??= new Set();
    publication.owners.add(waiter);
    waiter.onWithdraw(() => {
      publication.owners?.delete(waiter);
      if (publication.owners?.size === 0 && !publication.isFirm) this.#cancel(publication);
      publication.withdraw(waiter);
    });
  }

  #expireAfter(publication: Publication, expiresMs: number): void {
    const { expiry } = publication;
    if (publication.completed || (expiry && this.clock.now() + expiresMs <= expiry.dueAt)) return;
    if (expiry) this.#deadlines.remove(expiry);
    publication.expiry = this.#deadlines.add(expiresMs, () => this.#expire(publication, 'expired'));
  }

  #expire(publication: Publication, cause: FailureCause): void {
    if (publication.isSettling) {
      publication.isUnwanted = true;
      return;
    }
    publication.failureCause ??= publication.isConfirmed ? undefined : cause;
    this.#advance(publication, { type: 'deadline.passed' });
  }

  #accepted(delivery: Delivery): void {
    const { publication, lane, record } = delivery;
    const accepted = publication.countAcceptance(lane);
    const failover = this.#failovers.accepted(publication, lane.url, record.context.sentAt, this.clock.now());
    publication.first ??= { relay: lane.url, latencyMs: record.context.answeredAt - publication.acceptedAt };
    // Told first: what it leads to may be the end of the publication.
    this.#report(publication, facts.settled(delivery, this.clock.now()));
    if (this.#settlesFirst(publication, accepted)) void this.#settle(publication);
    else this.#count(publication);
    if (failover) this.#needs.failedOver(failover);
  }

  /** Counts what has been accepted by now. */
  #count(publication: Publication): void {
    publication.isSettling = false;
    this.#advance(publication, { type: 'delivery.accepted', accepted: publication.acceptedHosts });
    this.#checkComplete(publication);
    this.#dispatcher.reconsider(publication);
    if (publication.isUnwanted) this.#advance(publication, { type: 'deadline.passed' });
  }

  /** Its outbox forgets it before anybody hears that it is confirmed, or a crash in between would confirm it twice. */
  #settlesFirst({ lease, isSettling, record }: Publication, accepted: number): boolean {
    return isSettling || (lease !== undefined && accepted >= record.context.quorum);
  }

  async #settle(publication: Publication): Promise<void> {
    if (publication.isSettling) return;
    publication.isSettling = true;
    await publication.lease?.settle();
    publication.lease = undefined;
    if (!publication.isSettling) return;
    this.#count(publication);
    this.#giveUpOn(publication);
  }

  #rejected(delivery: Delivery): void {
    this.#report(delivery.publication, facts.settled(delivery, this.clock.now()));
    this.#giveUpOn(delivery.publication);
  }

  /** A relay will not bring it any further: the quorum may be lost by it, or another relay stand in. */
  #giveUpOn(publication: Publication): void {
    // What is being confirmed has its quorum, though it is not counted yet.
    if (publication.isOver || publication.isHeld || publication.isSettling) return;
    this.#advance(publication, { type: 'delivery.rejected', open: publication.openHosts() });
    this.#dispatcher.topUp(publication);
    this.#checkComplete(publication);
  }

  /** Steps a publication and does what its chart says. */
  #advance(publication: Publication, event: PublicationEvent): void {
    const effects = publicationTable.step(publication.record, event);
    if (effects === undefined) return;
    for (const effect of effects) this.#fulfil(publication, effect);
    if (publication.closing) this.#complete(publication);
    // Only now is everything known that a receipt of this moment should say.
    publication.settleWaiters();
  }

  #fulfil(publication: Publication, effect: PublicationEffect): void {
    switch (effect) {
      case 'closeDeliveries':
        publication.closing = true;
        for (const delivery of publication.deliveries.values()) this.#deliveries.close(delivery);
        return;
      case 'reportFirst':
        return this.#report(publication, facts.acknowledged(publication));
      case 'reportConfirmed':
        publication.confirmedAtMs ??= this.clock.now();
        this.#report(publication, facts.confirmed(publication));
        return this.#trail(publication);
      case 'reportFailed':
        publication.failureCause ??= publication.isSuperseded ? 'superseded' : 'rejected';
        return this.#report(publication, facts.failed(publication));
      case 'reportCancelled':
        return this.#report(publication, facts.cancelled(publication));
    }
  }

  /** Confirmed publications go on with the relays that are left, but not without bound: the oldest ends first. */
  #trail(publication: Publication): void {
    // A listener may have ended it while it was told, or asked for more.
    if (publication.isOver || !publication.isConfirmed) return;
    this.#capacity.confirmed(publication);
    if (this.#capacity.trailing.size > this.#settings.publicationsMax) this.#endOldest();
  }

  #endOldest(): void {
    const [oldest] = this.#capacity.trailing;
    if (!oldest) return;
    this.#capacity.trailing.delete(oldest);
    this.#advance(oldest, { type: 'deadline.passed' });
  }

  #checkComplete(publication: Publication): void {
    if (publication.isOver) return;
    if (publication.isConfirmed && publication.acceptedCopies >= publication.copies) {
      this.#advance(publication, { type: 'deadline.passed' });
    } else if (publication.isConfirmed && publication.isAnswered && !publication.hasUntried) {
      this.#complete(publication);
    }
  }

  #complete(publication: Publication): void {
    if (publication.completed) return;
    publication.closing = true;
    publication.completed = true;
    if (publication.expiry) this.#deadlines.remove(publication.expiry);
    for (const owner of publication.owners ?? []) owner.letGo();
    for (const delivery of publication.deliveries.values()) this.#deliveries.forget(delivery);
    this.#remove(publication);
    this.#dispatcher.forget(publication);
    const failover = this.#failovers.forget(publication);
    publication.settleWaiters();
    this.#report(publication, facts.completed(publication));
    if (publication.lease) this.#needs.undelivered(publication, publication.lease);
    if (failover) this.#needs.failedOver(failover);
    this.#checkDrained();
  }

  #checkDrained(): void {
    if (!this.#draining) return;
    for (const publication of this.#publications.values()) if (publication.isMoving) return;
    this.#draining = false;
    this.#needs.emptied();
  }

  #report(publication: Publication, fact: () => PublicationFact): void {
    if (this.#needs.hears(publication)) this.#needs.report(publication, fact());
  }
}

/** Whether a delivery has brought the event to its relay, or is about to know. */
const isUnderWay = (delivery: Delivery | undefined): boolean =>
  delivery !== undefined && (delivery.record.state === 'accepted' || delivery.lane.isInFlight(delivery));
