/** What a publication decides on. */
export interface PublicationContext {
  /** Distinct hosts that must accept. */
  readonly quorum: number;
  /** Distinct hosts that may be asked. */
  readonly hosts: number;
  readonly accepted: number;
  readonly rejected: number;
}

export interface PublicationInput {
  readonly quorum: number;
  readonly hosts: number;
}

export const initialPublicationContext = ({ quorum, hosts }: PublicationInput): PublicationContext => ({
  quorum,
  hosts,
  accepted: 0,
  rejected: 0,
});

/** Whether one more acceptance completes the quorum. */
export const reachesQuorum = (context: PublicationContext): boolean => context.accepted + 1 >= context.quorum;

/** Whether one more rejection puts the quorum out of reach. */
export const losesQuorum = (context: PublicationContext): boolean =>
  context.hosts - (context.rejected + 1) < context.quorum;
