import type { Refusal } from '../policy/refusal.ts';
import { mayBeAskedAgain, wasServedForLong } from '../policy/request.ts';
import type { SubscriptionEvent } from './subscription.events.ts';

/** What is remembered of one subscription at one relay. */
export interface SubscriptionContext {
  /** Whether it ends with what is stored. */
  readonly isOnce: boolean;
  /** Times that it was asked for since the relay last served it for a while. */
  readonly tries: number;
  /** Generation of the socket that it was last sent on, and when. */
  readonly generation: number;
  readonly sentAt: number;
  /** When all that was stored had come. */
  readonly servedAt: number;
  /** Why the relay does not serve it, by its own words. */
  readonly refusal: Refusal | undefined;
  /** Why it rests where the relay has said nothing of it: it did not answer in time, or sent more than could be looked at. */
  readonly trouble: 'unanswered' | 'overflowed' | undefined;
  /** Whether it was refused on this connection until we authenticate; it is sent once more after that. */
  readonly hasAuthenticated: boolean;
}

export interface SubscriptionInput {
  readonly isOnce: boolean;
  /** Times that it was asked for in vain on this connection before it went elsewhere. Default 0. */
  readonly tries?: number;
}

export const initialSubscriptionContext = ({ isOnce, tries = 0 }: SubscriptionInput): SubscriptionContext => ({
  isOnce,
  tries,
  generation: 0,
  sentAt: 0,
  servedAt: 0,
  refusal: undefined,
  trouble: undefined,
  hasAuthenticated: false,
});

const isRefusal = (event: SubscriptionEvent): event is Extract<SubscriptionEvent, { type: 'answer.refused' }> =>
  event.type === 'answer.refused';

/** How often it was asked for in vain, where it fails at this time. A relay that serves for a moment only has not served. */
export const triesAfterFailure = ({ tries, servedAt }: SubscriptionContext, at: number): number =>
  servedAt > 0 && wasServedForLong(servedAt, at) ? 1 : tries;

/** Whether the relay would serve it, had it not so many already. */
export const isAboutRoom = (event: SubscriptionEvent): boolean => isRefusal(event) && event.isAboutRoom;

/** Whether the relay would serve it, did it know who we are, and that has not been tried yet. */
export const mayAuthenticate = (context: SubscriptionContext, event: SubscriptionEvent): boolean =>
  isRefusal(event) && event.mayAuthenticate && !context.hasAuthenticated;

/** Whether the relay has refused it because it does not know who we are, and could learn that on this connection. */
export const mayBeKnown = ({ refusal, hasAuthenticated }: SubscriptionContext): boolean =>
  refusal?.class === 'unauthenticated' && !hasAuthenticated;

/** Whether the relay may serve it later. */
export const mayPassLater = (event: SubscriptionEvent): boolean => isRefusal(event) && mayBeAskedAgain(event.refusal);
