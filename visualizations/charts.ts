import type { AnyStateMachine } from 'xstate';
import * as charts from '../machines/index.ts';
import { createElk } from './elk.ts';
import { layOut } from './layout.ts';
import { toMermaid } from './mermaid.ts';
import { toSvg } from './svg.ts';

/** Every picture that the repository keeps, by file name. */
export async function pictures(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const machine of Object.values(charts) as AnyStateMachine[]) {
    const drawing = await layOut(machine, createElk());
    files.set(`${machine.id}.svg`, toSvg(drawing));
    files.set(`${machine.id}.mmd`, toMermaid(drawing));
  }
  return files;
}
