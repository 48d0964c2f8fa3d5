import { isMoreUrgent, type Priority } from '../../machines/policy/priority.ts';
import type { PublishSettings } from '../../machines/policy/settings.ts';
import type { PublishOptions } from '../../machines/pool/pool.events.ts';
import type { FailureCause, PublicationEvent, PublicationFact } from '../../machines/publication/publication.events.ts';
import type { PublicationEffect } from '../../machines/publication/publication.setup.ts';
import { publicationTable } from '../../machines/publication/publication.table.ts';
import type { Clock } from '../clock.ts';
import { Latency } from '../health/latency.ts';
import type { PreparedEvent } from '../protocol/codec.ts';
import type { Steps } from '../steps.ts';
import { Capacity } from './capacity.ts';
import { Deadlines } from './deadlines.ts';
import type { Deliveries } from './deliveries.ts';
import type { Dispatcher } from './dispatcher.ts';
import * as facts from './facts.ts';
import type { Failover, Failovers } from './failovers.ts';
import type { Durability, Lease } from './outbox/outbox.ts';
import { type Delivery, type DeliveryLane, Publication } from './publication.ts';
import type { Receipt, Waiter } from './receipt.ts';
import type { Target } from './target.ts';
import { Versions } from './versions.ts';

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

/** What follows from the steps of publications, and what they need done. */
export interface PublicationsNeeds {
  readonly clock: Clock;
  readonly settings: PublishSettings;
  readonly steps: Steps;
  readonly deliveries: Deliveries;
  readonly dispatcher: Dispatcher;
  readonly failovers: Failovers;
  /** What accepted events survive. */
  readonly durability: Durability;
  /** Whether anybody wants to know what happens to a publication; facts are only made for listeners. */
  hears(publication: Publication): boolean;
  report(publication: Publication, fact: PublicationFact): void;
  /** Work was moved off a relay, and is stored elsewhere. */
  failedOver(failover: Failover): void;
  /** A publication is over without its quorum, and its outbox still has it. */
  undelivered(publication: Publication, lease: Lease): void;
  /** One is over, or was never begun. */
  changed(): void;
}

/** The publications that are open: steps them by their chart, and does what the chart says. */
export class Publications implements Iterable<Publication> {
  readonly capacity: Capacity;
  readonly totals = { accepted: 0, confirmed: 0, failed: 0, cancelled: 0 };
  /** Milliseconds from accepting an event to its quorum. */
  readonly latency = new Latency();
  readonly #needs: PublicationsNeeds;
  readonly #open = new Map<string, Publication>();
  readonly #versions = new Versions();
  readonly #deadlines: Deadlines;
  readonly #deliveries: Deliveries;
  readonly #dispatcher: Dispatcher;
  #isMakingRoom = false;

  constructor(needs: PublicationsNeeds) {
    this.#needs = needs;
    this.#deliveries = needs.deliveries;
    this.#dispatcher = needs.dispatcher;
    this.capacity = new Capacity(needs.settings);
    this.#deadlines = new Deadlines(needs.clock);
  }

  get size(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): Iterator<Publication> {
    return this.#open.values();
  }

  /** Begins a publication, or joins the one of this event that is open. */
  publish(request: PublishRequest, target: Target<DeliveryLane>): void {
    const known = this.#open.get(request.event.id);
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
    const now = publication === known ? this.#needs.clock.now() : publication.acceptedAt;
    // The end comes before whoever waits for as long, so that they hear how it ended.
    if (publication.isHeld) publication.expiresMs = Math.max(publication.expiresMs, request.expiresMs);
    else this.#expireAfter(publication, request.expiresMs, now);
    if (waiter) publication.waiters.add(waiter, request.timeoutMs, now);
    if (waiter?.signal) this.#own(publication, waiter);
    else publication.isFirm = true;
    if (listener) publication.listeners = [...(publication.listeners ?? []), listener];
    if (publication.isHeld) return;
    if (publication === known) this.#dispatcher.topUp(publication);
    else this.#start(publication);
  }

  /** What was held is kept by its outbox now, and may be sent. False where nothing waits for it. */
  release(lease: Lease): boolean {
    const publication = this.#open.get(lease.id);
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
    const publication = this.#open.get(id);
    if (!publication?.isHeld) return;
    this.#remove(publication);
    publication.refuse(receipt);
    this.report(publication, () => fact);
    this.#needs.changed();
  }

