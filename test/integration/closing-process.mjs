// Publishes once and closes its pool. Whatever was left running would keep this process alive.
import { createPool } from '../../dist/src/index.js';
import { signedEvents } from '../../dist/src/testing/index.js';

const [, , url] = process.argv;
const pool = createPool({ relays: [url, 'ws://127.0.0.1:1/'], trust: { allowPrivate: true } });
const receipt = await pool.publish(signedEvents().next().value);
if (receipt.status !== 'confirmed') process.exitCode = 1;
await pool.close();
