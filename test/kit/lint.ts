import type { AnyStateMachine } from 'xstate';
import { nodesOf } from './edges.ts';

/** What the types of XState do not check in a built machine, each problem as a sentence. */
export function lintChart(machine: AnyStateMachine): readonly string[] {
  const problems: string[] = [];
  const { actions, guards, delays, actors } = machine.implementations as unknown as Record<
    string,
    Record<string, unknown>
  >;
  const named = (kind: string, where: string, given: unknown, known: Record<string, unknown> | undefined): void => {
    const name = typeof given === 'object' && given !== null && 'type' in given ? given.type : given;
    if (typeof name !== 'string') problems.push(`${where}: a ${kind} without a name`);
    else if (!name.startsWith('xstate.') && !(known && name in known))
      problems.push(`${where}: no ${kind} is called ${name}`);
  };
  for (const node of nodesOf(machine)) {
    if (node.key.includes('.')) problems.push(`${node.id}: a dot in the name of a state breaks transitions to it`);
    for (const action of [...node.entry, ...node.exit]) {
      // Delayed transitions and actors appear among the actions under names of XState's own, as functions.
      if (typeof action !== 'function') named('action', node.id, action, actions);
    }
    for (const invoke of node.invoke) named('actor', node.id, invoke.src, actors);
    for (const { delay } of node.after) named('delay', node.id, delay, delays);
    const branches = [...node.transitions.values(), node.always ?? []].flat();
    for (const branch of branches) {
      const where = `${node.id} on ${branch.eventType}`;
      if (branch.guard !== undefined) named('guard', where, branch.guard, guards);
      for (const action of branch.actions) named('action', where, action, actions);
    }
    for (const [event, candidates] of node.transitions) {
      const open = candidates.findIndex((candidate) => candidate.guard === undefined);
      if (open >= 0 && open < candidates.length - 1)
        problems.push(`${node.id} on ${event}: a branch that is never reached`);
    }
  }
  return problems;
}

/** Names in a chart that break the rules: commands SCREAMING_SNAKE, facts dotted, states kebab, the rest camelCase. */
export function lintNames(machine: AnyStateMachine): readonly string[] {
  const problems: string[] = [];
  const check = (what: string, name: string, rule: RegExp): void => {
    if (!rule.test(name)) problems.push(`${machine.id}: the ${what} ${name}`);
  };
  const { actions, guards, delays, actors } = machine.implementations;
  for (const node of nodesOf(machine)) {
    if (node.parent) check('state', node.key, /^[a-z]+(-[a-z]+)*$/);
    for (const event of node.transitions.keys()) {
      if (event.startsWith('xstate.') || event === '') continue;
      check('event', event, /^([A-Z]+(_[A-Z]+)*|[a-z]+(-[a-z]+)*\.([a-z]+(-[a-z]+)*|\*))$/);
    }
  }
  for (const [kind, names] of Object.entries({ actions, guards, delays, actors })) {
    for (const name of Object.keys(names)) check(kind, name, /^[a-z][a-zA-Z]*$/);
  }
  return problems;
}
