import type { PublicationEvent } from './publication.events.ts';

/** What a publication decides on. Hosts are counted, not URLs. */
export interface PublicationContext {
  /** Distinct hosts that must accept. */
  readonly quorum: number;
  /** Those that have. */
  readonly accepted: number;
  /** Those that have not and still may. */
  readonly open: number;
}

export interface PublicationInput {
  readonly quorum: number;
  readonly hosts: number;
}

export const initialPublicationContext = ({ quorum, hosts }: PublicationInput): PublicationContext => ({
  quorum,
  accepted: 0,
  open: hosts,
});

/** Whether this acceptance completes the quorum. */
export const reachesQuorum = (context: PublicationContext, event: PublicationEvent): boolean =>
  event.type === 'delivery.accepted' && event.accepted >= context.quorum;

/** Whether this rejection puts the quorum out of reach. */
export const losesQuorum = (context: PublicationContext, event: PublicationEvent): boolean =>
  event.type === 'delivery.rejected' && context.accepted + event.open < context.quorum;
