import { compileTable, type TableRecord } from '../table.ts';
import { type CircuitContext, type CircuitInput, initialCircuitContext } from './circuit.context.ts';
import type { CircuitEvent } from './circuit.events.ts';
import { circuitMachine } from './circuit.machine.ts';
import type { CircuitEffect } from './circuit.setup.ts';

export type OutcomeCircuitState = 'closed' | 'open' | 'half-open';
export type CircuitRecord = TableRecord<CircuitContext, OutcomeCircuitState>;

export const circuitTable = compileTable<
  CircuitContext,
  CircuitEvent,
  CircuitInput,
  OutcomeCircuitState,
  CircuitEffect
>(circuitMachine, initialCircuitContext);
