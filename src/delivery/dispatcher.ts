import type { DeliveryEvent } from '../../machines/delivery/delivery.events.ts';
import { type Call, Delivery, type DeliveryLane, type Publication } from './publication.ts';
import type { Selector } from './selector.ts';

const NOBODY: readonly DeliveryLane[] = [];

export interface DispatcherDeps {
  readonly selector: Selector;
  /** Sends of one event to one relay that refuses it for now, at most. */
  triesMax(): number;
  /** Steps a delivery, and does what its chart says. */
  step(delivery: Delivery, event: DeliveryEvent): void;
  /** A quorum needs this relay, which does not serve. */
  needed(lane: DeliveryLane): void;
}

/**
 * Brings publications to relays: to all of them, or to as many as are wanted, with others standing in for those that
 * refuse, keep silent or go away.
 */
export class Dispatcher {
  readonly #deps: DispatcherDeps;
  /** Publications that want more than there are relays to bring them to at the moment. */
  readonly #needy = new Set<Publication>();
  /** Relays whose write circuit is half-open, and needs an event as its trial. */
  readonly #onTrial = new Set<DeliveryLane>();

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
  }

  /**
   * Starts deliveries until enough of them promise something, and there is nobody better to ask. Where there was
   * something to choose, the relays that were chosen.
   */
  topUp(publication: Publication): readonly DeliveryLane[] {
    if (publication.isOver) return NOBODY;
    this.#resumeSkipped(publication);
    if (publication.goesEverywhere) return this.#deliverEverywhere(publication);
    const chosen: DeliveryLane[] = [];
    for (const call of publication.calls) {
      if (call.goesEverywhere) this.#deliverTo(publication, call.lanes);
      else this.#topUpCall(publication, call, chosen);
      if (publication.isOver) return chosen;
    }
    this.#offerTrial(publication);
    if (publication.wantsMore) this.#needy.add(publication);
    else this.#needy.delete(publication);
    return chosen;
  }

  /** Asks one more relay, of another host than the one that is late; returns it if there is one that serves. */
  copy(publication: Publication, late: DeliveryLane): DeliveryLane | undefined {
    const call = publication.calls.find((each) => each.covers(late) && !each.goesEverywhere && each.hasUntried);
    const lane = call && this.#deps.selector.next(publication, call);
    if (!lane?.isServing || lane.host === late.host) return undefined;
    this.#deliver(publication, lane);
    return lane;
  }

  /** The write circuit of a relay is half-open: it needs an event as its trial; or it is not any more. */
  onTrial(lane: DeliveryLane, isOnTrial: boolean): void {
    if (isOnTrial) this.#onTrial.add(lane);
    else this.#onTrial.delete(lane);
  }

  #topUpCall(publication: Publication, call: Call, chosen: DeliveryLane[]): void {
    while (call.wantsMore && call.hasUntried) {
      const lane = this.#deps.selector.next(publication, call);
      // A relay that does not serve is no better than one that was asked and does not serve either.
      if (!lane || (call.hopeful >= call.copies && !lane.isServing)) return;
      this.#deliver(publication, lane);
      chosen.push(lane);
      if (publication.isOver) return;
    }
  }

  /** A relay that is never chosen while its write circuit is half-open gets one copy more, or it would never heal. */
  #offerTrial(publication: Publication): void {
    for (const lane of this.#onTrial) {
      if (publication.deliveries.has(lane) || !publication.isFor(lane) || !lane.needsTrial) continue;
      this.#onTrial.delete(lane);
      this.#deliver(publication, lane);
      return;
    }
  }

  #resumeSkipped(publication: Publication): void {
    for (const delivery of publication.deliveries.values()) {
      const { lane } = delivery;
      if (!lane.isServing || !publication.wantsMore) continue;
      if (isPassedOver(delivery)) this.#deps.step(delivery, { type: 'relay.resumed' });
      else if (isDeferredOut(delivery)) this.#deps.step(delivery, { type: 'retry.due' });
      else continue;
      lane.pump();
    }
  }

  #deliverEverywhere(publication: Publication): readonly DeliveryLane[] {
    this.#deliverTo(publication, publication.candidates);
    return NOBODY;
  }

  #deliverTo(publication: Publication, lanes: readonly DeliveryLane[]): void {
    for (const lane of lanes) {
      if (publication.isOver) break;
      if (!publication.deliveries.has(lane)) this.#deliver(publication, lane);
    }
  }

  #deliver(publication: Publication, lane: DeliveryLane): void {
    const delivery = new Delivery(publication, lane, this.#deps.triesMax());
    if (!publication.goesEverywhere) this.#deps.selector.taken(publication, lane);
    publication.deliveries.set(lane, delivery);
    lane.items.set(publication.id, delivery);
    const owed = lane.takeOver(publication.id, delivery);
    if (owed) {
      const { sentAt, generation } = owed.record.context;
      return this.#deps.step(delivery, { type: 'frame.sent', at: sentAt, generation });
    }
    if (!lane.isServing && publication.needs(lane)) {
      this.#deps.needed(lane);
      lane.tryWrites();
    }
    if (lane.isComing) lane.offer(delivery);
    else this.#deps.step(delivery, { type: 'relay.suspended' });
  }

  /** The relay does not serve for now: what waits there is passed over, and goes elsewhere where it can. */
  suspend(lane: DeliveryLane): void {
    for (const delivery of [...lane.items.values()]) {
      const { state } = delivery.record;
      if (state !== 'queued' && state !== 'deferred') continue;
      this.#deps.step(delivery, { type: 'relay.suspended' });
      this.topUp(delivery.publication);
    }
  }

  /** The relay serves again, or will: what was passed over waits there once more. */
  resume(lane: DeliveryLane): void {
    for (const delivery of lane.items.values()) {
      if (isPassedOver(delivery) && delivery.publication.wantsMore)
        this.#deps.step(delivery, { type: 'relay.resumed' });
    }
  }

  /** Asks for those that want more whoever serves by now, but for retries unless they may be. Whether some were held back. */
  topUpNeedy(mayRetry: boolean): boolean {
    let isHeldBack = false;
    for (const publication of [...this.#needy]) {
      if (mayRetry || !publication.isOverdue) this.topUp(publication);
      else isHeldBack = true;
    }
    return isHeldBack;
  }

  /** A relay has answered: what was held back because it had not may go on. */
  reconsider(publication: Publication): void {
    if (this.#needy.has(publication) && !publication.isOverdue) this.topUp(publication);
  }

  /** It may not have more now. Whether it wants it. */
  defer(publication: Publication): boolean {
    if (publication.isOver || !publication.wantsMore) return false;
    this.#needy.add(publication);
    return true;
  }

  forget(publication: Publication): void {
    this.#needy.delete(publication);
  }
}

/** True if the delay after a refusal for now is over, and no copies were missing then. */
const isDeferredOut = ({ record, isAbandoned, resendTimer }: Delivery): boolean =>
  record.state === 'deferred' && resendTimer === undefined && !isAbandoned;

const isPassedOver = ({ record, isAbandoned }: Delivery): boolean => record.state === 'skipped' && !isAbandoned;
