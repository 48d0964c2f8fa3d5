import { setup } from 'xstate';
import { type Effects, effects, type Updates, updates } from '../table.ts';
import { type AuthContext, hasEnoughChallenges, isRepeated } from './auth.context.ts';
import type { AuthEvent } from './auth.events.ts';

const UPDATES = {
  recordChallenge: (context, event) =>
    event.type === 'relay.challenged'
      ? { challenge: event.challenge, challenges: context.challenges + 1, problem: undefined }
      : {},
  recordProblem: (_context, event) => {
    if (event.type === 'signer.failed') return { problem: event.problem };
    return event.type === 'answer.refused' ? { problem: event.refusal.text } : {};
  },
  recordOverdue: (_context, event) =>
    event.type === 'challenge.overdue' ? { problem: 'no challenge came' } : { problem: 'no answer came' },
} satisfies Updates<AuthContext, AuthEvent>;

/** What whoever authenticates does. */
const EFFECTS = {
  /** Wait for a challenge, for a while. */
  awaitChallenge: {},
  /** Have the answer to the last challenge signed. */
  sign: {},
  /** Send what was signed, and wait for its answer. */
  send: {},
  /** The relay knows this key by now, or does not take it. */
  reportGranted: {},
  reportDenied: {},
  /** What was refused for want of it may be done again by now, or never. */
  settle: {},
  /** The relay sends challenge after challenge. */
  reportExcess: {},
} satisfies Effects;

export type AuthEffect = keyof typeof EFFECTS;

export const authSetup = setup({
  types: {
    context: {} as AuthContext,
    events: {} as AuthEvent,
  },
  guards: {
    isEager: ({ event }) => event.type === 'relay.challenged' && event.isEager,
    isRepeated: ({ context, event }) => isRepeated(context, event),
    hasEnoughChallenges: ({ context }) => hasEnoughChallenges(context),
  },
  actions: { ...updates<AuthContext, AuthEvent, typeof UPDATES>(UPDATES), ...effects(EFFECTS) },
});
