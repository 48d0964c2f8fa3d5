import { setup } from 'xstate';
import { type Effects, effects, type Updates, updates } from '../table.ts';
import { losesQuorum, type PublicationContext, type PublicationInput, reachesQuorum } from './publication.context.ts';
import type { PublicationEvent } from './publication.events.ts';

const UPDATES = {
  countAcceptance: (_context, event) =>
    event.type === 'delivery.accepted' ? { accepted: event.accepted, missing: event.missing } : {},
  countRejection: (_context, event) => (event.type === 'delivery.rejected' ? { standing: event.standing } : {}),
  widen: (context, event) =>
    event.type === 'WIDEN'
      ? { quorum: Math.max(context.quorum, event.quorum), missing: event.missing, standing: event.standing }
      : {},
} satisfies Updates<PublicationContext, PublicationEvent>;

/** What whoever runs a publication does: tell its callers, and stop its deliveries. */
const EFFECTS = {
  /** Nothing more is sent. It comes before what is reported, so that no listener can make anything be sent after. */
  closeDeliveries: {},
  reportFirst: {},
  reportConfirmed: {},
  reportFailed: {},
  reportCancelled: {},
} satisfies Effects;

export type PublicationEffect = keyof typeof EFFECTS;

export const publicationSetup = setup({
  types: {
    context: {} as PublicationContext,
    events: {} as PublicationEvent,
    input: {} as PublicationInput,
  },
  guards: {
    reachesQuorum: ({ context, event }) => reachesQuorum(context, event),
    losesQuorum: ({ context, event }) => losesQuorum(context, event),
    exceedsConfirmed: ({ event }) => event.type === 'WIDEN' && event.missing > 0,
  },
  actions: { ...updates<PublicationContext, PublicationEvent, typeof UPDATES>(UPDATES), ...effects(EFFECTS) },
});
