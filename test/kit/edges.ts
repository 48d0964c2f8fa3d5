import type { AnyMachineSnapshot, AnyStateMachine, AnyTransitionDefinition, StateNode } from 'xstate';

/** One arrow of a chart: a state, an event, and which of its guarded branches. */
export interface Edge {
  readonly id: string;
  readonly source: string;
  readonly event: string;
  readonly definition: AnyTransitionDefinition;
}

const ALWAYS = '(always)';

type AnyNode = StateNode<never, never>;

/** Every state of a chart, the root first. */
export function nodesOf(machine: AnyStateMachine): readonly AnyNode[] {
  const walk = (node: AnyNode): AnyNode[] => [
    node,
    ...Object.values(node.states).flatMap((child) => walk(child as AnyNode)),
  ];
  return walk(machine.root as unknown as AnyNode);
}

/** Every arrow of a chart, as it stands in the built machine. */
export function edgesOf(machine: AnyStateMachine): readonly Edge[] {
  return nodesOf(machine).flatMap((node) => {
    const groups = [...node.transitions, [ALWAYS, node.always ?? []] as const];
    return groups.flatMap(([event, branches]) =>
      branches.map((definition, branch) => ({
        id: `${node.id} | ${event} | ${branch}`,
        source: node.id,
        event,
        definition: definition as unknown as AnyTransitionDefinition,
      })),
    );
  });
}

/** Which arrows a run took. */
export class EdgeCoverage {
  readonly taken = new Set<string>();
  readonly #all: readonly string[];

  constructor(machine: AnyStateMachine) {
    this.#all = edgesOf(machine).map((edge) => edge.id);
  }

  note(transitions: readonly AnyTransitionDefinition[]): void {
    for (const transition of transitions) {
      const { source, eventType } = transition;
      const event = eventType === '' ? ALWAYS : eventType;
      const branches = eventType === '' ? (source.always ?? []) : (source.transitions.get(eventType) ?? []);
      this.taken.add(`${source.id} | ${event} | ${branches.indexOf(transition as never)}`);
    }
  }

  get missing(): readonly string[] {
    return this.#all.filter((id) => !this.taken.has(id));
  }

  get total(): number {
    return this.#all.length;
  }
}

/** The leaf states of a snapshot, as ids. */
export const activeStates = (snapshot: AnyMachineSnapshot): string =>
  snapshot._nodes
    .filter((node) => node.type === 'atomic' || node.type === 'final')
    .map((node) => node.id)
    .join(' ');
