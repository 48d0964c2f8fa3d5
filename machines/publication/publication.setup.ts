import { setup } from 'xstate';
import { type Effects, effects, type Updates, updates } from '../table.ts';
import { losesQuorum, type PublicationContext, type PublicationInput, reachesQuorum } from './publication.context.ts';
import type { PublicationEvent } from './publication.events.ts';

const UPDATES = {
  countAcceptance: (context, event) => ({
    accepted: context.accepted + 1,
    rejected: event.type === 'delivery.accepted' && event.regained ? context.rejected - 1 : context.rejected,
  }),
  countRejection: (context) => ({ rejected: context.rejected + 1 }),
  widen: (context, event) =>
    event.type === 'WIDEN'
      ? { quorum: Math.max(context.quorum, event.quorum), hosts: Math.max(context.hosts, event.hosts) }
      : {},
} satisfies Updates<PublicationContext, PublicationEvent>;

/** What whoever runs a publication does: tell its callers, and stop its deliveries. */
const EFFECTS = {
  reportFirst: {},
  reportConfirmed: {},
  reportFailed: {},
  reportCancelled: {},
  closeDeliveries: {},
} satisfies Effects;

export type PublicationEffect = keyof typeof EFFECTS;

export const publicationSetup = setup({
  types: {
    context: {} as PublicationContext,
    events: {} as PublicationEvent,
    input: {} as PublicationInput,
  },
  guards: {
    isRepeat: ({ event }) => 'distinct' in event && !event.distinct,
    reachesQuorum: ({ context }) => reachesQuorum(context),
    losesQuorum: ({ context }) => losesQuorum(context),
    exceedsConfirmed: ({ context, event }) => event.type === 'WIDEN' && event.quorum > context.accepted,
  },
  actions: { ...updates<PublicationContext, PublicationEvent, typeof UPDATES>(UPDATES), ...effects(EFFECTS) },
});
