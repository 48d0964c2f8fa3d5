import { type DeliveryRecord, deliveryTable } from '../../machines/delivery/delivery.table.ts';
import type { Outcome } from '../../machines/publication/publication.events.ts';
import type { Lane } from './lane.ts';
import type { Publication } from './publication.ts';

/** One event on its way to one relay: the record that the chart steps, and where it belongs. */
export class Delivery {
  readonly publication: Publication;
  readonly lane: Lane;
  readonly record: DeliveryRecord;
  /** The delay before a resend, while one runs. */
  resendTimer: unknown;

  constructor(publication: Publication, lane: Lane, triesMax: number) {
    this.publication = publication;
    this.lane = lane;
    this.record = deliveryTable.create({ triesMax });
  }

  /** How it went so far, or ended. */
  outcome(now: number): Outcome {
    const { state, context } = this.record;
    const { acceptedAt } = this.publication;
    switch (state) {
      case 'accepted':
        return {
          status: 'accepted',
          atMs: context.answeredAt - acceptedAt,
          latencyMs: context.answeredAt - context.sentAt,
          duplicate: context.duplicate,
        };
      case 'rejected':
        return context.refusal
          ? { status: 'rejected', atMs: context.answeredAt - acceptedAt, refusal: context.refusal }
          : { status: 'unknown', atMs: now - acceptedAt };
      case 'skipped':
        return { status: 'skipped', atMs: now - acceptedAt, ...this.lane.whySkipped(now) };
      default:
        return { status: state, atMs: now - acceptedAt };
    }
  }
}
