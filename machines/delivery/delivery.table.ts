import { compileTable, type TableRecord } from '../table.ts';
import { type DeliveryContext, type DeliveryInput, initialDeliveryContext } from './delivery.context.ts';
import type { DeliveryEvent } from './delivery.events.ts';
import { deliveryMachine } from './delivery.machine.ts';
import type { DeliveryEffect } from './delivery.setup.ts';

export type DeliveryState =
  | 'queued'
  | 'sent'
  | 'unknown'
  | 'deferred'
  | 'quarantined'
  | 'unauthenticated'
  | 'skipped'
  | 'rejected'
  | 'given-up'
  | 'accepted';
export type DeliveryRecord = TableRecord<DeliveryContext, DeliveryState>;

export const deliveryTable = compileTable<DeliveryContext, DeliveryEvent, DeliveryInput, DeliveryState, DeliveryEffect>(
  deliveryMachine,
  initialDeliveryContext,
);
