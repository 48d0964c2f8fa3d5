import { mayPass, type Refusal } from '../policy/refusal.ts';
import type { DeliveryEvent } from './delivery.events.ts';

/** What is remembered of one event on its way to one relay. */
export interface DeliveryContext {
  /** Times it was sent. */
  readonly tries: number;
  readonly triesMax: number;
  /** Generation of the socket that it was last sent on, and when. */
  readonly generation: number;
  readonly sentAt: number;
  /** When the relay answered, whether it had the event already, and its last refusal. */
  readonly answeredAt: number;
  readonly duplicate: boolean;
  readonly refusal: Refusal | undefined;
}

export interface DeliveryInput {
  readonly triesMax: number;
}

export const initialDeliveryContext = ({ triesMax }: DeliveryInput): DeliveryContext => ({
  tries: 0,
  triesMax,
  generation: 0,
  sentAt: 0,
  answeredAt: 0,
  duplicate: false,
  refusal: undefined,
});

/** Whether what the event says about a refusal leaves room for another try. */
export const mayTryAgain = (context: DeliveryContext, event: DeliveryEvent): boolean =>
  event.type === 'answer.refused' && mayPass(event.refusal) && context.tries < context.triesMax;
