import { copyFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import { viteSingleFile } from 'vite-plugin-singlefile';
import type { AnyStateMachine } from 'xstate';
import * as charts from '../machines/index.ts';
import { definitionOf } from '../src/inspect/definition.ts';
import { createElk } from './elk.ts';
import { layOut } from './layout.ts';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const OUT = path('../dist/inspector');
const DRAWINGS = 'virtual:drawings';

/** Lays the pool's own charts out when the page is built, so that the page needs no engine for them. */
const drawings = (): Plugin => ({
  name: 'recloser-drawings',
  resolveId: (id) => (id === DRAWINGS ? `\0${DRAWINGS}` : undefined),
  load: async (id) => {
    if (id !== `\0${DRAWINGS}`) return undefined;
    const machines = Object.values(charts) as AnyStateMachine[];
    const drawn = machines.map(async (machine) => [
      definitionOf(machine),
      await layOut(machine, createElk(), { labels: false }),
    ]);
    return `export default ${JSON.stringify(await Promise.all(drawn))}`;
  },
});

/** The layout engine lies beside the page as it came, with its licence: the page loads it for foreign charts only. */
const engine = (): Plugin => ({
  name: 'recloser-layout-engine',
  closeBundle: async () => {
    const { resolve } = createRequire(import.meta.url);
    await copyFile(resolve('elkjs/lib/elk.bundled.js'), `${OUT}/elk.bundled.js`);
    await copyFile(resolve('elkjs/LICENSE.md'), `${OUT}/elk.LICENSE.md`);
  },
});

export default defineConfig({
  root: path('./page'),
  base: './',
  logLevel: 'warn',
  html: { cspNonce: 'recloser-nonce' },
  build: { outDir: OUT, emptyOutDir: true, target: 'es2022' },
  plugins: [drawings(), viteSingleFile(), engine()],
});
