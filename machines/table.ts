import { type ActionFunction, type AnyStateMachine, assign, type EventObject } from 'xstate';

/**
 * Flat charts, compiled to transition tables.
 *
 * Things that exist once per message cannot each be an actor: a delivery would cost as much as thirty of them as data.
 * So their charts stay charts (drawn, explored, inspected), and at load time each is compiled, from the very machine
 * object, to a table that steps a plain record. Only what such charts use is supported: flat states, guards in order,
 * named actions, targetless transitions. Anything else is refused when it is compiled.
 */
export interface TableRecord<Context, State extends string = string> {
  state: State;
  context: Context;
}

type Update<Context, Event> = (context: Context, event: Event) => Partial<Context>;

/** Pure updates of a record's context, by the name of the action. */
export type Updates<Context, Event> = Record<string, Update<Context, Event>>;

/** Names of what whoever runs the record has to do; a chart only says when. */
export type Effects = Record<string, Record<string, never>>;

const UPDATE = Symbol('recloser.update');
const EFFECT = Symbol('recloser.effect');

type Action<Context, Event extends EventObject> = ActionFunction<
  // biome-ignore lint/suspicious/noExplicitAny: the parameters that XState infers for a chart's own actions
  Context & any,
  Event,
  Event,
  undefined,
  never,
  never,
  never,
  never,
  never
>;

/** The actions of a chart that change its context, in the form that both XState and `compileTable` understand. */
export function updates<Context, Event extends EventObject, Given extends Updates<Context, Event>>(
  given: Given,
): { [Name in keyof Given]: Action<Context, Event> } {
  const entries = Object.entries(given).map(([name, update]) => {
    const action = assign(({ context, event }: { context: Context; event: Event }) => update(context, event) as object);
    return [name, Object.assign(action, { [UPDATE]: update })];
  });
  return Object.fromEntries(entries);
}

/** The actions of a chart that somebody else carries out; to XState they do nothing. */
export function effects<Given extends Effects>(given: Given): { [Name in keyof Given]: () => void } {
  const entries = Object.keys(given).map((name) => [name, Object.assign(() => {}, { [EFFECT]: name })]);
  return Object.fromEntries(entries);
}

interface Branch<Context, Event, State, Effect> {
  readonly guard: ((scope: { context: Context; event: Event }) => boolean) | undefined;
  readonly target: State | undefined;
  readonly updates: readonly Update<Context, Event>[];
  readonly effects: readonly Effect[];
}

/** A compiled chart. */
export interface Table<Context, Event extends { type: string }, Input, State extends string, Effect extends string> {
  readonly states: readonly State[];
  /** A new record in the initial state. */
  create(input: Input): TableRecord<Context, State>;
  /** Steps the record in place. What is to be done, in order; nothing when the state does not know the event. */
  step(record: TableRecord<Context, State>, event: Event): readonly Effect[] | undefined;
}

class UnsupportedChart extends Error {}

/** Compiles a flat chart. Throws for a chart that has what a table has not. */
export function compileTable<
  Context extends object,
  Event extends { type: string },
  Input,
  State extends string,
  Effect extends string,
>(machine: AnyStateMachine, initial: (input: Input) => Context): Table<Context, Event, Input, State, Effect> {
  const { root } = machine;
  const refuse = (what: string): never => {
    throw new UnsupportedChart(`${machine.id}: a table cannot have ${what}.`);
  };
  if (root.type !== 'compound') refuse(`a root of type ${root.type}`);
  if (root.transitions.size > 0 || root.always?.length || root.entry.length || root.invoke.length) {
    refuse('transitions, actions or actors at its root');
  }
  const names = Object.keys(root.states) as State[];
  const rows = new Map<State, Map<string, readonly Branch<Context, Event, State, Effect>[]>>();
  for (const name of names) {
    const node = root.states[name];
    if (node?.type !== 'atomic') refuse(`the state ${name} of type ${node?.type}`);
    if (!node || node.entry.length || node.exit.length || node.invoke.length || node.always?.length) {
      refuse(`entry, exit, always or actors in ${name}`);
    }
    const row = new Map<string, readonly Branch<Context, Event, State, Effect>[]>();
    for (const [event, candidates] of node?.transitions ?? []) {
      if (event.includes('*') || event.startsWith('xstate.')) refuse(`the event ${event}`);
      row.set(
        event,
        candidates.map((candidate) => branchOf(machine, candidate, refuse)),
      );
    }
    rows.set(name, row);
  }
  const first = root.initial.target?.[0]?.key as State | undefined;
  const start = first ?? refuse('no initial state');
  return {
    states: names,
    create: (input) => ({ state: start, context: initial(input) }),
    step(record, event) {
      const branches = rows.get(record.state)?.get(event.type);
      if (branches === undefined) return undefined;
      for (const branch of branches) {
        if (branch.guard && !branch.guard({ context: record.context, event })) continue;
        for (const update of branch.updates) Object.assign(record.context, update(record.context, event));
        if (branch.target !== undefined) record.state = branch.target;
        return branch.effects;
      }
      return undefined;
    },
  };
}

type Candidate = AnyStateMachine['root']['transitions'] extends Map<string, (infer Each)[]> ? Each : never;

function branchOf<Context, Event, State, Effect>(
  machine: AnyStateMachine,
  candidate: Candidate,
  refuse: (what: string) => never,
): Branch<Context, Event, State, Effect> {
  const { guard, target, actions } = candidate;
  if (guard !== undefined && typeof guard !== 'string') refuse('a guard without a name, or with parameters');
  const known = machine.implementations.guards as Record<string, Branch<Context, Event, State, Effect>['guard']>;
  const test =
    guard === undefined ? undefined : (known[guard as string] ?? refuse(`the unknown guard ${String(guard)}`));
  if ((target?.length ?? 0) > 1) refuse('several targets');
  const found: { updates: Update<Context, Event>[]; effects: Effect[] } = { updates: [], effects: [] };
  for (const name of actions as readonly unknown[]) {
    if (typeof name !== 'string') refuse('an action without a name, or with parameters');
    const action = (machine.implementations.actions as Record<string, object>)[name as string];
    if (action && UPDATE in action) found.updates.push(action[UPDATE] as Update<Context, Event>);
    else if (action && EFFECT in action) found.effects.push(action[EFFECT] as Effect);
    else refuse(`the action ${String(name)}, which is neither an update nor an effect`);
  }
  return { guard: test, target: target?.[0]?.key as State | undefined, ...found };
}
