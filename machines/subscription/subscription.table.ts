import { compileTable, type TableRecord } from '../table.ts';
import {
  initialSubscriptionContext,
  type SubscriptionContext,
  type SubscriptionInput,
} from './subscription.context.ts';
import type { SubscriptionEvent, SubscriptionState } from './subscription.events.ts';
import { subscriptionMachine } from './subscription.machine.ts';
import type { SubscriptionEffect } from './subscription.setup.ts';

export type SubscriptionRecord = TableRecord<SubscriptionContext, SubscriptionState>;

export const subscriptionTable = compileTable<
  SubscriptionContext,
  SubscriptionEvent,
  SubscriptionInput,
  SubscriptionState,
  SubscriptionEffect
>(subscriptionMachine, initialSubscriptionContext);
