import type { AnyStateMachine } from 'xstate';

/** A fault that somebody might have made in the product, and the promise that it breaks. */
export interface ProductFault {
  /** What is wrong, as a sentence. */
  readonly says: string;
  /** The invariants of which at least one has to notice it. */
  readonly breaks: readonly string[];
  /** The plan of the corpus in which it shows, where it would take many seeds to come upon it. */
  readonly plan?: string;
  /** Makes the mistake; what it returns takes it back. */
  plant(): () => void;
}

type Methods = Record<string, unknown>;

/** Replaces a property of an object or a prototype for a while. */
export function replace(target: object, key: string, make: (original: never) => unknown): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(target, key);
  if (!descriptor) throw new Error(`There is no ${key} to break.`);
  const original = (descriptor.get ?? descriptor.value) as never;
  const made = make(original);
  Object.defineProperty(
    target,
    key,
    descriptor.get ? { ...descriptor, get: made as () => unknown } : { ...descriptor, value: made },
  );
  return () => Object.defineProperty(target, key, descriptor);
}

export const all =
  (...undos: (() => void)[]) =>
  (): void => {
    for (const undo of undos) undo();
  };

/** Replaces a named part of a chart: an action, a guard or a delay. */
export const part = (
  machine: AnyStateMachine,
  kind: 'actions' | 'guards' | 'delays',
  name: string,
  with_: unknown,
): (() => void) => replace(machine.implementations[kind], name, () => with_);

type Config = { [key: string]: Config };

/** Edits a chart's own description; the edit returns what to put back. */
export function edit(machine: AnyStateMachine, path: readonly string[], key: string, value: unknown): () => void {
  const node = path.reduce((from, each) => from.states?.[each] as Config, machine.config as unknown as Config);
  return replace(node, key, () => value);
}

type Step = (
  record: { state: string; context: { tries: number } },
  event: { type: string },
) => readonly string[] | undefined;

/** Changes what a delivery's or publication's table answers. */
export const step = (table: object, wrap: (original: Step) => Step): (() => void) => replace(table, 'step', wrap);

export const of = (value: { prototype: object }): Methods => value.prototype as Methods;
