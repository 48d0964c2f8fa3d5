import { initialDeliveryContext } from './delivery.context.ts';
import { deliverySetup } from './delivery.setup.ts';

/**
 * One event on its way to one relay.
 *
 * `unknown` is not failed: the frame went out and no answer came, so the relay may have it. It is safe to send again,
 * because an event's id is a hash of its content, and a late answer still counts. `deferred` was refused for now: another
 * relay is asked at once, and this one again after a delay if copies are missing. `skipped` was not sent, because the relay
 * does not serve.
 *
 * An event that was in flight on two losses in a row may be what kills the connections. It is `quarantined`: others go
 * first, then it goes alone. If that connection is lost as well, it is `given-up` there.
 *
 * `accepted` is the only state that nothing can leave; a rejection gives way to a later acceptance (NIP-01 has relays answer
 * by id, and some answer twice). It runs as data: see `table.ts`.
 */
export const deliveryMachine = deliverySetup.createMachine({
  id: 'delivery',
  context: ({ input }) => initialDeliveryContext(input),
  initial: 'queued',
  states: {
    queued: {
      on: {
        'frame.sent': { target: 'sent', actions: 'countTry' },
        'answer.accepted': {
          guard: 'wasSent',
          target: 'accepted',
          actions: ['recordAcceptance', 'dequeue', 'reportAccepted'],
        },
        'limit.exceeded': { target: 'rejected', actions: ['recordRefusal', 'dequeue', 'reportRejected'] },
        'relay.suspended': { target: 'skipped', actions: 'dequeue' },
        CLOSE: [
          { guard: 'wasRefused', target: 'rejected', actions: ['dequeue', 'reportRejected'] },
          { target: 'skipped', actions: 'dequeue' },
        ],
      },
    },
    sent: {
      on: {
        'answer.accepted': { target: 'accepted', actions: ['recordAcceptance', 'reportAccepted'] },
        'answer.refused': [
          { guard: 'mayAuthenticate', target: 'unauthenticated', actions: ['recordRefusal', 'authenticate'] },
          { guard: 'mayTryAgain', target: 'deferred', actions: ['recordRefusal', 'resendLater', 'reportDeferred'] },
          { target: 'rejected', actions: ['recordRefusal', 'reportRejected'] },
        ],
        'answer.overdue': { target: 'unknown', actions: ['recordOverdue', 'reportUnknown', 'resendLater'] },
        'socket.lost': [
          { guard: 'isFatal', target: 'given-up', actions: ['recordLoss', 'reportGivenUp'] },
          { guard: 'isSuspicious', target: 'quarantined', actions: ['recordLoss', 'reportUnknown', 'quarantine'] },
          { target: 'unknown', actions: ['recordLoss', 'reportUnknown', 'requeue'] },
        ],
        // It keeps its place in the window: the relay has it, and its answer is pending.
        CLOSE: { target: 'unknown' },
      },
    },
    unknown: {
      on: {
        'frame.sent': { target: 'sent', actions: 'countTry' },
        'answer.accepted': { target: 'accepted', actions: ['recordAcceptance', 'dequeue', 'reportAccepted'] },
        'answer.refused': [
          {
            guard: 'mayAuthenticate',
            target: 'unauthenticated',
            actions: ['recordRefusal', 'dequeue', 'authenticate'],
          },
          {
            guard: 'mayTryAgain',
            target: 'deferred',
            actions: ['recordRefusal', 'dequeue', 'resendLater', 'reportDeferred'],
          },
          { target: 'rejected', actions: ['recordRefusal', 'dequeue', 'reportRejected'] },
        ],
        'limit.exceeded': { target: 'rejected', actions: ['recordRefusal', 'dequeue', 'reportRejected'] },
        'socket.lost': { actions: 'requeue' },
        CLOSE: { actions: 'dequeue' },
      },
    },
    deferred: {
      on: {
        'retry.due': { target: 'queued', actions: 'enqueue' },
        'answer.accepted': { target: 'accepted', actions: ['recordAcceptance', 'dequeue', 'reportAccepted'] },
        'answer.refused': [
          { guard: 'mayTryAgain', actions: 'recordRefusal' },
          { target: 'rejected', actions: ['recordRefusal', 'dequeue', 'reportRejected'] },
        ],
        'limit.exceeded': { target: 'rejected', actions: ['recordRefusal', 'dequeue', 'reportRejected'] },
        'relay.suspended': { target: 'skipped', actions: 'dequeue' },
        CLOSE: { target: 'rejected', actions: ['dequeue', 'reportRejected'] },
      },
    },
    quarantined: {
      on: {
        'frame.sent': { target: 'sent', actions: 'countTry' },
        'answer.accepted': { target: 'accepted', actions: ['recordAcceptance', 'dequeue', 'reportAccepted'] },
        'answer.refused': [
          { guard: 'mayTryAgain', actions: 'recordRefusal' },
          { target: 'rejected', actions: ['recordRefusal', 'dequeue', 'reportRejected'] },
        ],
        'limit.exceeded': { target: 'rejected', actions: ['recordRefusal', 'dequeue', 'reportRejected'] },
        CLOSE: { actions: 'dequeue' },
      },
    },
    // The relay refused it until it knows who we are.
    unauthenticated: {
      on: {
        'auth.granted': { target: 'queued', actions: ['recordAuthentication', 'enqueue'] },
        'auth.denied': { target: 'rejected', actions: 'reportRejected' },
        'socket.lost': { target: 'queued', actions: 'requeue' },
        'answer.accepted': { target: 'accepted', actions: ['recordAcceptance', 'reportAccepted'] },
        CLOSE: { target: 'rejected', actions: 'reportRejected' },
      },
    },
    skipped: {
      on: {
        'relay.resumed': { target: 'queued', actions: 'enqueue' },
        'limit.exceeded': { target: 'rejected', actions: ['recordRefusal', 'dequeue', 'reportRejected'] },
        'answer.accepted': { guard: 'wasSent', target: 'accepted', actions: ['recordAcceptance', 'reportAccepted'] },
      },
    },
    rejected: {
      on: {
        'answer.accepted': { target: 'accepted', actions: ['recordAcceptance', 'reportAccepted'] },
      },
    },
    'given-up': {
      on: {
        'answer.accepted': { target: 'accepted', actions: ['recordAcceptance', 'reportAccepted'] },
      },
    },
    accepted: {},
  },
});
