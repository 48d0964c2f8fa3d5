import { describe, expect, test } from 'vitest';
import { type AnyMachineSnapshot, initialTransition, transition } from 'xstate';
import type { RelayOptions } from '../../machines/policy/settings.ts';
import { relayMachine } from '../../machines/relay/relay.machine.ts';
import { EdgeCoverage } from '../kit/edges.ts';
import { type Path, pathsOf } from '../kit/paths.ts';
import { runPath } from '../kit/run.ts';
import {
  inputOf,
  modelledRelay,
  POLICIES,
  projectRelay,
  relayEvents,
  relayRig,
  staleEvents,
} from '../machines/relay.model.ts';
import { isDrivable, RelayDriver } from './relay-driver.ts';

/** Whether every event of a path can be made to happen with a real relay. */
function canBeDriven(path: Path, options: RelayOptions): boolean {
  let snapshot: AnyMachineSnapshot = initialTransition(modelledRelay, inputOf(options))[0];
  return path.events.every((event) => {
    const before = snapshot;
    snapshot = transition(modelledRelay, before, event as never)[0];
    return isDrivable(event as never, before);
  });
}

/** The shortest paths that together take every arrow that can be taken with a real relay. */
function coveringPaths(): readonly { readonly path: Path; readonly options: RelayOptions }[] {
  const covered = new Set<string>();
  return Object.values(POLICIES).flatMap((options) => {
    const input = inputOf(options);
    const { paths } = pathsOf({
      machine: modelledRelay,
      input,
      events: relayEvents,
      deadEnds: staleEvents,
      project: projectRelay,
    });
    const candidates = paths
      .filter((path) => canBeDriven(path, options))
      .sort((a, b) => a.events.length - b.events.length);
    return candidates.flatMap((path) => {
      const coverage = new EdgeCoverage(relayMachine);
      runPath(path, { model: modelledRelay, input, rig: () => relayRig(relayMachine), coverage });
      const isNew = [...coverage.taken].some((edge) => !covered.has(edge));
      for (const edge of coverage.taken) covered.add(edge);
      return isNew ? [{ path, options }] : [];
    });
  });
}

describe('the paths of the relay chart, with a real relay', () => {
  const coverage = new EdgeCoverage(relayMachine);
  const chosen = coveringPaths();

  test.each(
    chosen.map(({ path, options }, index) => [index + 1, path.events.at(-1)?.type ?? '', path, options] as const),
  )('%i: %s', async (_index, _name, path, options) => {
    const driver = await RelayDriver.start(options, coverage);
    await driver.walk(path);
    await driver.end();
    // Whatever became of it, everybody who published has been told.
    for (const receipt of await Promise.all(driver.receipts)) expect(receipt.id).toHaveLength(64);
  });

  test('take every arrow of the chart', () => {
    console.log(`relay, real sockets: ${coverage.taken.size} of ${coverage.total} edges by ${chosen.length} paths`);
    expect(coverage.missing).toEqual([]);
  });
});
