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
  /** Whether it was sent on this connection after we had authenticated for it; once is enough. */
  readonly hasAuthenticated: boolean;
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
  hasAuthenticated: false,
});

/** Whether the relay would take it from somebody whom it knows, and that has not been tried yet. */
export const mayAuthenticate = (context: DeliveryContext, event: DeliveryEvent): boolean =>
  event.type === 'answer.refused' && event.mayAuthenticate && !context.hasAuthenticated;

/** Whether what the event says about a refusal leaves room for another try. */
export const mayTryAgain = (context: DeliveryContext, event: DeliveryEvent): boolean =>
  event.type === 'answer.refused' && mayPass(event.refusal) && context.tries < context.triesMax;
