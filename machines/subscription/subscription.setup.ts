import { setup } from 'xstate';
import { type Effects, effects, type Updates, updates } from '../table.ts';
import {
  initialSubscriptionContext,
  isAboutRoom,
  mayAuthenticate,
  mayBeKnown,
  mayPassLater,
  type SubscriptionContext,
  type SubscriptionInput,
  triesAfterFailure,
} from './subscription.context.ts';
import type { SubscriptionEvent } from './subscription.events.ts';

const UPDATES = {
  recordRequest: (context, event) =>
    event.type === 'frame.sent' ? { tries: context.tries + 1, sentAt: event.at, generation: event.generation } : {},
  recordService: (_context, event) =>
    event.type === 'answer.ended' ? { servedAt: event.at, refusal: undefined, trouble: undefined } : {},
  recordRefusal: (context, event) =>
    event.type === 'answer.refused'
      ? { tries: triesAfterFailure(context, event.at), servedAt: 0, refusal: event.refusal, trouble: undefined }
      : {},
  recordFailure: (context, event) =>
    event.type === 'answer.overdue' || event.type === 'intake.overflowed'
      ? {
          tries: triesAfterFailure(context, event.at),
          servedAt: 0,
          refusal: undefined,
          trouble: event.type === 'answer.overdue' ? 'unanswered' : 'overflowed',
        }
      : {},
  recordAuthentication: () => ({ hasAuthenticated: true }),
  // Nothing of it survives the connection.
  forgetConnection: ({ isOnce }) => initialSubscriptionContext({ isOnce }),
} satisfies Updates<SubscriptionContext, SubscriptionEvent>;

/** What whoever runs a subscription does. */
const EFFECTS = {
  /** Let it wait for a slot. */
  enqueue: {},
  dequeue: {},
  /** Its slot is free for another. */
  releaseSlot: {},
  /** Tell the relay that it is not wanted any more. */
  withdraw: {},
  /** Ask for it again after a delay. */
  retryLater: {},
  stopRetry: {},
  /** The relay takes no more than it has. */
  learnRoom: {},
  /** Authenticate, and say how that ended. */
  authenticate: {},
  /** All that was stored has come. */
  reportStored: {},
  /** The relay will not serve it. */
  reportRefused: {},
} satisfies Effects;

export type SubscriptionEffect = keyof typeof EFFECTS;

export const subscriptionSetup = setup({
  types: {
    context: {} as SubscriptionContext,
    events: {} as SubscriptionEvent,
    input: {} as SubscriptionInput,
  },
  guards: {
    isOnce: ({ context }) => context.isOnce,
    isAboutRoom: ({ event }) => isAboutRoom(event),
    mayAuthenticate: ({ context, event }) => mayAuthenticate(context, event),
    mayBeKnown: ({ context }) => mayBeKnown(context),
    wasUnauthenticated: ({ context }) => context.refusal?.class === 'unauthenticated',
    mayPassLater: ({ event }) => mayPassLater(event),
  },
  actions: { ...updates<SubscriptionContext, SubscriptionEvent, typeof UPDATES>(UPDATES), ...effects(EFFECTS) },
});
