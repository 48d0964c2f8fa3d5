import type { DeliveryEvent } from '../../machines/delivery/delivery.events.ts';
import type { DeliveryEffect } from '../../machines/delivery/delivery.setup.ts';
import { deliveryTable } from '../../machines/delivery/delivery.table.ts';
import { resendDelayMs } from '../../machines/policy/resend.ts';
import type { PublishSettings } from '../../machines/policy/settings.ts';
import type { Clock } from '../clock.ts';
import type { Message } from '../protocol/codec.ts';
import type { Steps } from '../steps.ts';
import type { Delivery, DeliveryLane } from './publication.ts';

export type Answer = Extract<Message, { type: 'answer' }>;

/** What follows from the steps of deliveries, for the books. */
export interface DeliveriesNeeds {
  readonly clock: Clock;
  readonly random: () => number;
  readonly settings: PublishSettings;
  readonly steps: Steps;
  accepted(delivery: Delivery): void;
  rejected(delivery: Delivery): void;
  /** No answer came in time, though the relay serves. */
  unanswered(delivery: Delivery): void;
  /** It is about to be sent again. */
  resent(delivery: Delivery): void;
  /** Whether it is worth a try to tell a relay who we are; and does that. */
  mayAuthenticate(lane: DeliveryLane): boolean;
  authenticate(delivery: Delivery): void;
  /** It is not sent there any more. */
  abandon(delivery: Delivery): void;
}

/** Steps deliveries by their chart, and does on their lanes what the chart says. */
export class Deliveries {
  readonly #needs: DeliveriesNeeds;

  constructor(needs: DeliveriesNeeds) {
    this.#needs = needs;
  }

  /** False when its state does not know the event. */
  step(delivery: Delivery, event: DeliveryEvent): boolean {
    const effects = this.#step(delivery, event);
    if (effects === undefined) return false;
    for (const effect of effects) this.#carryOut(delivery, effect);
    return true;
  }

  /** Takes an answer. False when its delivery does not wait for one. */
  take(delivery: Delivery, message: Answer, at: number): boolean {
    const { lane, publication } = delivery;
    if (lane.owed.get(publication.id) === delivery) {
      lane.owed.delete(publication.id);
      lane.release(delivery);
      return true;
    }
    return message.accepted
      ? this.step(delivery, { type: 'answer.accepted', at, duplicate: message.duplicate })
      : this.step(delivery, {
          type: 'answer.refused',
          at,
          refusal: message.refusal,
          mayAuthenticate: message.refusal.class === 'unauthenticated' && this.#needs.mayAuthenticate(lane),
        });
  }

  /** Nothing more is sent; what is in flight keeps its place in the window, or giving up would let a flood through. */
  close(delivery: Delivery): void {
    const { lane, publication } = delivery;
    this.step(delivery, { type: 'CLOSE' });
    if (!lane.isInFlight(delivery)) return;
    lane.items.delete(publication.id);
    lane.owed.set(publication.id, delivery);
  }

  /** The publication is over. */
  forget(delivery: Delivery): void {
    const { lane, publication } = delivery;
    this.#stopResend(delivery);
    lane.queue.delete(delivery);
    if (lane.items.get(publication.id) === delivery) lane.items.delete(publication.id);
  }

  /** A connection is gone: what was not answered on it waits for another one, before what came later. */
  lost(lane: DeliveryLane, sent: readonly Delivery[]): void {
    const unanswered: Delivery[] = [];
    // What waited until we had authenticated has to begin anew.
    const held = [...lane.items.values()].filter(({ record }) => record.state === 'unauthenticated');
    for (const delivery of [...sent, ...held]) {
      const effects = this.#step(delivery, { type: 'socket.lost' });
      if (!effects?.includes('requeue')) continue;
      this.#stopResend(delivery);
      unanswered.push(delivery);
    }
    const isOver = ({ publication, isAbandoned }: Delivery): boolean => isAbandoned || publication.isSupersededOn(lane);
    lane.putFirst(unanswered.filter((delivery) => !isOver(delivery)));
    for (const delivery of unanswered.filter(isOver)) this.#needs.abandon(delivery);
  }

  resendDelayMs(tries: number): number {
    return resendDelayMs(this.#needs.settings, tries, this.#needs.random());
  }

  #step(delivery: Delivery, event: DeliveryEvent): readonly DeliveryEffect[] | undefined {
    const { record, publication, lane } = delivery;
    const effects = deliveryTable.step(record, event);
    const { listener } = this.#needs.steps;
    if (listener && effects) {
      listener({ chart: 'delivery', id: publication.id, relay: lane.url, event, ...record });
    }
    return effects;
  }

  #carryOut(delivery: Delivery, effect: DeliveryEffect): void {
    const { lane } = delivery;
    switch (effect) {
      case 'reportAccepted':
        lane.release(delivery);
        this.#stopResend(delivery);
        return this.#needs.accepted(delivery);
      case 'reportRejected':
        lane.release(delivery);
        this.#stopResend(delivery);
        return this.#needs.rejected(delivery);
      case 'reportUnknown':
        lane.release(delivery);
        if (lane.isServing) this.#needs.unanswered(delivery);
        return;
      case 'authenticate':
        lane.release(delivery);
        return this.#needs.authenticate(delivery);
      case 'resendLater':
        lane.release(delivery);
        return this.#resendLater(delivery);
      case 'dequeue':
        lane.queue.delete(delivery);
        return this.#stopResend(delivery);
      case 'enqueue':
        lane.queue.add(delivery);
        return;
      // Many are put back at once; `lost` keeps their order.
      case 'requeue':
        return;
    }
  }

  #resendLater(delivery: Delivery): void {
    const { publication, lane, record } = delivery;
    if (publication.isSupersededOn(lane)) return this.#needs.abandon(delivery);
    this.#stopResend(delivery);
    delivery.resendTimer = this.#needs.clock.setTimeout(() => {
      delivery.resendTimer = undefined;
      this.#needs.resent(delivery);
      lane.offer(delivery);
    }, this.resendDelayMs(record.context.tries));
  }

  #stopResend(delivery: Delivery): void {
    if (delivery.resendTimer === undefined) return;
    this.#needs.clock.clearTimeout(delivery.resendTimer);
    delivery.resendTimer = undefined;
  }
}
