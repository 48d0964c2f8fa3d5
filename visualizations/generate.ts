import { writeFile } from 'node:fs/promises';
import { pictures } from './charts.ts';

for (const [name, content] of await pictures()) {
  await writeFile(new URL(name, import.meta.url), content);
  process.stdout.write(`visualizations/${name}\n`);
}
