import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { INVARIANTS } from './invariants/index.ts';

const here = new URL('.', import.meta.url);
const rows = [
  ...readFileSync(new URL('README.md', here), 'utf8').matchAll(/^\| ([SLP]\d+) +\| (.+?) +\| (.+?) +\|$/gm),
].map(([, id = '', promise = '', state = '']) => ({ id, promise, state }));

test('the table of promises says what is checked, and what is checked is in it', () => {
  expect(rows.length).toBeGreaterThan(45);
  const checked = rows.filter(({ state }) => state.startsWith('checked')).map(({ id }) => id);
  const watched = new Set(INVARIANTS.flatMap(({ ids }) => ids.split(' ')));
  expect([...watched].sort()).toEqual([...checked].sort());
});

test('whatever else it names as a proof exists', () => {
  const named = rows.flatMap(({ state }) => /^`(.+)`$/.exec(state)?.[1] ?? []);
  expect(named.length).toBeGreaterThan(1);
  for (const name of named) {
    expect(existsSync(new URL(name.startsWith('test/') ? `../../${name}` : name, here)), name).toBe(true);
  }
});
