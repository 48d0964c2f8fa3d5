import { initialScalingContext } from './scaling.context.ts';
import { scalingSetup } from './scaling.setup.ts';

/**
 * Whoever watches the load of a relay that may have more connections than one, while its first serves. It looks twice a
 * second; one more connection is dialled, or the last one is asked to close, as `machines/policy/scaling.ts` says. One
 * that fails is not tried again at once, and one that the relay refuses even less so. It ends, and all of them with it,
 * when the first stops serving.
 *
 * Invariants: never more connections than the settings allow, or allowed when they were dialled.
 */
export const scalingMachine = scalingSetup.createMachine({
  id: 'scaling',
  context: ({ input }) => initialScalingContext(input),
  initial: 'watching',
  on: {
    CONFIGURE: { actions: ['applySettings', 'tuneConnections'] },
    STOP: { target: '.stopped' },
    'xstate.done.actor.*': [
      { guard: 'isCounted', actions: ['takeReading', 'forgetConnection', 'reportSize'] },
      { actions: 'forgetConnection' },
    ],
    'xstate.error.actor.*': [
      { guard: 'isCounted', actions: ['takeReading', 'dropConnection', 'forgetConnection', 'reportSize'] },
      { actions: ['dropConnection', 'forgetConnection'] },
    ],
  },
  states: {
    watching: {
      after: { lookDelay: { target: 'judging', actions: ['takeReading', 'takeLook', 'recordLook'] } },
    },
    judging: {
      always: [
        { guard: 'wantsMore', target: 'watching', actions: ['grow', 'reportSize'] },
        { guard: 'wantsLess', target: 'watching', actions: ['shrink', 'reportSize'] },
        { target: 'watching' },
      ],
    },
    stopped: { type: 'final' },
  },
});
