import type { AnyActorRef, AnyStateMachine } from 'xstate';

/** A chart's configuration as text, in the form in which the Stately protocol has it: a function is told by its name. */
export const definitionOf = (machine: AnyStateMachine): string =>
  JSON.stringify(machine.config, (_, value) =>
    typeof value === 'function' ? { type: value.name || 'inline' } : value,
  );

/** The chart that an actor runs; nothing for callbacks, promises and the like. */
export function chartOf(actor: AnyActorRef): AnyStateMachine | undefined {
  const { logic } = actor as { logic?: { config?: unknown; root?: unknown } };
  return logic?.config && logic.root ? (logic as unknown as AnyStateMachine) : undefined;
}
