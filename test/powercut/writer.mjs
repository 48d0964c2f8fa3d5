// Enqueues into an outbox on disk, and says what is kept, until it is killed. With a third argument nothing is written
// synchronously, which has to lose something, or losing nothing would mean nothing.
import { writeSync } from 'node:fs';
import { ClassicLevel } from 'classic-level';
import { createLevelOutbox } from '../../dist/src/delivery/outbox/level-outbox.js';

const [, , folder, prefix, control] = process.argv;
if (control !== undefined) {
  const { batch } = ClassicLevel.prototype;
  ClassicLevel.prototype.batch = function (changes, options) {
    return batch.call(this, changes, { ...options, sync: false });
  };
}
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
