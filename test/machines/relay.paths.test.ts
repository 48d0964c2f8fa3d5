import { describe, expect, test } from 'vitest';
import { relayMachine } from '../../machines/relay/relay.machine.ts';
import { EdgeCoverage } from '../kit/edges.ts';
import { leavesOf, pathsOf, statesOf } from '../kit/paths.ts';
import { runPath } from '../kit/run.ts';
import { mutationScore } from '../kit/score.ts';
import { inputOf, modelledRelay, POLICIES, projectRelay, relayEvents, relayRig, staleEvents } from './relay.model.ts';

const explored = Object.values(POLICIES).map((options) => {
  const input = inputOf(options);
  const found = pathsOf({
    machine: modelledRelay,
    input,
    events: relayEvents,
    deadEnds: staleEvents,
    project: projectRelay,
  });
  return { input, ...found };
});
const inputs = new Map(explored.flatMap(({ input, paths }) => paths.map((path) => [path, input] as const)));
const paths = [...inputs.keys()];

/** Nobody is ever in these: they decide at once. */
const TRANSIENT = ['relay.obeying', 'relay.ended', 'relay.assessing'];

describe('the relay chart', () => {
  test('walks every generated path as its model says, and takes every edge', () => {
    const coverage = new EdgeCoverage(relayMachine);
    for (const [path, input] of inputs) {
      const problem = runPath(path, { model: modelledRelay, input, rig: () => relayRig(relayMachine), coverage });
      expect(problem).toBeUndefined();
    }
    const steps = paths.reduce((sum, path) => sum + path.events.length, 0);
    const sneaks = paths.filter((path) => path.isSneak).length;
    console.log(
      `relay: ${coverage.taken.size} of ${coverage.total} edges, ${paths.length} paths, ${steps} steps, ` +
        `${sneaks} sneak pairs, ${explored.map((each) => each.modelStates).join(' + ')} model states`,
    );
    expect(coverage.missing).toEqual([]);
    expect(sneaks).toBeGreaterThan(400);
    const reached = statesOf(paths);
    expect(leavesOf(relayMachine).filter((id) => !reached.has(id))).toEqual(TRANSIENT);
  });

  test('with one thing wrong, is always noticed', () => {
    const targets = ['relay.idle', 'relay.backoff'];
    const { killed, total, survivors } = mutationScore(relayMachine, targets, paths, (machine, path, coverage) =>
      runPath(path, {
        model: modelledRelay,
        input: inputs.get(path),
        rig: () => relayRig(machine as typeof relayMachine),
        ...(coverage ? { coverage } : {}),
      }),
    );
    console.log(`relay: ${killed} of ${total} mutants noticed`);
    expect(survivors).toEqual([]);
  });
});
