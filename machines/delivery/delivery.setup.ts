import { setup } from 'xstate';
import { type Effects, effects, type Updates, updates } from '../table.ts';
import { type DeliveryContext, type DeliveryInput, mayAuthenticate, mayTryAgain } from './delivery.context.ts';
import type { DeliveryEvent } from './delivery.events.ts';

const UPDATES = {
  countTry: (context, event) =>
    event.type === 'frame.sent'
      ? {
          tries: context.tries + 1,
          sentAt: event.at,
          generation: event.generation,
          refusal: undefined,
          // Nothing of it survives the connection.
          hasAuthenticated: context.hasAuthenticated && event.generation === context.generation,
        }
      : {},
  recordAcceptance: (_context, event) =>
    event.type === 'answer.accepted' ? { answeredAt: event.at, duplicate: event.duplicate } : {},
  recordRefusal: (_context, event) =>
    event.type === 'answer.refused' ? { answeredAt: event.at, refusal: event.refusal } : {},
  recordAuthentication: () => ({ hasAuthenticated: true }),
} satisfies Updates<DeliveryContext, DeliveryEvent>;

/** What whoever runs a delivery does. */
const EFFECTS = {
  /** Take it out of the window and tell the publication that it is stored there. */
  reportAccepted: {},
  /** Take it out of the window and tell the publication that it never will be. */
  reportRejected: {},
  /** Take it out of the window; nobody knows whether it is stored. */
  reportUnknown: {},
  /** Take it out of the window, authenticate, and say how that ended. */
  authenticate: {},
  /** Send it again after a delay. */
  resendLater: {},
  /** Put it back to where it waits for a connection, before what was queued after it. */
  requeue: {},
  /** Put it in the queue. */
  enqueue: {},
  /** Take it out of the queue. */
  dequeue: {},
} satisfies Effects;

export type DeliveryEffect = keyof typeof EFFECTS;

export const deliverySetup = setup({
  types: {
    context: {} as DeliveryContext,
    events: {} as DeliveryEvent,
    input: {} as DeliveryInput,
  },
  guards: {
    wasSent: ({ context }) => context.tries > 0,
    wasRefused: ({ context }) => context.refusal !== undefined,
    mayAuthenticate: ({ context, event }) => mayAuthenticate(context, event),
    mayTryAgain: ({ context, event }) => mayTryAgain(context, event),
  },
  actions: { ...updates<DeliveryContext, DeliveryEvent, typeof UPDATES>(UPDATES), ...effects(EFFECTS) },
});
