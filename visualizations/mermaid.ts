import type { Drawing } from './layout.ts';

/** Mermaid takes no dashes or dots in ids; the names stay in the labels. */
const idOf = (state: string): string => state.replaceAll(/[^a-zA-Z0-9]/g, '_');

/** A chart as Mermaid text, which code hosts draw. */
export function toMermaid(drawing: Drawing): string {
  const lines = ['stateDiagram-v2'];
  const parentOf = (id: string): string => id.slice(0, id.lastIndexOf('.'));
  const write = (parent: string, indent: string): void => {
    const isParallel = drawing.states.some(({ id, kind }) => id === parent && kind === 'parallel');
    const children = drawing.states.filter(
      ({ id, kind }) => kind !== 'root' && kind !== 'initial' && parentOf(id) === parent,
    );
    for (const [index, { id, name, kind }] of children.entries()) {
      if (isParallel && index > 0) lines.push(`${indent}--`);
      lines.push(`${indent}state "${name}" as ${idOf(id)}`);
      if (kind !== 'compound' && kind !== 'parallel') continue;
      lines.push(`${indent}state ${idOf(id)} {`);
      write(id, `${indent}  `);
      lines.push(`${indent}}`);
    }
    const begin = drawing.arrows.find(({ source }) => source === `${parent}/initial`);
    if (begin) lines.push(`${indent}[*] --> ${idOf(begin.target)}`);
  };
  write(drawing.id, '  ');
  for (const { source, target, label } of drawing.arrows) {
    if (label.length > 0)
      lines.push(`  ${idOf(source)} --> ${idOf(target)}: ${label.join('<br/>').replaceAll(':', ' ')}`);
  }
  return `${lines.join('\n')}\n`;
}
