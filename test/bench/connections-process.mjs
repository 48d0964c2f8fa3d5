// Holds a thousand connections in a process of its own, so that nothing else is measured with them.
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import WebSocket from 'ws';
import { createPool } from '../../dist/src/index.js';

const [contender, url, countText, secondsText, heartbeatText] = process.argv.slice(2);
const [count, seconds, heartbeatMs] = [countText, secondsText, heartbeatText].map(Number);
const urls = Array.from({ length: count }, (_, index) => `${url}${index}`);

/** Each opens all connections, checks them as often as asked, and says how many checks were answered so far. */
const CONTENDERS = {
  async bare() {
    let checks = 0;
    for (const each of urls) {
      const socket = new WebSocket(each, { perMessageDeflate: false });
      await once(socket, 'open');
      socket.on('message', () => {});
      socket.on('pong', () => {
        checks += 1;
      });
      setInterval(() => socket.ping(), heartbeatMs);
    }
    return () => checks;
  },
  async recloser() {
    const pool = createPool({ relays: urls, trust: { allowPrivate: true }, heartbeatMs });
    while (pool.metrics().activeConnections < count) await wait(20);
    // Every check that is answered moves the time at which something was last heard.
    const heard = new Map();
    let checks = 0;
    const { ledger } = await planeOf(pool);
    setInterval(() => {
      for (const lane of ledger.lanes) {
        const [{ session }] = lane.ways;
        if (heard.get(lane) !== session.heardAt) checks += 1;
        heard.set(lane, session.heardAt);
      }
    }, heartbeatMs);
    return () => checks;
  },
};

async function planeOf(pool) {
  const { dataPlaneOf } = await import('../../dist/src/pool/pool-machine.js');
  return dataPlaneOf(pool.actor);
}

const usedBytes = () => {
  for (let times = 0; times < 4; times += 1) globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const before = usedBytes();
const checked = await CONTENDERS[contender]();
await wait(1_000);
const bytes = (usedBytes() - before) / count;
const [checksBefore, cpuBefore] = [checked(), process.cpuUsage()];
await wait(1_000 * seconds);
const { user, system } = process.cpuUsage(cpuBefore);
process.send({ bytes, checks: checked() - checksBefore, cpuMs: (user + system) / 1_000 });
