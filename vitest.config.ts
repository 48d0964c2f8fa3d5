import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: '#platform', replacement: path('./src/transport/platform.node.ts') },
      { find: /^recloser$/, replacement: path('./src/index.ts') },
      { find: /^recloser\/machines$/, replacement: path('./machines/index.ts') },
      { find: /^recloser\/testing$/, replacement: path('./src/testing/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    // Node 20 has the platform's WebSocket behind a flag; one transport is tested on it.
    execArgv: ['--experimental-websocket'],
    testTimeout: 90_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['machines/**', 'src/**'], exclude: ['src/cli/**'] },
  },
});
