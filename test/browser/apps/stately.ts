import { createBrowserInspector } from '@statelyai/inspect';
import { assign, createActor, createMachine, sendTo, setup } from 'xstate';

const lamp = setup({}).createMachine({
  id: 'lamp',
  initial: 'off',
  states: { off: { on: { TOGGLE: 'on' } }, on: { on: { TOGGLE: 'off' } } },
});

const crossing = createMachine({
  id: 'crossing',
  context: { cars: 0 },
  invoke: { src: lamp, id: 'lamp' },
  type: 'parallel',
  states: {
    light: {
      initial: 'green',
      states: {
        green: { on: { NEXT: { target: 'yellow', actions: sendTo('lamp', { type: 'TOGGLE' }) } } },
        yellow: { on: { NEXT: 'red' } },
        red: { on: { NEXT: 'green' } },
      },
    },
    counter: {
      initial: 'counting',
      states: { counting: { on: { CAR: { actions: assign({ cars: ({ context }) => context.cars + 1 }) } } } },
    },
  },
});

// The inspector tells whatever it is told in idle callbacks, and a busy browser may leave those out for as long as it likes.
window.requestIdleCallback = (callback) => setTimeout(callback, 0) as unknown as number;

const iframe = document.querySelector<HTMLIFrameElement>('#inspector');
const url = new URLSearchParams(location.search).get('inspector') ?? '';
const { inspect } = createBrowserInspector({ url, iframe });
const actor = createActor(crossing, { inspect }).start();
document.querySelector('#next')?.addEventListener('click', () => actor.send({ type: 'NEXT' }));
