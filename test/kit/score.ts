import type { AnyStateMachine } from 'xstate';
import { likelyFirst, type Mutant, mutantsOf } from './mutate.ts';
import type { Path } from './paths.ts';

export interface Score {
  readonly killed: number;
  readonly total: number;
  readonly survivors: readonly string[];
}

/**
 * How many charts with one thing wrong are noticed. `noticed` runs one path against a mutant; a mutant that is declared
 * equivalent is left out, with its reason.
 */
export function mutationScore(
  machine: AnyStateMachine,
  targets: readonly string[],
  paths: readonly Path[],
  noticed: (mutant: Mutant, path: Path) => boolean,
  equivalent: Readonly<Record<string, string>> = {},
): Score {
  const mutants = mutantsOf(machine, targets).filter((mutant) => !(mutant.id in equivalent));
  // The chart as it is must pass, or everything would count as noticed.
  const original: Mutant = { id: 'the chart itself', node: '', event: undefined, machine };
  if (paths.some((path) => noticed(original, path))) throw new Error('The chart fails without anything wrong in it.');
  const survivors = mutants.filter((mutant) => !likelyFirst(paths, mutant).some((path) => noticed(mutant, path)));
  return { killed: mutants.length - survivors.length, total: mutants.length, survivors: survivors.map(({ id }) => id) };
}
