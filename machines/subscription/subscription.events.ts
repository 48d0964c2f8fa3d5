import type { Refusal } from '../policy/refusal.ts';
import type { RelayStatus } from '../policy/status.ts';

/** What a subscription hears of one relay. Times are milliseconds of the pool's clock. */
export type SubscriptionEvent =
  /** The request went out on the socket of this generation: there was a slot for it. */
  | { readonly type: 'frame.sent'; readonly at: number; readonly generation: number }
  /** All that the relay had stored has come and been looked at. */
  | { readonly type: 'answer.ended'; readonly at: number }
  /** The relay closed it. `isAboutRoom` says that it had too many already; `mayAuthenticate` that it is worth a try. */
  | {
      readonly type: 'answer.refused';
      readonly at: number;
      readonly refusal: Refusal;
      readonly isAboutRoom: boolean;
      readonly mayAuthenticate: boolean;
    }
  /** The relay has said nothing about it, though it answers others. */
  | { readonly type: 'answer.overdue'; readonly at: number }
  /** More came than could be looked at in time: some of it was passed over and has to be asked for again. */
  | { readonly type: 'intake.overflowed'; readonly at: number }
  | { readonly type: 'socket.lost' }
  /** The relay does not serve for now, or does again. */
  | { readonly type: 'relay.suspended' }
  | { readonly type: 'relay.resumed' }
  /** The wait after a refusal is over. */
  | { readonly type: 'retry.due' }
  /** The relay knows by now who we are, or never will on this connection. */
  | { readonly type: 'auth.granted' }
  | { readonly type: 'auth.denied' }
  /** Nobody wants it there any more. */
  | { readonly type: 'CLOSE' };

/** How a subscription stands at one relay. */
export type SubscriptionState =
  | 'waiting'
  | 'queued'
  | 'opening'
  | 'live'
  | 'resting'
  | 'unauthenticated'
  | 'refused'
  | 'complete'
  | 'closed';

/** How a subscription stands at one relay, and why it is not served there. */
export interface SubscriptionStanding {
  readonly state: SubscriptionState;
  readonly relay: RelayStatus;
  /** Whether all that the relay had stored has come since it was last asked. */
  readonly isStoredComplete: boolean;
  /** The words with which the relay closed it last. */
  readonly refusal?: Refusal;
  /**
   * What else keeps it from being served: the relay says nothing at all, or nothing about it, or has sent more than could be
   * looked at.
   */
  readonly trouble?: 'silent' | 'unanswered' | 'overflowed';
  /** Milliseconds until it is asked for again, where that is known. */
  readonly retryInMs?: number;
}

/** An event that came by a subscription: verified, frozen, and for the first time. */
export interface ReceivedEvent<Event = unknown> {
  readonly event: Event;
  /** The relay that sent it first. */
  readonly relay: string;
  /** Whether the relay had it stored when it was asked; otherwise it is new. */
  readonly stored: boolean;
}

/** Why a subscription is over. `refused`: no relay will serve it; `buffer-full`: it was read too slowly. */
export type SubscriptionEnd = 'closed' | 'replaced' | 'refused' | 'buffer-full' | 'pool-closed';

interface OfSubscription {
  /** The id that it was given, by its caller or by the pool. */
  readonly id: string;
}

/** What is reported of a subscription. */
export type SubscriptionFact =
  | ({ readonly type: 'subscription.accepted' } & OfSubscription)
  | ({ readonly type: 'subscription.refused'; readonly problem: string } & OfSubscription)
  | ({ readonly type: 'subscription.event' } & ReceivedEvent & OfSubscription)
  /** All that was stored has come, from every relay that it is on (`complete`) or from those that were in time. */
  | ({ readonly type: 'subscription.eose'; readonly complete: boolean } & OfSubscription)
  | ({
      readonly type: 'subscription.status-changed';
      readonly relay: string;
      readonly state: SubscriptionState;
      readonly refusal?: Refusal;
      readonly trouble?: NonNullable<SubscriptionStanding['trouble']>;
    } & OfSubscription)
  | ({ readonly type: 'subscription.closed'; readonly cause: SubscriptionEnd } & OfSubscription);
