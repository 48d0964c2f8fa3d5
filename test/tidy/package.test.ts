import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const read = (path: string): Promise<Buffer> => readFile(new URL(`../../${path}`, import.meta.url));

test('the layout engine ships as it came, beside its licence, and the page does not contain it', async () => {
  const engine = await read('node_modules/elkjs/lib/elk.bundled.js');
  expect((await read('dist/inspector/elk.bundled.js')).equals(engine)).toBe(true);
  expect((await read('dist/inspector/elk.LICENSE.md')).toString()).toContain('Eclipse Public License');
  const page = (await read('dist/inspector/index.html')).toString();
  expect(page).not.toContain('org.eclipse.elk.layered');
  expect(page.length).toBeLessThan(400_000);
});

test('the page is one file that asks for nothing else', async () => {
  const page = (await read('dist/inspector/index.html')).toString();
  const [head = ''] = page.split('<script type="module"');
  expect(head).not.toMatch(/<(link|script)[^>]+(href|src)="(?!data:)/);
  expect(page).not.toMatch(
    /https?:\/\/(?!www\.w3\.org|127\.0\.0\.1|localhost|stately\.ai)[a-z0-9.-]+\.[a-z]{2,}\/[^\s"'`)]*\.(js|css|woff2?|png)/,
  );
});
