// A relay that has events stored and sends them to whoever asks, in a process of its own. It reads them from a file, a JSON
// text a line, and sends those from the second to the third argument, as many with each write as the fourth says.
import { readFileSync } from 'node:fs';
import { WebSocketServer } from 'ws';

const [file, from, to, together] = process.argv.slice(2);
const events = readFileSync(file, 'utf8').split('\n').slice(Number(from), Number(to));
/** Bytes that may wait in the socket. */
const AHEAD = 1024 * 1024;

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('connection', (socket, { socket: raw }) => {
  socket.on('message', async (data) => {
    const [verb, id] = JSON.parse(data.toString());
    if (verb !== 'REQ') return;
    const begins = `["EVENT",${JSON.stringify(id)},`;
    const size = Number(together);
    for (let first = 0; first < events.length; first += size) {
      raw.cork();
      for (const event of events.slice(first, first + size)) socket.send(`${begins}${event}]`);
      raw.uncork();
      if (socket.bufferedAmount > AHEAD) await new Promise((resolve) => setTimeout(resolve, 1));
      if (socket.readyState !== socket.OPEN) return;
    }
    socket.send(`["EOSE",${JSON.stringify(id)}]`);
  });
});
server.on('listening', () => process.send({ url: `ws://127.0.0.1:${server.address().port}/` }));
