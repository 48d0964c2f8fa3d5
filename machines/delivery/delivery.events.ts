import type { Refusal } from '../policy/refusal.ts';

/** Events of a delivery. Times are milliseconds of the pool's clock. */
export type DeliveryEvent =
  /**
   * The frame went out on the socket of this generation. `isAlone` says that the session had proved itself, that nothing else
   * was unanswered there, and that nothing else is sent before the answer.
   */
  | { readonly type: 'frame.sent'; readonly at: number; readonly generation: number; readonly isAlone?: boolean }
  | { readonly type: 'answer.accepted'; readonly at: number; readonly duplicate: boolean }
  /** `mayAuthenticate` says that it would be worth a try to tell the relay who we are. */
  | {
      readonly type: 'answer.refused';
      readonly at: number;
      readonly refusal: Refusal;
      readonly mayAuthenticate: boolean;
    }
  /** No answer came in time; one may still come. */
  | { readonly type: 'answer.overdue' }
  /**
   * The connection ended with the event unanswered. `isClosed` says that the relay ended it; `isLargest` that no larger event was
   * unanswered and the relay has never taken one as large; `isSuspect` that the event was set aside at another relay.
   */
  | {
      readonly type: 'socket.lost';
      readonly isClosed: boolean;
      readonly isLargest: boolean;
      readonly isSuspect: boolean;
      readonly reason: string;
    }
  /** The relay takes no frame as large as this one. */
  | { readonly type: 'limit.exceeded'; readonly at: number; readonly refusal: Refusal }
  /** The delay after a refusal for now is over, and copies are missing. */
  | { readonly type: 'retry.due' }
  /** The relay does not serve for now, or does again. */
  | { readonly type: 'relay.suspended' }
  | { readonly type: 'relay.resumed' }
  /** The relay knows by now who we are, or never will on this connection. */
  | { readonly type: 'auth.granted' }
  | { readonly type: 'auth.denied' }
  /** The publication is over, or the relay was removed: nothing more is sent. */
  | { readonly type: 'CLOSE' };
