// Publishes through an outbox on disk, and says what it was told, until it is killed; or until its outbox is empty.
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { createLevelOutbox } from '../../dist/src/delivery/outbox/level-outbox.js';
import { createPool } from '../../dist/src/index.js';

const [, , folder, work, ...relays] = process.argv;
const outbox = createLevelOutbox(folder);
const pool = createPool({
  relays,
  outbox,
  trust: { allowPrivate: true },
  reconnect: { initialDelayMs: 10, maxDelayMs: 100, minDelayMs: 2, relaxation: 1 },
  publish: { ackTimeoutMs: 200, resendDelayMs: 20, resendDelayMaxMs: 100 },
});

// Written at once, so that a kill cannot take back what was said.
const say = (what) => writeSync(1, `${what}\n`);
for (const what of ['accepted', 'confirmed', 'failed']) {
  pool.on(`publication.${what}`, ({ id }) => say(`${what} ${id}`));
}

const hex = (bytes) => randomBytes(bytes).toString('hex');

if (work === 'publish') {
  setInterval(() => {
    const event = { id: hex(32), pubkey: hex(32), created_at: 1, kind: 1, tags: [], content: 'kept', sig: hex(64) };
    void pool.publish(event, { quorum: 2 });
  }, 2);
} else {
  const finish = async () => {
    const { waiting, leased } = await outbox.stats();
    if (waiting + leased > 0) return setTimeout(finish, 20);
    await pool.close();
    await outbox.close();
  };
  void finish();
}
