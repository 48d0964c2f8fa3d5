import type { DeliveryEvent } from '../../machines/delivery/delivery.events.ts';
import { Delivery, type DeliveryLane, type Publication } from './publication.ts';
import type { Selector } from './selector.ts';

const NOBODY: readonly DeliveryLane[] = [];

/** Steps a delivery, and does what its chart says. */
type Step = (delivery: Delivery, event: DeliveryEvent) => void;

/**
 * Brings publications to relays: to all of them, or to as many as are wanted, with others standing in for those that
 * refuse, keep silent or go away.
 */
export class Dispatcher {
  readonly #triesMax: number;
  readonly #step: Step;
  /** Publications that want more than there are relays to bring them to at the moment. */
  readonly #needy = new Set<Publication>();
  readonly #selector: Selector;

  constructor(triesMax: number, selector: Selector, step: Step) {
    this.#triesMax = triesMax;
    this.#selector = selector;
    this.#step = step;
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
    while (publication.wantsMore && publication.hasUntried) {
      const lane = this.#selector.next(publication);
      // A relay that does not serve is no better than one that was asked and does not serve either.
      if (!lane || (publication.hopeful >= publication.copies && !lane.isServing)) break;
      this.#deliver(publication, lane);
      chosen.push(lane);
      if (publication.isOver) return chosen;
    }
    if (publication.wantsMore) this.#needy.add(publication);
    else this.#needy.delete(publication);
    return chosen;
  }

  /** Asks one more relay, of another host than the one that is late; which, if there is one that serves. */
  copy(publication: Publication, late: DeliveryLane): DeliveryLane | undefined {
    const lane = this.#selector.next(publication);
    if (!lane?.isServing || lane.host === late.host) return undefined;
    this.#deliver(publication, lane);
    return lane;
  }

  #resumeSkipped(publication: Publication): void {
    for (const delivery of publication.deliveries.values()) {
      if (!isPassedOver(delivery) || !delivery.lane.isServing || !publication.wantsMore) continue;
      this.#step(delivery, { type: 'relay.resumed' });
      delivery.lane.pump();
    }
  }

  #deliverEverywhere(publication: Publication): readonly DeliveryLane[] {
    for (const lane of publication.candidates) {
      if (publication.isOver) break;
      if (!publication.deliveries.has(lane)) this.#deliver(publication, lane);
    }
    return NOBODY;
  }

  #deliver(publication: Publication, lane: DeliveryLane): void {
    const delivery = new Delivery(publication, lane, this.#triesMax);
    if (!publication.goesEverywhere) this.#selector.taken(publication, lane);
    publication.deliveries.set(lane, delivery);
    lane.items.set(publication.id, delivery);
    const owed = lane.takeOver(publication.id, delivery);
    if (owed) {
      const { sentAt, generation } = owed.record.context;
      this.#step(delivery, { type: 'frame.sent', at: sentAt, generation });
    } else if (lane.isComing) lane.offer(delivery);
    else this.#step(delivery, { type: 'relay.suspended' });
  }

  /** The relay does not serve for now: what waits there is passed over, and goes elsewhere where it can. */
  suspend(lane: DeliveryLane): void {
    for (const delivery of [...lane.items.values()]) {
      if (delivery.record.state !== 'queued') continue;
      this.#step(delivery, { type: 'relay.suspended' });
      this.topUp(delivery.publication);
    }
  }

  /** The relay serves again, or will: what was passed over waits there once more. */
  resume(lane: DeliveryLane): void {
    for (const delivery of lane.items.values()) {
      if (isPassedOver(delivery) && delivery.publication.wantsMore) this.#step(delivery, { type: 'relay.resumed' });
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

const isPassedOver = ({ record, isAbandoned }: Delivery): boolean => record.state === 'skipped' && !isAbandoned;
