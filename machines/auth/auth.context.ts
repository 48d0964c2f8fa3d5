import { AUTH } from '../policy/limits.ts';
import type { AuthEvent } from './auth.events.ts';

/** What is remembered of authenticating with one key on one connection. */
export interface AuthContext {
  /** The challenge that counts, which is the last one, and how many there were. */
  readonly challenge: string;
  readonly challenges: number;
  /** Why it did not succeed. */
  readonly problem: string | undefined;
}

export const initialAuthContext = (): AuthContext => ({
  challenge: '',
  challenges: 0,
  problem: undefined,
});

/** Whether this is the challenge that counts already. */
export const isRepeated = ({ challenge }: AuthContext, event: AuthEvent): boolean =>
  event.type === 'relay.challenged' && event.challenge === challenge;

/** Whether a relay that sends one more challenge is not listened to any more. */
export const hasEnoughChallenges = ({ challenges }: AuthContext): boolean => challenges >= AUTH.challengesMax;
