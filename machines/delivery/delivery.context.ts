import { SUSPECT_EVENT } from '../policy/limits.ts';
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
  /** Connections in a row that the relay ended with the event unanswered. */
  readonly losses: number;
  /** True if the last send was alone on a session that had proved itself. */
  readonly isAlone: boolean;
  /** Why no answer came to the last send, in one line. */
  readonly reason: string | undefined;
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
  losses: 0,
  isAlone: false,
  reason: undefined,
  hasAuthenticated: false,
});

/** Whether the relay would take it from somebody whom it knows, and that has not been tried yet. */
export const mayAuthenticate = (context: DeliveryContext, event: DeliveryEvent): boolean =>
  event.type === 'answer.refused' && event.mayAuthenticate && !context.hasAuthenticated;

/** Whether what the event says about a refusal leaves room for another try. */
export const mayTryAgain = (context: DeliveryContext, event: DeliveryEvent): boolean =>
  event.type === 'answer.refused' && mayPass(event.refusal) && context.tries < context.triesMax;

/** Returns true if the event alone was in flight when the relay ended the connection: it is what kills connections. */
export const isFatal = ({ isAlone }: DeliveryContext, event: DeliveryEvent): boolean =>
  event.type === 'socket.lost' && event.isClosed && isAlone;

/** Returns true if the event may be what kills connections, so that others go first and it goes alone. */
export function isSuspicious({ losses, isAlone }: DeliveryContext, event: DeliveryEvent): boolean {
  if (event.type !== 'socket.lost') return false;
  if (isAlone) return true;
  return event.isClosed && (losses + 1 >= SUSPECT_EVENT.losses || event.isLargest || event.isSuspect);
}
