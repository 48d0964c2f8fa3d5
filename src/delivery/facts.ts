import type { PublicationFact } from '../../machines/publication/publication.events.ts';
import type { Delivery, DeliveryLane, Publication } from './publication.ts';

/** What is reported of a publication. Facts are only made when somebody listens, so each is a function. */
type Fact = () => PublicationFact;

export const accepted = ({ id, copies, record, durability }: Publication): Fact => {
  const { quorum } = record.context;
  return () => ({ type: 'publication.accepted', id, relays: copies, quorum, durability });
};

export const acknowledged = ({ id, first }: Publication): Fact => {
  const { relay = '', latencyMs = 0 } = first ?? {};
  return () => ({ type: 'publication.acknowledged', id, relay, latencyMs });
};

export const confirmed = ({ id, acceptedAt, confirmedAtMs = acceptedAt }: Publication): Fact => {
  return () => ({ type: 'publication.confirmed', id, latencyMs: confirmedAtMs - acceptedAt });
};

export const failed = (publication: Publication): Fact => {
  const { id, failureCause: cause = 'rejected' } = publication;
  return () => ({ type: 'publication.failed', id, cause, outcomes: publication.outcomes() });
};

export const cancelled = ({ id }: Publication): Fact => {
  return () => ({ type: 'publication.cancelled', id });
};

export const completed = (publication: Publication): Fact => {
  const { id, status } = publication;
  return () => ({ type: 'publication.completed', id, status, outcomes: publication.outcomes() });
};

export const settled = (delivery: Delivery, now: number): Fact => {
  const { publication, lane } = delivery;
  return () => ({ type: 'delivery.settled', id: publication.id, relay: lane.url, outcome: delivery.outcome(now) });
};

export const hedged = ({ publication, lane, sentAt }: Delivery, to: DeliveryLane, now: number): Fact => {
  return () => ({ type: 'delivery.hedged', id: publication.id, relay: lane.url, to: to.url, afterMs: now - sentAt });
};
