import { initialCircuitContext } from './circuit.context.ts';
import { circuitSetup } from './circuit.setup.ts';

/**
 * The circuit of one kind of operation at one relay: publishing events, or serving requests.
 *
 * It stands beside the circuit of the connection, which counts dials, losses, silence and broken protocol. Outcomes of
 * events and requests say nothing about the connection, so they open only this one: operations of its kind stop, and the
 * connection and everything else on it go on. It heals by a real operation as its trial, after a wait that grows, or
 * earlier if an operation needs this relay.
 *
 * Invariants: one trial at a time; an open circuit always has a wait that ends. It runs as data: see `table.ts`.
 */
export const circuitMachine = circuitSetup.createMachine({
  id: 'circuit',
  context: ({ input }) => initialCircuitContext(input),
  initial: 'closed',
  states: {
    closed: {
      on: {
        'outcome.failed': [
          { guard: 'trips', target: 'open', actions: ['open', 'startWait', 'reportOpened'] },
          { actions: 'recordOutcome' },
        ],
      },
    },
    open: {
      on: {
        // An answer to what was sent before: the relay serves.
        'outcome.succeeded': { target: 'closed', actions: ['close', 'stopWait', 'reportClosed'] },
        'wait.ended': { target: 'half-open', actions: ['beginTrial', 'reportTrial'] },
        TRY: { guard: 'mayTryEarly', target: 'half-open', actions: ['beginTrial', 'stopWait', 'reportTrial'] },
      },
    },
    'half-open': {
      on: {
        'outcome.succeeded': { target: 'closed', actions: ['close', 'reportClosed'] },
        'outcome.failed': { target: 'open', actions: ['openAgain', 'startWait', 'reportOpened'] },
      },
    },
  },
});
