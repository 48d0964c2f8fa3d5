// Enqueues into an outbox on disk, and says what is kept, until it is killed.
import { writeSync } from 'node:fs';
import { createLevelOutbox } from '../../dist/src/delivery/outbox/level-outbox.js';

const [, , folder, prefix] = process.argv;
const outbox = createLevelOutbox(folder);
let count = 0;

const write = async () => {
  for (;;) {
    count += 1;
    const id = `${prefix}-${count}`;
    await outbox.enqueue([{ id, body: 'x'.repeat(500), priority: 'normal' }]);
    // Said at once: what is said is promised.
    writeSync(1, `${id}\n`);
  }
};
await Promise.all([write(), write(), write(), write()]);
