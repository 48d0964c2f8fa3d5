import { assertEvent, assign, enqueueActions, setup } from 'xstate';
import { connectionMachine } from '../connection/connection.machine.ts';
import { missingAction } from '../placeholder.ts';
import { SCALING } from '../policy/limits.ts';
import {
  actorIdOf,
  change,
  grow,
  nextNumber,
  recordEnd,
  recordLook,
  type ScalingContext,
  type ScalingInput,
  shrink,
} from './scaling.context.ts';
import type { ScalingEvent, ScalingFact } from './scaling.events.ts';

export const scalingSetup = setup({
  types: {
    context: {} as ScalingContext,
    events: {} as ScalingEvent,
    input: {} as ScalingInput,
    emitted: {} as ScalingFact,
    children: {} as { [id: `connection:${string}`]: 'connection' },
  },
  actors: {
    connection: connectionMachine,
  },
  delays: {
    lookDelay: SCALING.lookMs,
  },
  guards: {
    /** Whether a connection that ended was still wanted. */
    isCounted: ({ context, event }) => 'actorId' in event && context.connections.includes(event.actorId),
    wantsMore: ({ context }) => change(context) === 1,
    wantsLess: ({ context }) => change(context) === -1,
  },
  actions: {
    /** Time and chance come in here, and nowhere else: an `assign` of `reading`. */
    takeReading: missingAction('takeReading', 'scaling'),
    /** What is measured comes in here: an `assign` of `look`. */
    takeLook: missingAction('takeLook', 'scaling'),
    /** The data plane's part: lets go of the socket of a connection that has crashed and cannot do so itself. */
    dropConnection: missingAction('dropConnection', 'scaling'),
    recordLook: assign(({ context }) => recordLook(context)),
    applySettings: assign(({ event }) => {
      assertEvent(event, 'CONFIGURE');
      return { settings: event.settings };
    }),
    tuneConnections: enqueueActions(({ context, enqueue }) => {
      const { settings, connections } = context;
      for (const id of connections) enqueue.sendTo(id, { type: 'CONFIGURE', settings });
    }),
    grow: enqueueActions(({ context, enqueue }) => {
      const { url, generation, settings, supervisor } = context;
      const connection = nextNumber(context);
      const input = { url, connection, generation, settings, supervisor };
      enqueue.spawnChild('connection', { id: actorIdOf(connection), input });
      enqueue.assign(grow(context));
    }),
    shrink: enqueueActions(({ context, enqueue }) => {
      const last = context.connections.at(-1);
      if (last !== undefined) enqueue.sendTo(last, { type: 'DRAIN' });
      enqueue.assign(shrink(context));
    }),
    forgetConnection: enqueueActions(({ context, event, enqueue }) => {
      if (!('actorId' in event)) return;
      const { end, retryAfterMs } = 'output' in event ? event.output : { end: 'lost' as const, retryAfterMs: 0 };
      enqueue.stopChild(event.actorId);
      enqueue.assign(recordEnd(context, event.actorId, end, retryAfterMs));
    }),
    reportSize: enqueueActions(({ context, enqueue }) => {
      const { supervisor, url, connections } = context;
      const fact: ScalingFact = { type: 'relay.resized', url, connections: connections.length + 1 };
      if (supervisor) enqueue.sendTo(supervisor, fact);
      else enqueue.emit(fact);
    }),
  },
});
