import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type AnyMachineSnapshot, type AnyStateMachine, type EventObject, initialTransition, transition } from 'xstate';
import { initialAuthContext } from '../../machines/auth/auth.context.ts';
import { authMachine } from '../../machines/auth/auth.machine.ts';
import { initialCircuitContext } from '../../machines/circuit/circuit.context.ts';
import { circuitMachine } from '../../machines/circuit/circuit.machine.ts';
import { initialDeliveryContext } from '../../machines/delivery/delivery.context.ts';
import { deliveryMachine } from '../../machines/delivery/delivery.machine.ts';
import { relaySettings } from '../../machines/policy/settings.ts';
import { initialPublicationContext } from '../../machines/publication/publication.context.ts';
import { publicationMachine } from '../../machines/publication/publication.machine.ts';
import { initialSubscriptionContext } from '../../machines/subscription/subscription.context.ts';
import { subscriptionMachine } from '../../machines/subscription/subscription.machine.ts';
import { compileTable, type Table, type TableRecord } from '../../machines/table.ts';
import { EdgeCoverage, edgesOf } from '../kit/edges.ts';
import { actionNames, leavesOf, type Path, pathsOf, statesOf } from '../kit/paths.ts';
import { runPath } from '../kit/run.ts';
import { mutationScore } from '../kit/score.ts';

const refusal = (kind: 'final' | 'passing' | 'unauthenticated') => ({ class: kind, prefix: 'x', text: 'x: y' });

const refused = (
  at: number,
  kind: 'final' | 'passing' | 'unauthenticated',
  isAboutRoom: boolean,
  mayAuthenticate: boolean,
) => ({ type: 'answer.refused', at, refusal: refusal(kind), isAboutRoom, mayAuthenticate }) as const;

const lost = (given: { isClosed?: boolean; isLargest?: boolean; isSuspect?: boolean }) =>
  ({ type: 'socket.lost', isClosed: false, isLargest: false, isSuspect: false, reason: 'gone', ...given }) as const;

const DELIVERY_EVENTS = [
  { type: 'frame.sent', at: 1, generation: 1 },
  { type: 'answer.accepted', at: 2, duplicate: true },
  { type: 'answer.refused', at: 2, refusal: refusal('final'), mayAuthenticate: false },
  { type: 'answer.refused', at: 2, refusal: refusal('passing'), mayAuthenticate: false },
  { type: 'answer.refused', at: 3, refusal: refusal('passing'), mayAuthenticate: false },
  { type: 'answer.refused', at: 2, refusal: refusal('unauthenticated'), mayAuthenticate: true },
  // On another connection.
  { type: 'frame.sent', at: 1, generation: 2 },
  { type: 'frame.sent', at: 1, generation: 1, isAlone: true },
  { type: 'answer.overdue' },
  lost({}),
  lost({ isClosed: true }),
  lost({ isClosed: true, isLargest: true }),
  lost({ isClosed: true, isSuspect: true }),
  { type: 'limit.exceeded', at: 2, refusal: refusal('final') },
  { type: 'retry.due' },
  { type: 'relay.suspended' },
  { type: 'relay.resumed' },
  { type: 'auth.granted' },
  { type: 'auth.denied' },
  { type: 'CLOSE' },
] as const;

const CIRCUIT_EVENTS = [
  { type: 'outcome.succeeded', at: 1_000 },
  { type: 'outcome.failed', at: 1_000, random: 0.5, successesAt: [] },
  { type: 'wait.ended', at: 1_000 },
  { type: 'TRY', at: 1_000 },
  { type: 'TRY', at: 10_000 },
] as const;

const SUBSCRIPTION_EVENTS = [
  { type: 'frame.sent', at: 1_000, generation: 1 },
  { type: 'answer.ended', at: 1_001 },
  ...(['final', 'passing'] as const).map((kind) => refused(70_000, kind, false, false)),
  // Soon after it was served, it is no new failure.
  refused(1_002, 'passing', false, false),
  refused(70_000, 'passing', true, false),
  refused(70_000, 'unauthenticated', false, true),
  { type: 'answer.overdue', at: 70_000 },
  { type: 'intake.overflowed', at: 70_000 },
  { type: 'socket.lost' },
  { type: 'relay.suspended' },
  { type: 'relay.resumed' },
  { type: 'retry.due' },
  { type: 'auth.granted' },
  { type: 'auth.denied' },
  { type: 'CLOSE' },
] as const;

const AUTH_EVENTS = [
  { type: 'relay.challenged', challenge: 'one', isEager: false },
  { type: 'relay.challenged', challenge: 'another', isEager: true },
  { type: 'auth.required' },
  { type: 'challenge.overdue' },
  { type: 'signer.signed' },
  { type: 'signer.failed', problem: 'it would not' },
  { type: 'answer.accepted' },
  { type: 'answer.refused', refusal: refusal('final') },
  { type: 'answer.overdue' },
] as const;

const PUBLICATION_EVENTS = [
  { type: 'delivery.accepted', accepted: 1, missing: 1 },
  { type: 'delivery.accepted', accepted: 2, missing: 0 },
  { type: 'delivery.rejected', standing: 0 },
  { type: 'delivery.rejected', standing: 1 },
  { type: 'WIDEN', quorum: 1, missing: 0, standing: 2 },
  { type: 'WIDEN', quorum: 3, missing: 1, standing: 2 },
  { type: 'CANCEL' },
  { type: 'deadline.passed' },
] as const;

interface FlatChart {
  readonly machine: AnyStateMachine;
  readonly table: (machine: AnyStateMachine) => Table<object, EventObject, object, string, string>;
  readonly inputs: readonly object[];
  readonly events: readonly EventObject[];
  readonly project: (context: Record<string, unknown>) => unknown;
  readonly target: readonly string[];
}

