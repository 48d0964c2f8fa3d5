import type { Refusal } from '../policy/refusal.ts';

/** What a delivery hears. Times are milliseconds of the pool's clock. */
export type DeliveryEvent =
  /** The frame went out on the socket of this generation. */
  | { readonly type: 'frame.sent'; readonly at: number; readonly generation: number }
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
  | { readonly type: 'socket.lost' }
  /** The relay does not serve for now, or does again. */
  | { readonly type: 'relay.suspended' }
  | { readonly type: 'relay.resumed' }
  /** The relay knows by now who we are, or never will on this connection. */
  | { readonly type: 'auth.granted' }
  | { readonly type: 'auth.denied' }
  /** The publication is over, or the relay was removed: nothing more is sent. */
  | { readonly type: 'CLOSE' };
