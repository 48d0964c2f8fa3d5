import type { Drawing, DrawnArrow, DrawnState } from './layout.ts';

const LINE = 15;
const FONT = 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace';

/** Both themes in one file: the picture follows the reader's. */
const STYLE = `
  svg { background: var(--paper); --paper: #fff; --ink: #1c2430; --soft: #5a6472; --line: #7a8594; --box: #f4f6f9; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #10151d; --ink: #e6eaf0; --soft: #a5aebb; --line: #79869a; --box: #1a212c; }
  }
  text { font: 11px ${FONT}; fill: var(--soft); }
  .name { font-size: 13px; font-weight: 600; fill: var(--ink); }
  .title { font-size: 15px; font-weight: 700; fill: var(--ink); }
  rect { fill: var(--paper); stroke: var(--line); }
  .compound > rect, .parallel > rect { fill: var(--box); }
  .decision > rect { stroke-dasharray: 4 3; }
  .initial > circle { fill: var(--ink); }
  .final > rect { stroke-width: 3; }
  .arrow > path { fill: none; stroke: var(--line); }
  .arrow > rect { fill: var(--paper); stroke: none; opacity: .85; }
  marker path { fill: var(--line); }
`;

const round = (value: number): number => Math.round(value * 10) / 10;

const xml = (text: string): string => text.replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`);

function state({ id, name, kind, x, y, width, height }: DrawnState): string {
  const open = `<g class="state ${kind}" data-state="${xml(id)}">`;
  if (kind === 'initial') {
    return `${open}<circle cx="${round(x + width / 2)}" cy="${round(y + height / 2)}" r="5"/></g>`;
  }
  const box = `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="8"/>`;
  const nameAt =
    kind === 'compound' || kind === 'parallel'
      ? `x="${round(x + 14)}" y="${round(y + 22)}"`
      : `x="${round(x + width / 2)}" y="${round(y + height / 2 + 4.5)}" text-anchor="middle"`;
  return `${open}${box}<text class="name" ${nameAt}>${xml(name)}</text></g>`;
}

function arrow({ id, points, label, x, y }: DrawnArrow): string {
  const path = points.map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${round(px)} ${round(py)}`).join('');
  const width = Math.max(0, ...label.map((line) => line.length)) * 6.7 + 4;
  const back = label.length
    ? `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${label.length * LINE}"/>`
    : '';
  const lines = label.map(
    (line, index) => `<text x="${round(x + 3)}" y="${round(y + 11 + index * LINE)}">${xml(line)}</text>`,
  );
  return `<g class="arrow" data-arrow="${xml(id)}"><path d="${path}" marker-end="url(#head)"/>${back}${lines.join('')}</g>`;
}

/** A drawing as a picture that stands alone; states and arrows carry their ids. */
export function toSvg(drawing: Drawing): string {
  const top = 34;
  const notes = drawing.footnotes.map((note, index) => {
    const y = drawing.height + top + 20 + index * LINE;
    return `<text x="${index === 0 ? 16 : 124}" y="${round(y)}">${xml(index === 0 ? `in every state: ${note}` : note)}</text>`;
  });
  const width = Math.ceil(Math.max(drawing.width, 420));
  const height = Math.ceil(drawing.height + top + (notes.length ? 20 + notes.length * LINE : 8));
  const boxes = drawing.states.filter(({ kind }) => kind !== 'root').map(state);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Statechart of ${drawing.id}" xml:space="preserve">`,
    `<style>${STYLE}</style>`,
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
    `<text class="title" x="16" y="24">${xml(drawing.id)}</text>`,
    `<g transform="translate(0 ${top})">`,
    ...boxes,
    ...drawing.arrows.map(arrow),
    '</g>',
    ...notes,
    '</svg>',
    '',
  ].join('\n');
}
