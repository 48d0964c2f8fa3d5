import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { LOOKS } from '../../src/looks.ts';

type Triple = readonly [number, number, number];

const linear = (hex: string): Triple => {
  const of = (from: number): number => {
    const value = Number.parseInt(hex.slice(from, from + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [of(1), of(3), of(5)];
};

const times = (rows: readonly Triple[], [a, b, c]: Triple): Triple =>
  rows.map(([x, y, z]) => x * a + y * b + z * c) as unknown as Triple;

/** Linear sRGB as OKLab (Ottosson 2020). */
function oklab(rgb: Triple): Triple {
  const lms = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    rgb,
  ).map(Math.cbrt) as unknown as Triple;
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    lms,
  );
}

/** Complete dichromacy in linear sRGB (Machado, Oliveira and Fernandes 2009). */
const VISIONS: Readonly<Record<string, readonly Triple[]>> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const within = (value: number): number => Math.min(1, Math.max(0, value));

function distance(one: string, other: string, vision: readonly Triple[]): number {
  const [a, b] = [one, other].map((hex) => oklab(times(vision, linear(hex)).map(within) as unknown as Triple));
  return Math.hypot(...(a ?? []).map((value, index) => value - (b?.[index] ?? 0)));
}

const THEMES = ['light', 'dark'] as const;

test.each(THEMES.flatMap((theme) => Object.entries(VISIONS).map(([name, vision]) => [theme, name, vision] as const)))(
  'the colours of states can be told apart in the %s theme with %s vision',
  (theme, _name, vision) => {
    const colours = Object.values(LOOKS).map((look) => look[theme]);
    const distances = colours.flatMap((one, index) =>
      colours.slice(index + 1).map((other) => distance(one, other, vision)),
    );
    expect(distances).toHaveLength(21);
    // The colours were searched for with 0.12, by a model of colour blindness that rounds a little differently.
    expect(Math.min(...distances)).toBeGreaterThanOrEqual(0.115);
  },
);

test('the distance tells colours apart that are, and those that are not', () => {
  expect(distance('#000000', '#ffffff', VISIONS.normal ?? [])).toBeCloseTo(1, 2);
  expect(distance('#3da490', '#3da491', VISIONS.normal ?? [])).toBeLessThan(0.01);
});

test('no two states share a glyph', () => {
  const glyphs = Object.values(LOOKS).map(({ glyph }) => glyph);
  expect(new Set(glyphs).size).toBe(glyphs.length);
});

test('the stylesheet for React has the same colours', async () => {
  const css = await readFile(new URL('../../src/react/style.css', import.meta.url), 'utf8');
  const [bright = '', dim = ''] = css.split('@media (prefers-color-scheme: dark)');
  for (const [status, { light, dark }] of Object.entries(LOOKS)) {
    expect(bright).toContain(`--recloser-${status}: ${light};`);
    expect(dim).toContain(`--recloser-${status}: ${dark};`);
    expect(css).toContain(`[data-look="${status}"]`);
  }
});
