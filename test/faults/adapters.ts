import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Adapter } from './scenario.ts';

/**
 * The adapter of another pool: a folder of `adapters/` with a package.json of its own, so that nobody has to install
 * other pools to work on this one. It is installed when it is asked for; its `adapter.mjs` exports an `Adapter`.
 */
export async function adapterOf(name: string): Promise<Adapter> {
  const folder = new URL(`adapters/${name}/`, import.meta.url);
  const path = fileURLToPath(folder);
  if (!/^[a-z-]+$/.test(name) || !existsSync(path)) throw new Error(`There is no adapter called ${name}.`);
  if (!existsSync(new URL('node_modules', folder))) {
    console.log(`installing ${name} …`);
    execFileSync('npm', ['ci', '--silent'], { cwd: path, stdio: ['ignore', 'ignore', 'inherit'] });
  }
  const { adapter } = (await import(new URL('adapter.mjs', folder).href)) as { adapter: Adapter };
  return adapter;
}
