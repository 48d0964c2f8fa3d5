import { isMoreUrgent, type Priority } from '../../machines/policy/priority.ts';
import type { PublishSettings } from '../../machines/policy/settings.ts';
import type { PublishOptions } from '../../machines/pool/pool.events.ts';
import type {
  FailureCause,
  PublicationEvent,
  PublicationFact,
  PublicationStatus,
} from '../../machines/publication/publication.events.ts';
import type { PublicationEffect } from '../../machines/publication/publication.setup.ts';
import { publicationTable } from '../../machines/publication/publication.table.ts';
import type { AbortSignals } from '../abort-signals.ts';
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
import { type Call, type Delivery, type DeliveryLane, Publication } from './publication.ts';
import type { Receipt, Waiter } from './receipt.ts';
import type { Target } from './target.ts';
import { Versions } from './versions.ts';
import type { WaitersDeps } from './waiters.ts';

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
  readonly signals: AbortSignals;
  /** Settings as they are now. */
  settings(): PublishSettings;
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
    this.capacity = new Capacity(() => needs.settings());
    this.#deadlines = new Deadlines(needs.clock);
  }

  get size(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): Iterator<Publication> {
    return this.#open.values();
  }

  /** Begins a publication, or joins the open one of this event with relays and a quorum of its own. */
  publish(request: PublishRequest, target: Target<DeliveryLane>): void {
    const known = this.#open.get(request.event.id);
    const { waiter, listener, options, timeoutMs, expiresMs } = request;
    const { priority = 'normal' } = options;
    const isJoined = known !== undefined && !known.isOver;
    const publication = isJoined ? known : this.#begin(request, target, priority);
    const call = isJoined ? this.#join(known, target, priority, timeoutMs) : (publication.calls[0] as Call);
    call.expiresMs = expiresMs;
    // It ends before those who wait for as long, so that their receipts say how.
    if (!publication.isHeld) this.#expireAfter(publication, call);
    if (waiter) call.waiters.add(waiter, timeoutMs, call.acceptedAt);
    if (waiter?.signal) this.#revocable(publication, call, waiter, waiter.signal);
    call.listener = listener;
    if (listener) publication.listeners = [...(publication.listeners ?? []), listener];
    if (publication.isHeld) return;
    if (!isJoined) return this.#start(publication);
    // Its quorum may be out of reach, or reached already.
    this.#giveUpOn(publication);
    publication.settle();
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
    while (this.capacity.bytes + frame.length > this.#needs.settings().queueBytesMax && trailing.size > 0)
      this.#endOldest();
    this.#isMakingRoom = true;
    try {
      while (!this.capacity.fits(frame.length)) {
        const victim = this.capacity.victimFor(priority, frame.length);
        if (!victim) return false;
        this.#expire(victim, 'evicted');
        if (!victim.isOver) return false;
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
    { event, options, keep, lease, timeoutMs }: PublishRequest,
    target: Target<DeliveryLane>,
    priority: Priority,
  ): Publication {
    const isStored = keep !== undefined || lease !== undefined;
    const { clock, durability } = this.#needs;
    const standing = { priority, isStored, durability };
    const publication = new Publication(event, target, standing, { clock, ...this.#waitersDeps(timeoutMs) });
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
      for (const call of publication.calls) this.#expireAfter(publication, call);
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

  #join(publication: Publication, target: Target<DeliveryLane>, priority: Priority, timeoutMs: number): Call {
    this.#revive(publication, target.lanes);
    const call = publication.join(target, { clock: this.#needs.clock, ...this.#waitersDeps(timeoutMs) });
    const accepted = [...publication.deliveries.values()].find(
      ({ lane, record }) => record.state === 'accepted' && call.covers(lane),
    );
    // It may go to more relays now.
    if (!publication.isHeld) this.#supersede(publication);
    if (accepted) call.first = { relay: accepted.lane.url, latencyMs: 0 };
    if (call.hasQuorum) call.confirmedAtMs = call.acceptedAt;
    const { missing, standing } = publication;
    this.#advance(publication, { type: 'WIDEN', quorum: target.quorum, missing, standing });
    publication.isUnwanted = false;
    if (!publication.isConfirmed) this.capacity.reopened(publication);
    // Its outbox has forgotten it at the quorum that it had.
    if (!publication.isConfirmed && !publication.isHeld && !publication.lease) publication.durability = 'none';
    if (isMoreUrgent(priority, publication.priority)) this.#hurry(publication, priority);
    return call;
  }

  /** Relays that were given up with an earlier call are asked anew. */
  #revive(publication: Publication, lanes: readonly DeliveryLane[]): void {
    for (const lane of lanes) {
      const delivery = publication.deliveries.get(lane);
      if (!delivery?.isAbandoned || delivery.record.state === 'accepted' || publication.isSupersededOn(lane)) continue;
      this.#deliveries.forget(delivery);
      publication.deliveries.delete(lane);
    }
  }

  #waitersDeps(timeoutMs: number): WaitersDeps {
    return { deadlines: this.#deadlines, signals: this.#needs.signals, timeoutMs };
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

  /** The caller may withdraw its call; the publication ends with the last call. */
  #revocable(publication: Publication, call: Call, waiter: Waiter, signal: AbortSignal): void {
    call.release = this.#needs.signals.onAbort(signal, () => {
      call.waiters.withdraw(waiter);
      if (publication.calls.length > 1) this.#endCall(publication, call, 'cancelled');
      else if (publication.calls.includes(call)) this.#cancel(publication);
    });
  }

  #expireAfter(publication: Publication, call: Call): void {
    if (publication.completed) return;
    const { expiresMs } = call;
    call.expiry = this.#deadlines.add(expiresMs, () => this.#expireCall(publication, call));
  }

  #expireCall(publication: Publication, call: Call): void {
    call.expiry = undefined;
    if (publication.calls.length === 1) return this.#expire(publication, 'expired');
    // A publication that is being confirmed has its quorum, though that is not counted yet.
    if (publication.isSettling) publication.isUnwanted = true;
    else this.#endCall(publication, call, call.hasQuorum ? 'confirmed' : 'failed', 'expired');
  }

  /** A call ends alone: what goes only to its relays is not sent any more, and others may have all that they ask for. */
  #endCall(
    publication: Publication,
    call: Call,
    status: 'confirmed' | 'failed' | 'cancelled',
    cause?: FailureCause,
  ): void {
    if (!publication.calls.includes(call)) return;
    if (call.expiry) this.#deadlines.remove(call.expiry);
    publication.leave(call);
    call.end(status, cause);
    this.#tellAlone(publication, call, status, cause ?? 'rejected');
    for (const [lane, delivery] of publication.deliveries) {
      if (publication.isFor(lane) || delivery.isAbandoned) continue;
      delivery.isAbandoned = true;
      this.#deliveries.close(delivery);
    }
    this.#giveUpOn(publication);
  }

  /** The listener of a call that ends alone gets its end, and nothing more of the publication. */
  #tellAlone(publication: Publication, call: Call, status: PublicationStatus, cause: FailureCause): void {
    const { listener } = call;
    if (!listener) return;
    publication.listeners = publication.listeners?.filter((each) => each !== listener);
    const { id } = publication;
    const outcomes = call.outcomes();
    if (status === 'failed') listener({ type: 'publication.failed', id, cause, outcomes });
    else if (status === 'cancelled') listener({ type: 'publication.cancelled', id });
    else if (!publication.isConfirmed) listener(facts.confirmed(publication));
    listener({ type: 'publication.completed', id, status, outcomes });
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
    publication.countAcceptance(lane, answeredAt);
    const failover = this.#needs.failovers.accepted(publication, lane.url, sentAt, answeredAt);
    for (const call of publication.calls) {
      if (call.covers(lane)) call.first ??= { relay: lane.url, latencyMs: answeredAt - call.acceptedAt };
    }
    // Reported first: what it leads to may be the end of the publication.
    this.#reportSettled(delivery);
    if (this.#settlesFirst(publication)) void this.#settle(publication);
    else this.#count(publication);
    if (failover) this.#needs.failedOver(failover);
  }

  /** Counts what has been accepted by now. */
  #count(publication: Publication): void {
    publication.isSettling = false;
    const now = this.#needs.clock.now();
    for (const call of publication.calls) if (call.hasQuorum) call.confirmedAtMs ??= now;
    const { acceptedHosts: accepted, missing } = publication;
    this.#advance(publication, { type: 'delivery.accepted', accepted, missing });
    this.#checkComplete(publication);
    this.#dispatcher.reconsider(publication);
    if (publication.isUnwanted) this.#advance(publication, { type: 'deadline.passed' });
  }

  /** Its outbox forgets it before anybody hears that it is confirmed, or a crash in between would confirm it twice. */
  #settlesFirst({ lease, isSettling, missing }: Publication): boolean {
    return isSettling || (lease !== undefined && missing === 0);
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

  /** Settles those who wait for what relays do besides accepting. */
  settleAnswers(publication: Publication): void {
    for (const { waiters } of publication.calls) if (waiters.awaitsAnswers) waiters.settle();
  }

  /** A relay will not bring it any further: a quorum may be lost by it, or another relay stand in. */
  #giveUpOn(publication: Publication): void {
    // A publication that is being confirmed has its quorum, though that is not counted yet.
    if (publication.isOver || publication.isHeld || publication.isSettling) return;
    const lost = publication.calls.filter(({ isStanding }) => !isStanding);
    // A call whose relays have all refused ends alone, unless it is the last.
    if (lost.length > 0 && lost.length < publication.calls.length) {
      const cause = publication.isSuperseded ? 'superseded' : 'rejected';
      for (const call of lost) this.#endCall(publication, call, 'failed', cause);
      return;
    }
    this.#advance(publication, { type: 'delivery.rejected', standing: publication.standing });
    // Those that had lacked something may be gone.
    if (publication.isShared && !publication.isOver && publication.missing === 0 && publication.hosts.length > 0) {
      if (this.#settlesFirst(publication)) return void this.#settle(publication);
      this.#count(publication);
    }
    this.#dispatcher.topUp(publication);
    this.#checkComplete(publication);
    this.settleAnswers(publication);
  }

  /** Steps a publication and does what its chart says. */
  #advance(publication: Publication, event: PublicationEvent): void {
    const effects = publicationTable.step(publication.record, event);
    if (effects === undefined) return;
    this.#needs.steps.listener?.({ chart: 'publication', id: publication.id, event, ...publication.record });
    for (const effect of effects) this.#fulfil(publication, effect);
    if (publication.closing) this.#complete(publication);
    // Only now is everything known that a receipt of this moment should say.
    publication.settle();
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
    if (this.capacity.trailing.size > this.#needs.settings().publicationsMax) this.#endOldest();
  }

  #endOldest(): void {
    const [oldest] = this.capacity.trailing;
    if (!oldest) return;
    this.capacity.trailing.delete(oldest);
    this.#advance(oldest, { type: 'deadline.passed' });
  }

  #checkComplete(publication: Publication): void {
    if (publication.isOver || !publication.isConfirmed) return;
    if (publication.isShared) this.#endDone(publication);
    if (publication.isOver || !publication.calls.every(({ isDone }) => isDone)) return;
    if (publication.isAnswered) this.#complete(publication);
    else this.#advance(publication, { type: 'deadline.passed' });
  }

  /** Calls that have all that they asked for end alone, so that their relays are not asked for the sake of others. */
  #endDone(publication: Publication): void {
    const done = publication.calls.filter(({ isDone }) => isDone);
    if (done.length === publication.calls.length) return;
    for (const call of done) this.#endCall(publication, call, 'confirmed');
  }

  #complete(publication: Publication): void {
    if (publication.completed) return;
    publication.closing = true;
    publication.completed = true;
    if (publication.confirmedAtMs === undefined)
      this.totals[publication.status === 'cancelled' ? 'cancelled' : 'failed'] += 1;
    for (const call of publication.calls) {
      if (call.expiry) this.#deadlines.remove(call.expiry);
      call.release?.();
    }
    for (const delivery of publication.deliveries.values()) this.#deliveries.forget(delivery);
    this.#remove(publication);
    this.#dispatcher.forget(publication);
    const failover = this.#needs.failovers.forget(publication);
    publication.settle();
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
