import { type AnyMachineSnapshot, type AnyStateMachine, type EventObject, initialTransition, transition } from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import { activeStates, nodesOf } from './edges.ts';

/** How a chart is explored. */
export interface Exploration {
  readonly machine: AnyStateMachine;
  readonly input?: unknown;
  /** Everything that may be said to the chart in this state, whether or not it listens. */
  readonly events: (snapshot: AnyMachineSnapshot) => readonly EventObject[];
  /** What may be said as well, but leads nowhere new, so that no path has to go on from it. */
  readonly deadEnds?: (snapshot: AnyMachineSnapshot) => readonly EventObject[];
  /** What of the context tells model states apart; it must decide every guard. */
  readonly project: (snapshot: AnyMachineSnapshot) => unknown;
}

/** One way through a chart: the events from its start, the last of which is what the path is about. */
export interface Path {
  readonly events: readonly EventObject[];
  /** Where its last event arrives, and whether anything comes of it. */
  readonly arrivesAt: string;
  readonly isSneak: boolean;
}

/** The delayed transitions that wait in a state. */
function delayedEvents(snapshot: AnyMachineSnapshot): readonly EventObject[] {
  return snapshot._nodes.flatMap((node) => node.after.map(({ eventType }) => ({ type: eventType })));
}

/** An event as far as it matters: of which socket it is, not which number that has. */
function describe(event: EventObject & { generation?: number }, { context }: AnyMachineSnapshot): string {
  const age = event.generation === undefined ? undefined : event.generation - context.generation;
  return JSON.stringify({ ...event, generation: age, settings: undefined });
}

/** What of the context a transition changes. */
function changes(before: AnyMachineSnapshot, after: AnyMachineSnapshot): readonly string[] {
  const from = before.context as Record<string, unknown>;
  const to = after.context as Record<string, unknown>;
  return Object.keys(to).filter((key) => from[key] !== to[key]);
}

interface Action {
  readonly type: string;
  readonly params?: unknown;
}

/** The names of what a transition would do, with their parameters. */
export const actionNames = (actions: readonly Action[]): readonly string[] =>
  actions.map(({ type, params }) =>
    params === undefined || typeof params === 'function' ? type : `${type} ${brief(params)}`,
  );

/** What differs between a model that starts nothing and actors that run. */
const NOT_COMPARED = new Set(['actorRef', 'input', 'targetId', 'error']);

function brief(params: unknown): string {
  const seen = new WeakSet<object>();
  return (
    JSON.stringify(params, (key, value) => {
      if (NOT_COMPARED.has(key)) return undefined;
      if (typeof value !== 'object' || value === null) return value;
      if (seen.has(value)) return undefined;
      seen.add(value);
      return value;
    }) ?? ''
  );
}

/**
 * One path for every different thing that can come of saying one thing in one state: by where it leads and by what is
 * done. States are told apart by the projection, paths to them come from `xstate/graph`.
 */
export function pathsOf(exploration: Exploration): { paths: readonly Path[]; modelStates: number } {
  const { machine, events, deadEnds, project, input } = exploration;
  const following = (snapshot: AnyMachineSnapshot) => [...events(snapshot), ...delayedEvents(snapshot)];
  const options = {
    input,
    events: following,
    serializeState: (snapshot: AnyMachineSnapshot) => JSON.stringify([snapshot.value, project(snapshot)]),
    serializeEvent: (event: EventObject) => JSON.stringify(event),
    stopWhen: (snapshot: AnyMachineSnapshot) => snapshot.status !== 'active',
    limit: 200_000,
  };
  const prefixes = getShortestPaths(machine, options as never) as readonly {
    state: AnyMachineSnapshot;
    steps: readonly { event: EventObject }[];
  }[];
  const found = new Map<string, Path>();
  for (const prefix of [...prefixes].sort((a, b) => a.steps.length - b.steps.length)) {
    const reached = prefix.steps.slice(1).map((step) => step.event);
    // A path through model states may join what was reached in different ways, so it is walked again for real.
    const state = reached.reduce(
      (from, event) => transition(machine, from, event as never)[0],
      initial(machine, input),
    );
    if (state.status !== 'active') continue;
    const before = activeStates(state);
    for (const event of [...following(state), ...(deadEnds?.(state) ?? [])]) {
      const [after, actions] = transition(machine, state, event as never);
      const isSneak = after === state && actions.length === 0;
      const signature = [
        before,
        describe(event, state),
        activeStates(after),
        ...actionNames(actions),
        ...changes(state, after),
      ].join(' > ');
      if (!found.has(signature)) {
        found.set(signature, { events: [...reached, event], arrivesAt: `${before} ${activeStates(after)}`, isSneak });
      }
    }
  }
  return { paths: [...found.values()], modelStates: prefixes.length };
}

const initial = (machine: AnyStateMachine, input: unknown): AnyMachineSnapshot =>
  initialTransition(machine, input as never)[0];

/** Every state that a set of paths arrives at. */
export const statesOf = (paths: readonly Path[]): ReadonlySet<string> =>
  new Set(paths.flatMap((path) => path.arrivesAt.split(' ')));

/** The leaf states of a chart. */
export const leavesOf = (machine: AnyStateMachine): readonly string[] =>
  nodesOf(machine)
    .filter((node) => node.type === 'atomic' || node.type === 'final')
    .map((node) => node.id);
