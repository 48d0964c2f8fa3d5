import { setup } from 'xstate';
import { type Effects, effects, type Updates, updates } from '../table.ts';
import {
  type DeliveryContext,
  type DeliveryInput,
  isFatal,
  isSuspicious,
  mayAuthenticate,
  mayTryAgain,
} from './delivery.context.ts';
import type { DeliveryEvent } from './delivery.events.ts';

const UPDATES = {
  countTry: (context, event) =>
    event.type === 'frame.sent'
      ? {
          tries: context.tries + 1,
          sentAt: event.at,
          generation: event.generation,
          refusal: undefined,
          isAlone: event.isAlone === true,
          reason: undefined,
          // Nothing of it survives the connection.
          hasAuthenticated: context.hasAuthenticated && event.generation === context.generation,
        }
      : {},
  recordAcceptance: (_context, event) =>
    event.type === 'answer.accepted' ? { answeredAt: event.at, duplicate: event.duplicate } : {},
  recordRefusal: (_context, event) =>
    event.type === 'answer.refused' || event.type === 'limit.exceeded'
      ? { answeredAt: event.at, refusal: event.refusal }
      : {},
  recordOverdue: () => ({ reason: 'no answer in time' }),
  recordLoss: (context, event) =>
    event.type === 'socket.lost' ? { losses: context.losses + (event.isClosed ? 1 : 0), reason: event.reason } : {},
  recordAuthentication: () => ({ hasAuthenticated: true }),
} satisfies Updates<DeliveryContext, DeliveryEvent>;

/** Effects of a delivery, for whoever runs it. */
const EFFECTS = {
  /** Take it out of the window and tell the publication that it is stored there. */
  reportAccepted: {},
  /** Take it out of the window and tell the publication that it never will be. */
  reportRejected: {},
  /** Take it out of the window and have another relay asked in the same turn. */
  reportDeferred: {},
  /** Take it out of the window; it may be stored there. */
  reportUnknown: {},
  /** Take it out of the window; it is not sent there any more. */
  reportGivenUp: {},
  /** Take it out of the window, authenticate, and report how that ended. */
  authenticate: {},
  /** Send it again after a delay. */
  resendLater: {},
  /** Put it back where it waits for a connection, before what was queued after it. */
  requeue: {},
  /** Let it wait until it can be sent alone. */
  quarantine: {},
  /** Put it in the queue. */
  enqueue: {},
  /** Take it out of the queue, or out of quarantine, and end its delay. */
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
    isFatal: ({ context, event }) => isFatal(context, event),
    isSuspicious: ({ context, event }) => isSuspicious(context, event),
  },
  actions: { ...updates<DeliveryContext, DeliveryEvent, typeof UPDATES>(UPDATES), ...effects(EFFECTS) },
});