const CHARTS: Readonly<Record<string, FlatChart>> = {
  delivery: {
    machine: deliveryMachine,
    table: (machine) => compileTable(machine, initialDeliveryContext as never),
    inputs: [{ triesMax: 2 }],
    events: DELIVERY_EVENTS,
    project: ({ tries, refusal: last, hasAuthenticated, generation, losses, isAlone }) => [
      Math.min(Number(losses), 2),
      isAlone,
      Math.min(Number(tries), 2),
      last !== undefined,
      hasAuthenticated,
      generation,
    ],
    target: ['delivery.accepted', 'delivery.queued'],
  },
  circuit: {
    machine: circuitMachine,
    table: (machine) => compileTable(machine, initialCircuitContext as never),
    inputs: [{ settings: relaySettings({ breaker: { failureThreshold: 2 } }).breaker }],
    events: CIRCUIT_EVENTS,
    project: ({ window, triedAtMs, closedAtMs }) => [
      Math.min((window as { failuresInRow: number }).failuresInRow, 2),
      triedAtMs,
      closedAtMs,
    ],
    target: ['circuit.half-open', 'circuit.closed'],
  },
  auth: {
    machine: authMachine,
    table: (machine) => compileTable(machine, initialAuthContext as never),
    inputs: [{}],
    events: AUTH_EVENTS,
    project: (context) => context,
    target: ['auth.authenticated', 'auth.signing'],
  },
  publication: {
    machine: publicationMachine,
    table: (machine) => compileTable(machine, initialPublicationContext as never),
    inputs: [{ quorum: 1 }, { quorum: 2 }],
    events: PUBLICATION_EVENTS,
    project: (context) => context,
    target: ['publication.failed', 'publication.pending'],
  },
  subscription: {
    machine: subscriptionMachine,
    table: (machine) => compileTable(machine, initialSubscriptionContext as never),
    inputs: [{ isOnce: false }, { isOnce: true }],
    events: SUBSCRIPTION_EVENTS,
    project: ({ tries, servedAt, refusal: last, hasAuthenticated }) => [
      Math.min(Number(tries), 2),
      Number(servedAt) > 0,
      (last as { class: string } | undefined)?.class,
      hasAuthenticated,
    ],
    target: ['subscription.live', 'subscription.queued'],
  },
};

/** What an update does is in the context; what is left of a transition's actions is what somebody has to do. */
const effectsOf = (machine: AnyStateMachine, actions: readonly { type: string }[]): readonly string[] =>
  actionNames(actions).filter((name) => name in machine.implementations.actions);

/** Where the table differs from the chart along a path, as a sentence. */
function disagreement(
  path: Path,
  model: AnyStateMachine,
  input: object,
  table: Table<object, EventObject, object, string, string>,
): string | undefined {
  let snapshot: AnyMachineSnapshot = initialTransition(model, input as never)[0];
  const record: TableRecord<object> = table.create(input);
  for (const event of path.events) {
    const [next, actions] = transition(model, snapshot, event as never);
    const effects = table.step(record, event);
    const wanted = effectsOf(model, actions);
    if (!isDeepStrictEqual([...(effects ?? [])], wanted)) return `on ${event.type}: ${effects} instead of ${wanted}`;
    if (record.state !== next.value) return `on ${event.type}: ${record.state} instead of ${String(next.value)}`;
    if (!isDeepStrictEqual(record.context, next.context)) return `on ${event.type}: other contexts`;
    snapshot = next;
  }
  return undefined;
}

describe.each(Object.entries(CHARTS))('the %s chart', (name, { machine, table, inputs, events, project, target }) => {
  const found = inputs.map((input) => ({
    input,
    ...pathsOf({ machine, input, events: () => events, project: ({ context }) => project(context) }),
  }));
  const owners = new Map(found.flatMap(({ input, paths }) => paths.map((path) => [path, input] as const)));
  const paths = [...owners.keys()];
  const compiled = table(machine);

  test('walks every generated path as its model says, and takes every edge', () => {
    const coverage = new EdgeCoverage(machine);
    for (const [path, input] of owners) {
      const rig = () => ({
        machine,
        say: (actor: { send(event: EventObject): void }, event: EventObject) => actor.send(event),
      });
      expect(runPath(path, { model: machine, input, rig, coverage })).toBeUndefined();
    }
    const steps = paths.reduce((sum, path) => sum + path.events.length, 0);
    const sneaks = paths.filter((path) => path.isSneak).length;
    console.log(
      `${name}: ${coverage.taken.size} of ${coverage.total} edges, ${paths.length} paths, ${steps} steps, ${sneaks} sneak pairs`,
    );
    expect(coverage.missing).toEqual([]);
    expect(leavesOf(machine).filter((id) => !statesOf(paths).has(id))).toEqual([]);
  });

  test('and its table agree on every path', () => {
    for (const [path, input] of owners) expect(disagreement(path, machine, input, compiled)).toBeUndefined();
    expect(compiled.states.map((state) => `${machine.id}.${state}`)).toEqual(leavesOf(machine));
    expect(edgesOf(machine).length).toBeGreaterThan(5);
  });

  test('with one thing wrong, is always noticed through its table', () => {
    const { killed, total, survivors } = mutationScore(machine, target, paths, (mutant, path) =>
      disagreement(path, machine, owners.get(path) ?? {}, table(mutant)),
    );
    console.log(`${name}: ${killed} of ${total} mutants noticed`);
    expect(survivors).toEqual([]);
  });
});
