import { initialSubscriptionContext } from './subscription.context.ts';
import { subscriptionSetup } from './subscription.setup.ts';

/** What a refusal leads to, whether or not anything had come before it. */
const REFUSED = [
  { guard: 'isAboutRoom', target: 'queued', actions: ['recordRefusal', 'learnRoom', 'releaseSlot', 'enqueue'] },
  { guard: 'mayAuthenticate', target: 'unauthenticated', actions: ['recordRefusal', 'releaseSlot', 'authenticate'] },
  { guard: 'mayPassLater', target: 'resting', actions: ['recordRefusal', 'retryLater', 'releaseSlot'] },
  { target: 'refused', actions: ['recordRefusal', 'releaseSlot', 'reportRefused'] },
] as const;

/**
 * One subscription on one relay.
 *
 * The pool keeps what is wanted; a connection that opens is asked for it anew, once, and nothing that an earlier
 * connection said about it counts any more, but for a refusal that is final. `queued` waits for one of the few that a
 * relay serves at a time, `opening` has been asked and gets what is stored, `live` gets what is new. What a relay refuses
 * for now is asked for again after a delay that grows, or once we have authenticated (NIP-42). A question for what is
 * stored alone ends as `complete`. It runs as data: see `table.ts`.
 */
export const subscriptionMachine = subscriptionSetup.createMachine({
  id: 'subscription',
  context: ({ input }) => initialSubscriptionContext(input),
  initial: 'waiting',
  states: {
    waiting: {
      on: {
        'relay.resumed': { target: 'queued', actions: 'enqueue' },
        CLOSE: { target: 'closed' },
      },
    },
    queued: {
      on: {
        'frame.sent': { target: 'opening', actions: 'recordRequest' },
        'relay.suspended': { target: 'waiting', actions: 'dequeue' },
        'socket.lost': { target: 'waiting', actions: ['dequeue', 'forgetConnection'] },
        CLOSE: { target: 'closed', actions: 'dequeue' },
      },
    },
    opening: {
      on: {
        'answer.ended': [
          {
            guard: 'isOnce',
            target: 'complete',
            actions: ['recordService', 'withdraw', 'releaseSlot', 'reportStored'],
          },
          { target: 'live', actions: ['recordService', 'reportStored'] },
        ],
        'answer.refused': REFUSED,
        'answer.overdue': { target: 'resting', actions: ['recordFailure', 'withdraw', 'retryLater', 'releaseSlot'] },
        'intake.overflowed': {
          target: 'resting',
          actions: ['recordFailure', 'withdraw', 'retryLater', 'releaseSlot'],
        },
        'socket.lost': { target: 'waiting', actions: ['releaseSlot', 'forgetConnection'] },
        CLOSE: { target: 'closed', actions: ['withdraw', 'releaseSlot'] },
      },
    },
    live: {
      on: {
        'answer.refused': REFUSED,
        'intake.overflowed': {
          target: 'resting',
          actions: ['recordFailure', 'withdraw', 'retryLater', 'releaseSlot'],
        },
        'socket.lost': { target: 'waiting', actions: ['releaseSlot', 'forgetConnection'] },
        CLOSE: { target: 'closed', actions: ['withdraw', 'releaseSlot'] },
      },
    },
    resting: {
      on: {
        'retry.due': { target: 'queued', actions: 'enqueue' },
        'socket.lost': { target: 'waiting', actions: ['stopRetry', 'forgetConnection'] },
        CLOSE: { target: 'closed', actions: 'stopRetry' },
      },
    },
    unauthenticated: {
      on: {
        'auth.granted': { target: 'queued', actions: ['recordAuthentication', 'enqueue'] },
        'auth.denied': { target: 'refused', actions: 'reportRefused' },
        'socket.lost': { target: 'waiting', actions: 'forgetConnection' },
        CLOSE: { target: 'closed' },
      },
    },
    refused: {
      on: {
        // The application may have allowed it since.
        'auth.granted': {
          guard: 'mayBeKnown',
          target: 'queued',
          actions: ['recordAuthentication', 'enqueue'],
        },
        // Another connection may come to be known.
        'socket.lost': { guard: 'wasUnauthenticated', target: 'waiting', actions: 'forgetConnection' },
        CLOSE: { target: 'closed' },
      },
    },
    complete: {
      on: { CLOSE: { target: 'closed' } },
    },
    closed: {},
  },
});
