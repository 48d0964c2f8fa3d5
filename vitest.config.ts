import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

const ON_SOCKETS = [
  'test/{browser,faults,integration,transport}/**/*.test.ts',
  'test/testing/fault-proxy.test.ts',
  'test/readme.test.ts',
];

/** What takes longest, the longest first. */
const LONG = ['simulation/controls', 'machines/relay.paths', 'simulation/simulation'];

/** Nobody waits at the end for what takes long: it begins first. On a new machine, nothing is known of files but their size. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification): number => {
      const rank = LONG.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return rank < 0 ? LONG.length : rank;
    };
    return (await super.sort(files)).toSorted((one, other) => rankOf(one) - rankOf(other));
  }
}

export default defineConfig({
  resolve: {
    alias: [
      { find: '#platform', replacement: path('./src/transport/platform.node.ts') },
      { find: /^recloser$/, replacement: path('./src/index.ts') },
      { find: /^recloser\/machines$/, replacement: path('./machines/index.ts') },
      { find: /^recloser\/outbox-level$/, replacement: path('./src/delivery/outbox/level-outbox.ts') },
      { find: /^recloser\/outbox-indexeddb$/, replacement: path('./src/delivery/outbox/indexeddb-outbox.ts') },
      { find: /^recloser\/testing$/, replacement: path('./src/testing/index.ts') },
    ],
  },
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      // What runs on real sockets runs alone: its deadlines are real.
      {
        extends: true,
        test: { name: 'sockets', include: ON_SOCKETS, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: 'reckoned',
          include: ['test/**/*.test.{ts,tsx}'],
          exclude: ON_SOCKETS,
          maxWorkers: '100%',
          // Nothing that a file leaves behind matters to another, and loading everything anew for each takes long.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
    ],
    // Node 20 has the platform's WebSocket behind a flag; one transport is tested on it.
    execArgv: ['--experimental-websocket'],
    testTimeout: 180_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['machines/**', 'src/**'], exclude: ['src/cli/**'] },
  },
});
