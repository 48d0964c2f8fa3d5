import * as formerGraph from '@xstate/graph';
import { expect, test } from 'vitest';
import { type AnyStateMachine, setup } from 'xstate';
import * as graph from 'xstate/graph';
import * as charts from '../../machines/index.ts';
import { lintChart, lintNames } from '../kit/lint.ts';

const all: readonly AnyStateMachine[] = Object.values(charts);

test.each(all.map((chart) => [chart.id, chart] as const))('the %s chart names only what exists', (_id, chart) => {
  expect(lintChart(chart)).toEqual([]);
});

test.each(all.map((chart) => [chart.id, chart] as const))('the %s chart keeps to the rules for names', (_id, chart) => {
  expect(lintNames(chart)).toEqual([]);
});

test('the lint sees what the types do not', () => {
  const wrong = setup({
    actions: { known: () => {} },
    guards: { Known: () => true },
    delays: { soon: 1 },
  }).createMachine({
    id: 'wrong',
    initial: 'Idle',
    states: {
      Idle: {
        after: { late: { target: 'Idle' } } as never,
        on: {
          doIt: [{ actions: 'unknown' as never }, { guard: 'missing' as never, actions: 'known' }],
        },
      },
      'a.b': {},
    },
  });
  expect(lintChart(wrong)).toEqual([
    'wrong.Idle: no delay is called late',
    'wrong.Idle on doIt: no action is called unknown',
    'wrong.Idle on doIt: no guard is called missing',
    'wrong.Idle on doIt: a branch that is never reached',
    'wrong.a.b: a dot in the name of a state breaks transitions to it',
  ]);
  expect(lintNames(wrong)).toEqual([
    'wrong: the state Idle',
    'wrong: the event doIt',
    'wrong: the state a.b',
    'wrong: the guards Known',
  ]);
});

test('a bare chart that is started says what it needs', async () => {
  const { createActor } = await import('xstate');
  const actor = createActor(charts.relayMachine, { input: { url: 'wss://relay.example/' } });
  const error = new Promise((resolve) => actor.subscribe({ error: resolve }));
  actor.start();
  actor.send({ type: 'CONNECT' });
  // The missing socket is a failed session to the chart, whose next step needs the next missing part.
  expect(String(await error)).toMatch(/The bare relay chart has no .*machine\.provide\(/);
});

test('xstate/graph, which makes the paths, finds those that @xstate/graph finds', () => {
  const options = { events: [{ type: 'frame.sent' }, { type: 'answer.accepted' }, { type: 'CLOSE' }] };
  const project = ({ value, context }: { value: unknown; context: { tries: number } }) =>
    JSON.stringify([value, Math.min(context.tries, 2)]);
  const found = [graph, formerGraph].map(({ getShortestPaths }) =>
    getShortestPaths(charts.deliveryMachine, {
      ...options,
      input: { triesMax: 2 },
      serializeState: project,
    } as never).map((path) => path.steps.map((step) => step.event.type).join(' ')),
  );
  expect(found[0]).toEqual(found[1]);
  expect(found[0]?.length).toBeGreaterThan(5);
});
