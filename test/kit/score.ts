import type { AnyStateMachine } from 'xstate';
import { EdgeCoverage } from './edges.ts';
import { likelyFirst, mutantsOf } from './mutate.ts';
import type { Path } from './paths.ts';

export interface Score {
  readonly killed: number;
  readonly total: number;
  readonly survivors: readonly string[];
}

/** Runs one path against a machine: what is wrong, or nothing. */
type Run = (machine: AnyStateMachine, path: Path, coverage?: EdgeCoverage) => string | undefined;

/**
 * How many charts with one thing wrong are noticed. A mutant that is declared equivalent is left out, with its reason.
 */
export function mutationScore(
  machine: AnyStateMachine,
  targets: readonly string[],
  paths: readonly Path[],
  run: Run,
  equivalent: Readonly<Record<string, string>> = {},
): Score {
  const mutants = mutantsOf(machine, targets).filter((mutant) => !(mutant.id in equivalent));
  const taken = new Map<Path, ReadonlySet<string>>();
  for (const path of paths) {
    const coverage = new EdgeCoverage(machine);
    // The chart as it is must pass, or everything would count as noticed.
    if (run(machine, path, coverage) !== undefined) throw new Error('The chart fails without anything wrong in it.');
    taken.set(path, coverage.taken);
  }
  const survivors = mutants.filter(
    (mutant) => !likelyFirst(paths, mutant, taken).some((path) => run(mutant.machine, path) !== undefined),
  );
  return { killed: mutants.length - survivors.length, total: mutants.length, survivors: survivors.map(({ id }) => id) };
}
