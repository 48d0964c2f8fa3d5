import { isDeepStrictEqual } from 'node:util';
import {
  type AnyActor,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type EventObject,
  initialTransition,
  transition,
} from 'xstate';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { activeStates, type EdgeCoverage } from './edges.ts';
import { actionNames, type Path } from './paths.ts';

/** How a chart's real actor is set up and spoken to. */
export interface Rig {
  /** Gives the chart fakes for what it needs. */
  readonly machine: AnyStateMachine;
  /** Says an event to the running actor, the way it would come. */
  say(actor: AnyActor, event: EventObject): void;
  /** What must hold after every step; a sentence that says what does not. */
  check?(snapshot: AnyMachineSnapshot): string | undefined;
  /** What the fakes have been told, in order; compared with what the model would have told them. */
  readonly heard?: readonly unknown[];
}

export interface RunOptions {
  /** The chart as it should be; expectations come from its pure transitions. */
  readonly model: AnyStateMachine;
  readonly input?: unknown;
  readonly rig: () => Rig;
  readonly coverage?: EdgeCoverage;
  /** What of the context is compared. */
  readonly remembered?: (context: object) => unknown;
}

const isDelayed = (event: EventObject): boolean => event.type.startsWith('xstate.after.');

/** Runs one path on a real actor, step by step; the first difference from the model, as a sentence. */
export function runPath(path: Path, options: RunOptions): string | undefined {
  const { model, input, coverage, remembered = (context) => context } = options;
  const rig = options.rig();
  const clock = new VirtualClock();
  let done: string[] = [];
  const actor = createActor(rig.machine, {
    input,
    clock,
    inspect: (event) => {
      if (event.rootId !== event.actorRef.sessionId) return;
      if (event.type === '@xstate.action') done.push(...actionNames([event.action as { type: string }]));
      if (event.type === '@xstate.microstep') coverage?.note(event._transitions);
    },
  });
  actor.subscribe({ error: () => {} });
  let expected: AnyMachineSnapshot;
  let actions: readonly { type: string; params?: unknown }[];
  [expected, actions] = initialTransition(model, input as never);
  const difference = (step: string): string | undefined => {
    const actual = actor.getSnapshot() as AnyMachineSnapshot;
    const at = `after ${step} of ${path.events.map(({ type }) => type).join(', ')}`;
    if (actual.status !== expected.status) return `${at}: status ${actual.status}, not ${expected.status}`;
    if (activeStates(actual) !== activeStates(expected)) {
      return `${at}: in ${activeStates(actual)}, not ${activeStates(expected)}`;
    }
    if (!isDeepStrictEqual(remembered(actual.context), remembered(expected.context))) {
      return `${at}: remembers ${JSON.stringify(remembered(actual.context))}, not ${JSON.stringify(remembered(expected.context))}`;
    }
    const wanted = actionNames(actions);
    if (!isDeepStrictEqual(done, wanted)) return `${at}: did ${done.join('; ')}, not ${wanted.join('; ')}`;
    const timers = expected.status === 'active' ? timersOf(expected) : 0;
    if (clock.pending !== timers) return `${at}: ${clock.pending} timers, not ${timers}`;
    const broken = rig.check?.(actual);
    return broken === undefined ? undefined : `${at}: ${broken}`;
  };
  try {
    actor.start();
    let found = difference('starting');
    for (const event of path.events) {
      if (found !== undefined) return found;
      done = [];
      [expected, actions] = transition(model, expected, event as never);
      if (!isDelayed(event)) rig.say(actor, event);
      else if (!clock.step()) return `no timer is left for ${event.type}`;
      found = difference(event.type);
    }
    return found;
  } finally {
    actor.stop();
  }
}

function timersOf(snapshot: AnyMachineSnapshot): number {
  const delays = snapshot._nodes.flatMap((node) => node.after.map(({ eventType }) => eventType));
  return new Set(delays).size;
}
