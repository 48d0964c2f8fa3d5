import { describe, expect, test } from 'vitest';
import { poolMachine } from '../../machines/pool/pool.machine.ts';
import { EdgeCoverage } from '../kit/edges.ts';
import { leavesOf, pathsOf, statesOf } from '../kit/paths.ts';
import { runPath } from '../kit/run.ts';
import { mutationScore } from '../kit/score.ts';
import { deadEnds, INPUTS, modelledPool, poolEvents, poolRig, projectPool } from './pool.model.ts';

const explored = Object.values(INPUTS).map((input) => {
  const found = pathsOf({ machine: modelledPool, input, events: poolEvents, deadEnds, project: projectPool });
  return { input, ...found };
});
const inputs = new Map(explored.flatMap(({ input, paths }) => paths.map((path) => [path, input] as const)));
const paths = [...inputs.keys()];

describe('the pool chart', () => {
  test('walks every generated path as its model says, and takes every edge', () => {
    const coverage = new EdgeCoverage(poolMachine);
    for (const [path, input] of inputs) {
      const problem = runPath(path, { model: modelledPool, input, rig: () => poolRig(poolMachine), coverage });
      expect(problem).toBeUndefined();
    }
    const steps = paths.reduce((sum, path) => sum + path.events.length, 0);
    const sneaks = paths.filter((path) => path.isSneak).length;
    console.log(
      `pool: ${coverage.taken.size} of ${coverage.total} edges, ${paths.length} paths, ${steps} steps, ` +
        `${sneaks} sneak pairs, ${explored.map((each) => each.modelStates).join(' + ')} model states`,
    );
    expect(coverage.missing).toEqual([]);
    expect(sneaks).toBeGreaterThan(20);
    const reached = statesOf(paths);
    // The platform decides at once.
    expect(leavesOf(poolMachine).filter((id) => !reached.has(id))).toEqual(['pool.running.network.starting']);
  });

  test('with one thing wrong, is always noticed', () => {
    const targets = ['pool.closed', 'pool.draining'];
    const { killed, total, survivors } = mutationScore(poolMachine, targets, paths, (machine, path, coverage) =>
      runPath(path, {
        model: modelledPool,
        input: inputs.get(path),
        rig: () => poolRig(machine as typeof poolMachine),
        ...(coverage ? { coverage } : {}),
      }),
    );
    console.log(`pool: ${killed} of ${total} mutants noticed`);
    expect(survivors).toEqual([]);
  });
});
