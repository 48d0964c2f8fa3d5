import { compileTable, type TableRecord } from '../table.ts';
import { initialPublicationContext, type PublicationContext, type PublicationInput } from './publication.context.ts';
import type { PublicationEvent, PublicationStatus } from './publication.events.ts';
import { publicationMachine } from './publication.machine.ts';
import type { PublicationEffect } from './publication.setup.ts';

export type PublicationRecord = TableRecord<PublicationContext, PublicationStatus>;

export const publicationTable = compileTable<
  PublicationContext,
  PublicationEvent,
  PublicationInput,
  PublicationStatus,
  PublicationEffect
>(publicationMachine, initialPublicationContext);