  /**
   * Whether there is room for one more event. What is confirmed and only waits for the last relays makes room, the oldest
   * first; after that, what matters less.
   */
  makeRoomFor({ id, frame }: PreparedEvent, priority: Priority): boolean {
    const known = this.#open.get(id);
    if (known && !known.isOver) return true;
    // Whoever hears that something was given up must not take the place that was made.
    if (this.#isMakingRoom) return false;
    const { trailing } = this.capacity;
    while (this.capacity.bytes + frame.length > this.#needs.settings.queueBytesMax && trailing.size > 0)
      this.#endOldest();
    this.#isMakingRoom = true;
    try {
      while (!this.capacity.fits(frame.length)) {
        const victim = this.capacity.victimFor(priority, frame.length);
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

  /** Stops the publication of this id, for all who want it. */
  cancel(id: string): void {
    const publication = this.#open.get(id);
    if (publication) this.#cancel(publication);
  }

  /** Gives all of them up, and tells everybody. */
  close(): void {
    for (const publication of [...this]) {
      if (publication.isHeld) this.#giveUpHeld(publication);
      if (publication.isSettling) this.#count(publication);
      this.#expire(publication, 'closed');
    }
    this.#deadlines.clear();
  }

  #begin(
    { event, options, keep, lease }: PublishRequest,
    target: Target<DeliveryLane>,
    priority: Priority,
  ): Publication {
    const isStored = keep !== undefined || lease !== undefined;
    const { clock, durability } = this.#needs;
    const standing = { priority, isStored, durability };
    const publication = new Publication(event, target, standing, { clock, deadlines: this.#deadlines });
    publication.lease = lease;
    publication.affinityKey = options.affinityKey;
    this.#open.set(event.id, publication);
    this.capacity.opened(publication);
    if (keep) {
      publication.isHeld = true;
      keep();
    }
    return publication;
  }

  #start(publication: Publication): void {
    this.#reportAccepted(publication);
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
      this.#expireAfter(publication, publication.expiresMs, this.#needs.clock.now());
      return this.#start(publication);
    }
    this.#reportAccepted(publication);
    this.#advance(publication, { type: 'CANCEL' });
  }

  /** It is not known whether it is kept; if so, it is sent after a restart. */
  #giveUpHeld(publication: Publication): void {
    publication.isHeld = false;
    publication.durability = 'none';
    this.#reportAccepted(publication);
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
    if (!publication.isConfirmed) this.capacity.reopened(publication);
    // Its outbox has forgotten it at the quorum that it had.
    if (!publication.isConfirmed && !publication.isHeld && !publication.lease) publication.durability = 'none';
    if (isMoreUrgent(priority, publication.priority)) this.#hurry(publication, priority);
    return publication;
  }

  /** It matters more than it did: it waits among others. */
  #hurry(publication: Publication, priority: Priority): void {
    const waiting = [...publication.deliveries.values()].filter((delivery) => delivery.lane.queue.delete(delivery));
    this.capacity.reprioritise(publication, priority);
    for (const delivery of waiting) delivery.lane.offer(delivery);
  }

  /**
   * A newer version goes out. Older ones are not sent any more to the relays that get it; what is on its way there is
   * answered first, or overdue, so that no relay that answers ends with an older one.
   */
  #supersede(newer: Publication): void {
    for (const each of this.#versions.add(newer)) {
      each.supersedeOn(newer.candidates);
      this.abandon(
        each,
        newer.candidates.filter((lane) => !isUnderWay(each.deliveries.get(lane))),
      );
    }
  }

  #remove(publication: Publication): void {
    if (this.#open.get(publication.id) === publication) this.#open.delete(publication.id);
    this.capacity.closed(publication);
    this.#versions.delete(publication);
  }

  /** Nothing more of it is sent to these relays. */
  abandon(publication: Publication, lanes: readonly DeliveryLane[]): void {
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
      publication.waiters.withdraw(waiter);
    });
  }

  #expireAfter(publication: Publication, expiresMs: number, now: number): void {
    const { expiry } = publication;
    if (publication.completed || (expiry && now + expiresMs <= expiry.dueAt)) return;
    if (expiry) this.#deadlines.remove(expiry);
    publication.expiry = this.#deadlines.add(expiresMs, () => this.#expire(publication, 'expired'), now);
  }

  #expire(publication: Publication, cause: FailureCause): void {
    if (publication.isSettling) {
      publication.isUnwanted = true;
      return;
    }
    publication.failureCause ??= publication.isConfirmed ? undefined : cause;
    this.#advance(publication, { type: 'deadline.passed' });
  }

  accepted(delivery: Delivery): void {
    const { publication, lane, record } = delivery;
    const { sentAt, answeredAt } = record.context;
    const accepted = publication.countAcceptance(lane);
    const failover = this.#needs.failovers.accepted(publication, lane.url, sentAt, answeredAt);
    publication.first ??= { relay: lane.url, latencyMs: answeredAt - publication.acceptedAt };
    // Told first: what it leads to may be the end of the publication.
    this.#reportSettled(delivery);
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

  rejected(delivery: Delivery): void {
    this.#reportSettled(delivery);
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
    this.#needs.steps.listener?.({ chart: 'publication', id: publication.id, event, ...publication.record });
    for (const effect of effects) this.#fulfil(publication, effect);
    if (publication.closing) this.#complete(publication);
    // Only now is everything known that a receipt of this moment should say.
    publication.waiters.settle();
  }

  #fulfil(publication: Publication, effect: PublicationEffect): void {
    switch (effect) {
      case 'closeDeliveries':
        publication.closing = true;
        for (const delivery of publication.deliveries.values()) this.#deliveries.close(delivery);
        return;
      case 'reportFirst':
        return this.report(publication, facts.acknowledged);
      case 'reportConfirmed':
        this.#noteConfirmed(publication);
        this.report(publication, facts.confirmed);
        return this.#trail(publication);
      case 'reportFailed':
        publication.failureCause ??= publication.isSuperseded ? 'superseded' : 'rejected';
        return this.report(publication, facts.failed);
      case 'reportCancelled':
        return this.report(publication, facts.cancelled);
    }
  }

  #reportAccepted(publication: Publication): void {
    this.totals.accepted += 1;
    this.report(publication, facts.accepted);
  }

  #noteConfirmed(publication: Publication): void {
    if (publication.confirmedAtMs !== undefined) return;
    const now = this.#needs.clock.now();
    publication.confirmedAtMs = now;
    this.totals.confirmed += 1;
    this.latency.add(now - publication.acceptedAt);
  }

  /** Confirmed publications go on with the relays that are left, but not without bound: the oldest ends first. */
  #trail(publication: Publication): void {
    // A listener may have ended it while it was told, or asked for more.
    if (publication.isOver || !publication.isConfirmed) return;
    this.capacity.confirmed(publication);
    if (this.capacity.trailing.size > this.#needs.settings.publicationsMax) this.#endOldest();
  }

  #endOldest(): void {
    const [oldest] = this.capacity.trailing;
    if (!oldest) return;
    this.capacity.trailing.delete(oldest);
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
    if (publication.confirmedAtMs === undefined)
      this.totals[publication.status === 'cancelled' ? 'cancelled' : 'failed'] += 1;
    if (publication.expiry) this.#deadlines.remove(publication.expiry);
    for (const owner of publication.owners ?? []) owner.letGo();
    for (const delivery of publication.deliveries.values()) this.#deliveries.forget(delivery);
    this.#remove(publication);
    this.#dispatcher.forget(publication);
    const failover = this.#needs.failovers.forget(publication);
    publication.waiters.settle();
    this.report(publication, facts.completed);
    if (publication.lease) this.#needs.undelivered(publication, publication.lease);
    if (failover) this.#needs.failedOver(failover);
    this.#needs.changed();
  }

  /** Tells a fact, which is only made where somebody listens. */
  report(publication: Publication, fact: (publication: Publication) => PublicationFact): void {
    if (this.#needs.hears(publication)) this.#needs.report(publication, fact(publication));
  }

  #reportSettled(delivery: Delivery): void {
    const { publication } = delivery;
    if (this.#needs.hears(publication)) this.#needs.report(publication, facts.settled(delivery, this.#needs.clock));
  }
}

/** Whether a delivery has brought the event to its relay, or is about to know. */
const isUnderWay = (delivery: Delivery | undefined): boolean =>
  delivery !== undefined && (delivery.record.state === 'accepted' || delivery.lane.isInFlight(delivery));
