// A relay that makes up as many events as it is told, each another one, in a process of its own.
import { WebSocketServer } from 'ws';

const [template, count] = process.argv.slice(2);
const { id: _id, created_at: _at, ...event } = JSON.parse(template);
const rest = JSON.stringify(event).slice(1);
const now = Math.floor(Date.now() / 1_000);
/** Bytes that may wait in the socket. */
const AHEAD = 1024 * 1024;

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('connection', (socket) => {
  socket.on('message', async (data) => {
    const [verb, name] = JSON.parse(data.toString());
    if (verb !== 'REQ' || name.startsWith('probe')) return;
    for (let index = 0; index < Number(count); index += 1) {
      const id = index.toString(16).padStart(64, '0');
      // A thousand a second, by their own time; the newest first, as relays send them.
      const at = now - Math.floor(index / 1_000);
      socket.send(`["EVENT",${JSON.stringify(name)},{"id":"${id}","created_at":${at},${rest}]`);
      if (socket.bufferedAmount > AHEAD) await new Promise((resolve) => setTimeout(resolve, 1));
      if (socket.readyState !== socket.OPEN) return;
    }
    socket.send(`["EOSE",${JSON.stringify(name)}]`);
  });
});
server.on('listening', () => process.send({ url: `ws://127.0.0.1:${server.address().port}/` }));
