import type { PublicationEvent } from './publication.events.ts';

/** Counts that a publication decides on. Hosts are counted, not URLs. */
export interface PublicationContext {
  /** Distinct hosts that must accept, for the call that asks for most. */
  readonly quorum: number;
  /** Distinct hosts that have accepted. */
  readonly accepted: number;
  /** Acceptances that are missing until every call has its quorum, for the call that lacks most. */
  readonly missing: number;
  /** Calls that have their quorum or may still reach it. */
  readonly standing: number;
}

export interface PublicationInput {
  readonly quorum: number;
}

export const initialPublicationContext = ({ quorum }: PublicationInput): PublicationContext => ({
  quorum,
  accepted: 0,
  missing: quorum,
  standing: 1,
});

/** Returns true if this acceptance completes the quorum of every call. */
export const reachesQuorum = (_context: PublicationContext, event: PublicationEvent): boolean =>
  event.type === 'delivery.accepted' && event.missing === 0;

/** Returns true if no call can reach its quorum any more. */
export const losesQuorum = (_context: PublicationContext, event: PublicationEvent): boolean =>
  event.type === 'delivery.rejected' && event.standing === 0;
