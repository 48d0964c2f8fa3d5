/**
 * What a refusal means for the message that was refused.
 * - `final`: this relay will never take it.
 * - `passing`: it may be taken later.
 * - `paced`: it may be taken later, and the relay wants to be asked less often.
 * - `unauthenticated`: it would be taken from somebody who has authenticated.
 */
export type RefusalClass = 'final' | 'passing' | 'paced' | 'unauthenticated';

/** A refusal as the codec read it. */
export interface Refusal {
  readonly class: RefusalClass;
  /** The machine-readable word in front, such as `blocked`; `unspecified` when there was none. */
  readonly prefix: string;
  /** The words for people, cut to a safe length, without control characters. */
  readonly text: string;
}

/** Whether another try can change the answer. */
export const mayPass = (refusal: Refusal): boolean => refusal.class === 'passing' || refusal.class === 'paced';

/** Whether the refusal says that the relay itself is failing, so that its breaker and health should know. */
export const isRelayFault = (refusal: Refusal): boolean => refusal.class === 'passing';
