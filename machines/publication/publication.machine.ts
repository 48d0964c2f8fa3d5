import { initialPublicationContext } from './publication.context.ts';
import { publicationSetup } from './publication.setup.ts';

/**
 * One event over all its deliveries, until every call that publishes it has its quorum of distinct relays.
 *
 * It counts hosts, not URLs: two URLs of one host are one voice. Each call has relays and a quorum of its own, and a receipt
 * that speaks of them; a call that cannot reach its quorum any more ends alone. `failed` and `cancelled` are reported once,
 * and nothing is sent after that. A confirmed publication goes on with the relays that are left, and becomes
 * `partly-confirmed` again only if another call lacks something. It runs as data: see `table.ts`.
 */
export const publicationMachine = publicationSetup.createMachine({
  id: 'publication',
  context: ({ input }) => initialPublicationContext(input),
  initial: 'pending',
  states: {
    pending: {
      on: {
        'delivery.accepted': [
          {
            guard: 'reachesQuorum',
            target: 'confirmed',
            actions: ['countAcceptance', 'reportFirst', 'reportConfirmed'],
          },
          { target: 'partly-confirmed', actions: ['countAcceptance', 'reportFirst'] },
        ],
        'delivery.rejected': [
          { guard: 'losesQuorum', target: 'failed', actions: ['countRejection', 'closeDeliveries', 'reportFailed'] },
          { actions: 'countRejection' },
        ],
        WIDEN: { actions: 'widen' },
        CANCEL: { target: 'cancelled', actions: ['closeDeliveries', 'reportCancelled'] },
        'deadline.passed': { target: 'failed', actions: ['closeDeliveries', 'reportFailed'] },
      },
    },
    'partly-confirmed': {
      on: {
        'delivery.accepted': [
          { guard: 'reachesQuorum', target: 'confirmed', actions: ['countAcceptance', 'reportConfirmed'] },
          { actions: 'countAcceptance' },
        ],
        'delivery.rejected': [
          { guard: 'losesQuorum', target: 'failed', actions: ['countRejection', 'closeDeliveries', 'reportFailed'] },
          { actions: 'countRejection' },
        ],
        WIDEN: { actions: 'widen' },
        CANCEL: { target: 'cancelled', actions: ['closeDeliveries', 'reportCancelled'] },
        'deadline.passed': { target: 'failed', actions: ['closeDeliveries', 'reportFailed'] },
      },
    },
    confirmed: {
      on: {
        'delivery.accepted': { actions: 'countAcceptance' },
        'delivery.rejected': { actions: 'countRejection' },
        WIDEN: [{ guard: 'exceedsConfirmed', target: 'partly-confirmed', actions: 'widen' }, { actions: 'widen' }],
        CANCEL: { actions: 'closeDeliveries' },
        'deadline.passed': { actions: 'closeDeliveries' },
      },
    },
    failed: {},
    cancelled: {},
  },
});
