import type { Refusal } from '../policy/refusal.ts';

/** What authenticating with one key on one connection hears. */
export type AuthEvent =
  /** `isEager` says that it is answered at once; otherwise only once something has been refused. */
  | { readonly type: 'relay.challenged'; readonly challenge: string; readonly isEager: boolean }
  /** The relay refused something until it knows who we are. */
  | { readonly type: 'auth.required' }
  /** No challenge came with the refusal, nor soon after it. */
  | { readonly type: 'challenge.overdue' }
  | { readonly type: 'signer.signed' }
  /** The signer refused, failed, took too long, or signed something else. */
  | { readonly type: 'signer.failed'; readonly problem: string }
  | { readonly type: 'answer.accepted' }
  | { readonly type: 'answer.refused'; readonly refusal: Refusal }
  | { readonly type: 'answer.overdue' };

/** How far it is. */
export type AuthState = 'idle' | 'challenged' | 'awaited' | 'signing' | 'sent' | 'authenticated' | 'denied';
