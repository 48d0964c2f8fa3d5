import { initialAuthContext } from './auth.context.ts';
import { authSetup } from './auth.setup.ts';

/** A challenge that is noted, for whoever has it signed later. */
const CHALLENGED = [
  { guard: 'isRepeated' },
  { guard: 'hasEnoughChallenges', actions: 'reportExcess' },
  { actions: 'recordChallenge' },
] as const;

/** A further challenge where nothing waits for it; it takes the place of the one before. */
const CHALLENGED_AGAIN = [
  { guard: 'isRepeated' },
  { guard: 'hasEnoughChallenges', actions: 'reportExcess' },
  { guard: 'isEager', target: 'signing', actions: ['recordChallenge', 'sign'] },
  { target: 'challenged', actions: 'recordChallenge' },
] as const;

/**
 * Authenticating with one key on one connection (NIP-42).
 *
 * Nothing is signed unless the policy for the relay allows it, and then once something was refused for want of it, or at
 * once where the policy says so. The challenge may come before the refusal or after it; a new one takes the place of the
 * last, and few are listened to; one that is repeated, as by relays that send it with every refusal, is none. It ends with
 * the connection, and nothing of it is carried to the next. It runs as data: see `table.ts`.
 */
export const authMachine = authSetup.createMachine({
  id: 'auth',
  context: initialAuthContext,
  initial: 'idle',
  states: {
    idle: {
      on: {
        'relay.challenged': [
          { guard: 'isEager', target: 'signing', actions: ['recordChallenge', 'sign'] },
          { target: 'challenged', actions: 'recordChallenge' },
        ],
        'auth.required': { target: 'awaited', actions: 'awaitChallenge' },
      },
    },
    challenged: {
      on: {
        'relay.challenged': CHALLENGED,
        'auth.required': { target: 'signing', actions: 'sign' },
      },
    },
    awaited: {
      on: {
        'relay.challenged': { target: 'signing', actions: ['recordChallenge', 'sign'] },
        'challenge.overdue': { target: 'denied', actions: ['recordOverdue', 'reportDenied', 'settle'] },
      },
    },
    // One call at a time: a challenge that comes meanwhile is signed after it.
    signing: {
      on: {
        'relay.challenged': CHALLENGED,
        'signer.signed': { target: 'sent', actions: 'send' },
        'signer.failed': { target: 'denied', actions: ['recordProblem', 'reportDenied', 'settle'] },
      },
    },
    sent: {
      on: {
        'relay.challenged': [
          { guard: 'isRepeated' },
          { guard: 'hasEnoughChallenges', actions: 'reportExcess' },
          { target: 'signing', actions: ['recordChallenge', 'sign'] },
        ],
        'answer.accepted': { target: 'authenticated', actions: ['reportGranted', 'settle'] },
        'answer.refused': { target: 'denied', actions: ['recordProblem', 'reportDenied', 'settle'] },
        'answer.overdue': { target: 'denied', actions: ['recordOverdue', 'reportDenied', 'settle'] },
      },
    },
    authenticated: {
      on: {
        'relay.challenged': CHALLENGED_AGAIN,
        'auth.required': { actions: 'settle' },
      },
    },
    denied: {
      on: {
        'relay.challenged': CHALLENGED_AGAIN,
        'auth.required': { actions: 'settle' },
      },
    },
  },
});
