import { describe, expect, test } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { connectionMachine } from '../../machines/connection/connection.machine.ts';
import { scalingMachine } from '../../machines/scaling/scaling.machine.ts';
import { EdgeCoverage } from '../kit/edges.ts';
import { type Exploration, leavesOf, pathsOf, statesOf } from '../kit/paths.ts';
import { type Rig, runPath } from '../kit/run.ts';
import { mutationScore } from '../kit/score.ts';
import {
  connectionDeadEnds,
  connectionEvents,
  connectionInput,
  connectionRig,
  modelledConnection,
  projectConnection,
} from './connection.model.ts';
import { modelledScaling, projectScaling, scalingEvents, scalingInput, scalingRig } from './scaling.model.ts';

interface Subject {
  readonly machine: AnyStateMachine;
  readonly exploration: Exploration;
  readonly rig: (machine: never) => Rig;
  readonly transient: readonly string[];
  readonly targets: readonly string[];
}

const SUBJECTS: readonly (readonly [name: string, subject: Subject])[] = [
  [
    'connection',
    {
      machine: connectionMachine,
      exploration: {
        machine: modelledConnection,
        input: connectionInput,
        events: connectionEvents,
        deadEnds: connectionDeadEnds,
        project: projectConnection,
      },
      rig: connectionRig,
      transient: [],
      targets: ['connection.closed', 'connection.live.suspected'],
    },
  ],
  [
    'scaling',
    {
      machine: scalingMachine,
      exploration: {
        machine: modelledScaling,
        input: scalingInput,
        events: scalingEvents,
        project: projectScaling,
      },
      rig: scalingRig,
      transient: ['scaling.judging'],
      targets: ['scaling.watching', 'scaling.judging'],
    },
  ],
];

describe.each(SUBJECTS)('the %s chart', (name, { machine, exploration, rig, transient, targets }) => {
  const { paths, modelStates } = pathsOf(exploration);
  const options = { model: exploration.machine, input: exploration.input };

  test('walks every generated path as its model says, and takes every edge', () => {
    const coverage = new EdgeCoverage(machine);
    for (const path of paths) {
      expect(runPath(path, { ...options, rig: () => rig(machine as never), coverage })).toBeUndefined();
    }
    console.log(
      `${name}: ${coverage.taken.size} of ${coverage.total} edges, ${paths.length} paths, ${modelStates} model states`,
    );
    expect(coverage.missing).toEqual([]);
    const reached = statesOf(paths);
    expect(leavesOf(machine).filter((id) => !reached.has(id))).toEqual(transient);
  });

  test('with one thing wrong, is always noticed', () => {
    const { killed, total, survivors } = mutationScore(machine, targets, paths, (mutant, path, coverage) =>
      runPath(path, { ...options, rig: () => rig(mutant as never), ...(coverage ? { coverage } : {}) }),
    );
    console.log(`${name}: ${killed} of ${total} mutants noticed`);
    expect(survivors).toEqual([]);
  });
});
