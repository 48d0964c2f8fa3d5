import { type AnyStateMachine, createMachine } from 'xstate';
import type { Path } from './paths.ts';

/** A chart with one thing wrong. */
export interface Mutant {
  readonly id: string;
  /** Id of the state in which it is wrong, and the event. */
  readonly node: string;
  readonly event: string | undefined;
  /** Id of the arrow that is wrong, where it is one. */
  readonly edge: string | undefined;
  readonly machine: AnyStateMachine;
}

type Config = Record<string, unknown>;

const isObject = (value: unknown): value is Config =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Copies a configuration, keeping functions as they are. */
function copy<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(copy) as Value;
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copy(each)])) as Value;
}

const asList = (value: unknown): unknown[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

const nameOf = (action: unknown): string =>
  isObject(action) ? `${String(action.type)} ${JSON.stringify(action.params ?? '')}` : String(action);

/**
 * Every chart that differs from this one in one place: a branch, a guard, an action, a target, or an actor left out,
 * or a target that is another state.
 */
export function mutantsOf(machine: AnyStateMachine, targets: readonly string[]): readonly Mutant[] {
  const mutants: Mutant[] = [];
  const original = machine.config as Config;

  /** Applies `change` to a fresh copy, at the node that `path` leads to. */
  const mutate = (
    path: readonly string[],
    what: string,
    change: (node: Config) => void,
    event?: string,
    branch?: string,
  ): void => {
    // A mutant may go round in circles; that counts as noticed, and must not take for ever.
    const config: Config = { ...copy(original), options: { maxIterations: 20 } };
    let node = config;
    for (const key of path) node = (node.states as Record<string, Config>)[key] as Config;
    change(node);
    const id = [machine.id, ...path].join('.');
    mutants.push({
      id: `${id}: ${what}`,
      node: id,
      event,
      edge: branch && `${id} | ${branch}`,
      machine: createMachine(config as never, machine.implementations as never),
    });
  };

  const mutateBranches = (
    path: readonly string[],
    node: Config,
    group: 'on' | 'after' | 'always',
    event?: string,
  ): void => {
    const read = (from: Config): unknown => (event === undefined ? from[group] : (from[group] as Config)[event]);
    const write = (to: Config, branches: unknown[]): void => {
      if (event === undefined) to[group] = branches;
      else (to[group] as Config)[event] = branches;
    };
    const label = `${group} ${event ?? ''}`;
    asList(read(node)).forEach((branch, index) => {
      const at = `${label} [${index}]`;
      const edge = `${event ?? '(always)'} | ${index}`;
      const edit = (what: string, change: (branch: Config) => void): void =>
        mutate(
          path,
          `${at} ${what}`,
          (copied) => {
            const branches = asList(read(copied));
            change(branches[index] as Config);
            write(copied, branches);
          },
          event,
          edge,
        );
      mutate(
        path,
        `${at} removed`,
        (copied) => {
          const left = asList(read(copied)).filter((_, each) => each !== index);
          if (left.length > 0) write(copied, left);
          else if (event === undefined) delete copied[group];
          else delete (copied[group] as Config)[event];
        },
        event,
        edge,
      );
      if (!isObject(branch)) return;
      if (branch.guard !== undefined) {
        edit('without its guard', (copied) => {
          delete copied.guard;
        });
      }
      if (branch.target !== undefined) {
        edit('without its target', (copied) => {
          delete copied.target;
          delete copied.reenter;
        });
        const other = targets.find((target) => !String(branch.target).endsWith(target.split('.').at(-1) ?? ''));
        edit(`to ${other}`, (copied) => {
          copied.target = `#${other}`;
        });
      }
      asList(branch.actions).forEach((action, position) => {
        edit(`without ${nameOf(action)}`, (copied) => {
          copied.actions = asList(copied.actions).filter((_, each) => each !== position);
        });
      });
    });
  };

  const visit = (node: Config, path: readonly string[]): void => {
    for (const group of ['on', 'after'] as const) {
      for (const event of Object.keys((node[group] as Config | undefined) ?? {}))
        mutateBranches(path, node, group, event);
    }
    if (node.always !== undefined) mutateBranches(path, node, 'always');
    asList(node.entry).forEach((action, position) => {
      mutate(path, `entry without ${nameOf(action)}`, (copied) => {
        copied.entry = asList(copied.entry).filter((_, each) => each !== position);
      });
    });
    if (isObject(node.invoke)) {
      mutate(path, 'without its actor', (copied) => {
        delete copied.invoke;
      });
      if (node.invoke.onError !== undefined) {
        mutate(path, 'without onError', (copied) => {
          delete (copied.invoke as Config).onError;
        });
      }
    }
    for (const [key, child] of Object.entries((node.states as Record<string, Config> | undefined) ?? {})) {
      visit(child, [...path, key]);
    }
  };

  visit(original, []);
  return mutants;
}

/** The paths that take the mutated arrow, or are about its state and event, first: they are the likely ones to notice. */
export function likelyFirst(
  paths: readonly Path[],
  { node, event, edge }: Mutant,
  taken: ReadonlyMap<Path, ReadonlySet<string>>,
): readonly Path[] {
  const likelihood = (path: Path): number => {
    const takes = edge !== undefined && taken.get(path)?.has(edge);
    const passes = path.arrivesAt.split(' ').some((state) => state.startsWith(node));
    const says = event !== undefined && path.events.at(-1)?.type.includes(event);
    return (passes ? 1 : 0) + (says ? 2 : 0) + (takes ? 4 : 0);
  };
  const ranked = paths.map((path) => ({ path, rank: likelihood(path) }));
  return ranked.sort((a, b) => b.rank - a.rank).map(({ path }) => path);
}
