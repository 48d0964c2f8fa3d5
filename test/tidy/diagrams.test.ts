import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import * as charts from '../../machines/index.ts';
import { pictures } from '../../visualizations/charts.ts';
import { createElk } from '../../visualizations/elk.ts';
import { layOut } from '../../visualizations/layout.ts';

test('the pictures in the repository are those of the charts as they are; npm run viz renews them', async () => {
  for (const [name, content] of await pictures()) {
    const kept = await readFile(new URL(`../../visualizations/${name}`, import.meta.url), 'utf8');
    expect(kept === content, `visualizations/${name} is stale`).toBe(true);
  }
});

interface Box {
  readonly what: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const overlaps = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

test.each(Object.values(charts).map((chart) => [chart.id, chart] as const))(
  'in the picture of the %s chart no label covers another, or a state',
  async (_id, chart) => {
    const drawing = await layOut(chart, createElk());
    const labels: Box[] = drawing.arrows
      .filter(({ label }) => label.length > 0)
      .map(({ id, x, y, label }) => {
        const width = Math.max(...label.map((line) => line.length)) * 6.7;
        return { what: id, x, y, width, height: label.length * 15 };
      });
    const states: Box[] = drawing.states
      .filter(({ kind }) => kind !== 'root' && kind !== 'compound' && kind !== 'parallel')
      .map(({ id, x, y, width, height }) => ({ what: id, x, y, width, height }));
    const collisions = labels.flatMap((label, index) =>
      [...labels.slice(index + 1), ...states]
        .filter((other) => overlaps(label, other))
        .map(({ what }) => [label.what, what]),
    );
    expect(labels.length).toBeGreaterThan(1);
    expect(collisions).toEqual([]);
  },
);
