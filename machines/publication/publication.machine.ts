import { initialPublicationContext } from './publication.context.ts';
import { publicationSetup } from './publication.setup.ts';

/**
 * One event over all its deliveries, until a quorum of distinct relays has accepted it.
 *
 * It counts hosts, not URLs: two URLs of one host are one voice. `failed` and `cancelled` are told to the caller once,
 * and nothing is sent after that. A confirmed publication goes on with the relays that are left, and becomes
 * `partly-confirmed` again only when another caller asks for a larger quorum. It runs as data: see `table.ts`.
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
