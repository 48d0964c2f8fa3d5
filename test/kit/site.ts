import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type InlineConfig } from 'vite';
import { onTestFinished } from 'vitest';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
};

/** Builds a web application as its users would, and serves it on this machine until the test ends. Returns its address. */
export async function serveSite(config: InlineConfig): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'recloser-site-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await build({ logLevel: 'error', ...config, build: { ...config.build, outDir: folder, emptyOutDir: true } });
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    try {
      const content = await readFile(join(folder, path === '/' ? 'index.html' : path));
      response.setHeader(
        'Content-Type',
        TYPES[extname(path === '/' ? 'index.html' : path)] ?? 'application/octet-stream',
      );
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** The applications of the tests, over the package as it was built, with what `package.json` says for browsers. */
export const APPS: InlineConfig = {
  configFile: false,
  root: path('../browser/apps'),
  build: { rollupOptions: { input: [path('../browser/apps/stately.html'), path('../browser/apps/pool.html')] } },
  worker: { format: 'es' },
  resolve: {
    alias: [
      { find: /^recloser$/, replacement: path('../../dist/src/index.js') },
      { find: /^recloser\/inspect-browser$/, replacement: path('../../dist/src/inspect/index.browser.js') },
      { find: /^recloser\/verify-worker$/, replacement: path('../../dist/src/verify/worker-verifier.js') },
      { find: /^recloser\/outbox-indexeddb$/, replacement: path('../../dist/src/delivery/outbox/indexeddb-outbox.js') },
    ],
  },
};
