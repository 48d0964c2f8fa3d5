import type { PublicationFact } from '../../machines/publication/publication.events.ts';
import type { Clock } from '../clock.ts';
import type { Delivery, DeliveryLane, Publication } from './publication.ts';

/** What is reported of a publication. Facts are only made where somebody listens. */
export const accepted = ({ id, copies, record, durability }: Publication): PublicationFact => ({
  type: 'publication.accepted',
  id,
  relays: copies,
  quorum: record.context.quorum,
  durability,
});

export const acknowledged = ({ id, first }: Publication): PublicationFact => {
  const { relay = '', latencyMs = 0 } = first ?? {};
  return { type: 'publication.acknowledged', id, relay, latencyMs };
};

export const confirmed = ({ id, acceptedAt, confirmedAtMs = acceptedAt }: Publication): PublicationFact => ({
  type: 'publication.confirmed',
  id,
  latencyMs: confirmedAtMs - acceptedAt,
});

export const failed = (publication: Publication): PublicationFact => {
  const { id, failureCause: cause = 'rejected' } = publication;
  return { type: 'publication.failed', id, cause, outcomes: publication.outcomes() };
};

export const cancelled = ({ id }: Publication): PublicationFact => ({ type: 'publication.cancelled', id });

export const completed = (publication: Publication): PublicationFact => {
  const { id, status } = publication;
  return { type: 'publication.completed', id, status, outcomes: publication.outcomes() };
};

export const settled = (delivery: Delivery, clock: Clock): PublicationFact => {
  const { publication, lane } = delivery;
  return { type: 'delivery.settled', id: publication.id, relay: lane.url, outcome: delivery.outcome(clock) };
};

export const hedged = ({ publication, lane, sentAt }: Delivery, to: DeliveryLane, now: number): PublicationFact => ({
  type: 'delivery.hedged',
  id: publication.id,
  relay: lane.url,
  to: to.url,
  afterMs: now - sentAt,
});
