import { setup } from 'xstate';
import { type Effects, effects, type Updates, updates } from '../table.ts';
import {
  beginTrial,
  type CircuitContext,
  type CircuitInput,
  close,
  mayTryEarly,
  open,
  recordOutcome,
  trips,
} from './circuit.context.ts';
import type { CircuitEvent } from './circuit.events.ts';

const UPDATES = {
  recordOutcome,
  open: (context, event) => open(context, event, false),
  openAgain: (context, event) => open(context, event, true),
  beginTrial,
  close,
} satisfies Updates<CircuitContext, CircuitEvent>;

/** Effects of a circuit, for whoever owns it. */
const EFFECTS = {
  /** Start the wait until the next trial, or end it. */
  startWait: {},
  stopWait: {},
  /** No operation may begin any more; one may, as a trial; all may. */
  reportOpened: {},
  reportTrial: {},
  reportClosed: {},
} satisfies Effects;

export type CircuitEffect = keyof typeof EFFECTS;

export const circuitSetup = setup({
  types: {
    context: {} as CircuitContext,
    events: {} as CircuitEvent,
    input: {} as CircuitInput,
  },
  guards: {
    trips: ({ context, event }) => trips(context, event),
    mayTryEarly: ({ context, event }) => mayTryEarly(context, event),
  },
  actions: { ...updates<CircuitContext, CircuitEvent, typeof UPDATES>(UPDATES), ...effects(EFFECTS) },
});
