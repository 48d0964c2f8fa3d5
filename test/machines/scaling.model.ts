import { type AnyMachineSnapshot, assign, createMachine, type EventObject, fromCallback } from 'xstate';
import { DEFAULT_RELAY_SETTINGS } from '../../machines/policy/settings.ts';
import type { ScalingContext } from '../../machines/scaling/scaling.context.ts';
import { scalingMachine } from '../../machines/scaling/scaling.machine.ts';
import type { Rig } from '../kit/run.ts';

export const scalingInput = {
  url: 'wss://relay.example/',
  generation: 1,
  settings: { ...DEFAULT_RELAY_SETTINGS, connectionsMax: 3 },
  supervisor: undefined,
};

type Scope = { readonly context: ScalingContext };

/** From the second on: looks find much to do, twice, then some, then nothing, twice, and so on. */
const LOADS = [0, 2, 2, 1, 0] as const;
const phaseOf = ({ reading }: ScalingContext): number => (reading.nowMs / 1_000) % LOADS.length;

/** What the figures ask for is for `machines/policy/scaling.ts`; here one look decides. */
const withFakes = (machine: typeof scalingMachine): typeof scalingMachine =>
  machine.provide({
    actions: {
      dropConnection: () => {},
      takeReading: assign(({ context }: Scope) => ({
        reading: { nowMs: context.reading.nowMs + 1_000, random: 0.5 },
      })) as never,
      takeLook: assign(({ context }: Scope) => ({
        look: { load: LOADS[phaseOf(context)] ?? 0, window: 1, spare: 1 },
      })) as never,
    },
    guards: {
      wantsMore: ({ context }) => context.look.load === 2 && context.count < 3 && context.connections.length < 2,
      wantsLess: ({ context }) => context.look.load === 0 && context.connections.length > 0,
    },
  });

export const modelledScaling = withFakes(
  scalingMachine.provide({ actors: { connection: fromCallback(() => {}) as never } }),
);

/** Every connection that there is can end in each way. */
export function scalingEvents({ context, children }: AnyMachineSnapshot): readonly EventObject[] {
  const { settings } = context as ScalingContext;
  return [
    { type: 'CONFIGURE', settings: { ...settings, connectionsMax: 1 } },
    { type: 'STOP' },
    ...Object.keys(children).flatMap((actorId) => [
      ...(['drained', 'lost', 'refused'] as const).map((end) => ({
        type: `xstate.done.actor.${actorId}`,
        output: { end, retryAfterMs: 0 },
        actorId,
      })),
      { type: `xstate.error.actor.${actorId}`, error: 'crash', actorId },
    ]),
  ] as EventObject[];
}

export function projectScaling({ context, children }: AnyMachineSnapshot): unknown {
  const scaling = context as ScalingContext;
  const { connections, count, failures, settings } = scaling;
  return [Object.keys(children), connections, count, Math.min(failures, 1), settings.connectionsMax, phaseOf(scaling)];
}

/** A connection that ends when it is told to. */
const fakeConnection = createMachine({
  id: 'fake',
  context: { output: undefined },
  initial: 'on',
  output: ({ context }) => context.output,
  states: {
    on: {
      on: {
        FINISH: { target: 'off', actions: assign({ output: ({ event }) => event.output }) },
        CRASH: { actions: 'crash' },
      },
    },
    off: { type: 'final' },
  },
}).provide({
  actions: {
    crash: () => {
      throw new Error('crash');
    },
  },
});

/** A real actor over fake connections, whose ends and crashes are real ones. */
export const scalingRig = (machine: typeof scalingMachine): Rig => ({
  machine: withFakes(machine.provide({ actors: { connection: fakeConnection as never } })),
  say(actor, event) {
    const { actorId, output } = event as { actorId?: string; output?: unknown };
    const child = actorId === undefined ? undefined : actor.getSnapshot().children[actorId];
    if (!child) actor.send(event);
    else if (event.type.startsWith('xstate.error')) child.send({ type: 'CRASH' });
    else child.send({ type: 'FINISH', output });
  },
  check({ context, children }) {
    const { connections } = context as ScalingContext;
    const missing = connections.filter((id) => !(id in children));
    return missing.length === 0 ? undefined : `there is no actor for ${missing.join(' ')}`;
  },
});
