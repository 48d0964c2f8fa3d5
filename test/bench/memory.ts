import { fork } from 'node:child_process';
import { once } from 'node:events';
// Measured is what ships: the built package, with XState's production build.
import { createPool } from '../../dist/src/index.js';
import { signedEvents } from '../../dist/src/testing/index.js';

const EVENTS = 1_000_000;
const EVERY = 100_000;

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1).padStart(8);

const template = JSON.stringify(signedEvents('x'.repeat(200)).next().value);
const child = fork(new URL('./endless-relay-process.mjs', import.meta.url), [template, String(EVENTS)]);
const [message] = await once(child, 'message');
const { url } = message as { url: string };
// Signatures are not what is measured, and take longest.
const pool = createPool({
  relays: [url],
  trust: { allowPrivate: true },
  verify: false,
  subscribe: { storedTimeoutMs: 3_600_000 },
});
process.stdout.write(`Memory while ${EVENTS} events come by one subscription, in MiB after a collection\n`);
process.stdout.write('    events    heap     all\n');
let received = 0;
const print = (): void => {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  process.stdout.write(`${String(received).padStart(10)}${mebibytes(heapUsed)}${mebibytes(rss)}\n`);
};
print();
await new Promise((resolve) => {
  pool.subscribe(
    {},
    {
      onEvent: () => {
        received += 1;
        if (received % EVERY === 0) print();
      },
      onEose: resolve,
    },
  );
});
await pool.close({ drainMs: 0 });
child.kill();
process.exit(received === EVENTS ? 0 : 1);
