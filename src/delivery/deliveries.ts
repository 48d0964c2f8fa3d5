import type { DeliveryEvent } from '../../machines/delivery/delivery.events.ts';
import type { DeliveryEffect } from '../../machines/delivery/delivery.setup.ts';
import { deliveryTable } from '../../machines/delivery/delivery.table.ts';
import { type CloseReport, endReason, isTooBig } from '../../machines/policy/close.ts';
import { SUSPECT_EVENT } from '../../machines/policy/limits.ts';
import type { Refusal } from '../../machines/policy/refusal.ts';
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
  /** Settings as they are now. */
  settings(): PublishSettings;
  readonly steps: Steps;
  accepted(delivery: Delivery): void;
  rejected(delivery: Delivery): void;
  /** The relay refused it for now: another is asked in the same turn. */
  deferred(delivery: Delivery): void;
  /** No answer came in time, though the relay serves. */
  unanswered(delivery: Delivery): void;
  /** It may be stored there; no answer came, in time or before the connection ended. */
  unknown(delivery: Delivery): void;
  /** It was lost with its connection each time, and is not sent there any more. */
  givenUp(delivery: Delivery): void;
  /** The relay closed its connection because of a frame of so many bytes. */
  limitFound(lane: DeliveryLane, bytes: number): void;
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
    lane.dequeue(delivery);
    if (lane.items.get(publication.id) === delivery) lane.items.delete(publication.id);
  }

  /**
   * A connection is gone: what was not answered on it waits for another one, before what came later. `report` says how the
   * relay ended it; nothing if the pool did.
   */
  lost(lane: DeliveryLane, sent: readonly Delivery[], report?: CloseReport): void {
    const largest = sent.reduce<Delivery | undefined>(
      (most, each) => (most && most.frame.length >= each.frame.length ? most : each),
      undefined,
    );
    const isUnseen = largest !== undefined && largest.frame.length > lane.largestTaken;
    if (report && largest && isUnseen && isTooBig(report)) this.#refuseSize(largest, report);
    const reason = report ? endReason(report) : 'connection lost';
    const unanswered: Delivery[] = [];
    // What waited until we had authenticated has to begin anew.
    const held = [...lane.items.values()].filter(({ record }) => record.state === 'unauthenticated');
    for (const delivery of [...sent, ...held]) {
      const isLargest = isUnseen && delivery === largest && delivery.frame.length >= SUSPECT_EVENT.bytesMin;
      const { isSuspect } = delivery.publication;
      const event = { type: 'socket.lost', isClosed: report !== undefined, isLargest, isSuspect, reason } as const;
      const effects = this.#step(delivery, event);
      if (effects?.includes('quarantine')) this.#quarantine(delivery);
      if (effects?.includes('reportGivenUp')) this.#needs.givenUp(delivery);
      if (!effects?.includes('requeue')) continue;
      this.#stopResend(delivery);
      unanswered.push(delivery);
    }
    const isOver = ({ publication, isAbandoned }: Delivery): boolean => isAbandoned || publication.isSupersededOn(lane);
    lane.putFirst(unanswered.filter((delivery) => !isOver(delivery)));
    for (const delivery of unanswered.filter(isOver)) this.#needs.abandon(delivery);
    for (const delivery of sent) if (delivery.record.state === 'unknown') this.#needs.unknown(delivery);
  }

  /** The relay takes no frame as large as this one. */
  refuseLarge(delivery: Delivery, bytesMax: number): void {
    const text = `the event takes ${delivery.bytes} bytes; this relay takes ${bytesMax}`;
    this.step(delivery, { type: 'limit.exceeded', at: this.#needs.clock.now(), refusal: tooLarge(text) });
  }

  #refuseSize(delivery: Delivery, report: CloseReport): void {
    const at = this.#needs.clock.now();
    const refusal = tooLarge(`${endReason(report)} (the event takes ${delivery.bytes} bytes)`);
    this.step(delivery, { type: 'answer.refused', at, refusal, mayAuthenticate: false });
    this.#needs.limitFound(delivery.lane, delivery.bytes);
  }

  #quarantine(delivery: Delivery): void {
    const { lane, publication } = delivery;
    this.#stopResend(delivery);
    publication.isSuspect = true;
    if (delivery.isAbandoned || publication.isSupersededOn(lane)) return this.#needs.abandon(delivery);
    lane.quarantine(delivery);
    this.#needs.unknown(delivery);
  }

  resendDelayMs(tries: number): number {
    return resendDelayMs(this.#needs.settings(), tries, this.#needs.random());
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
        return this.#needs.unknown(delivery);
      case 'reportDeferred':
        lane.release(delivery);
        return this.#needs.deferred(delivery);
      case 'reportGivenUp':
        lane.release(delivery);
        return this.#needs.givenUp(delivery);
      case 'authenticate':
        lane.release(delivery);
        return this.#needs.authenticate(delivery);
      case 'resendLater':
        lane.release(delivery);
        return this.#resendLater(delivery);
      case 'dequeue':
        lane.dequeue(delivery);
        return this.#stopResend(delivery);
      case 'enqueue':
        lane.queue.add(delivery);
        return;
      // Many are lost at once; `lost` keeps their order.
      case 'requeue':
      case 'quarantine':
        return;
    }
  }

  #resendLater(delivery: Delivery): void {
    const { publication, lane, record } = delivery;
    if (publication.isSupersededOn(lane)) return this.#needs.abandon(delivery);
    this.#stopResend(delivery);
    delivery.resendTimer = this.#needs.clock.setTimeout(() => {
      delivery.resendTimer = undefined;
      if (record.state === 'deferred') return this.#retry(delivery);
      this.#needs.resent(delivery);
      lane.offer(delivery);
    }, this.resendDelayMs(record.context.tries));
  }

  /** The relay is asked again if copies are missing; otherwise it stays as it is, until they are. */
  #retry(delivery: Delivery): void {
    if (!delivery.publication.wantsMore) return;
    this.step(delivery, { type: 'retry.due' });
    delivery.lane.pump();
  }

  #stopResend(delivery: Delivery): void {
    if (delivery.resendTimer === undefined) return;
    this.#needs.clock.clearTimeout(delivery.resendTimer);
    delivery.resendTimer = undefined;
  }
}

const tooLarge = (text: string): Refusal => ({ class: 'final', prefix: 'too-large', text });
