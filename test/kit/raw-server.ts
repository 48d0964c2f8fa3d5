import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** The value that RFC 6455 1.3 has servers append to the client's key. */
const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** What a raw server does with a connection whose request to upgrade has come. */
export type Script = (socket: Socket, key: string, dial: number) => void;

export const accept = (socket: Socket, key: string, headers = ''): void => {
  const answer = createHash('sha1').update(`${key}${MAGIC}`).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${answer}\r\n${headers}\r\n`,
  );
};

/** A frame as RFC 6455 5.2 lays it out, with whatever is wrong in its first two bytes. */
export function frame(first: number, payload: Uint8Array | string, second?: number): Buffer {
  const body = Buffer.from(payload);
  if (second !== undefined) return Buffer.concat([Buffer.from([first, second]), body]);
  if (body.length < 126) return Buffer.concat([Buffer.from([first, body.length]), body]);
  const head = Buffer.alloc(4);
  head.writeUInt8(first, 0);
  head.writeUInt8(126, 1);
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, body]);
}

export const TEXT = 0x81;

/** A TCP server that speaks as much of WebSocket as its script does. It ends with the test. */
export async function startRawServer(script: Script): Promise<{ readonly url: string; dials: number }> {
  const sockets = new Set<Socket>();
  const state = { url: '', dials: 0 };
  const server = createServer((socket) => {
    state.dials += 1;
    const dial = state.dials;
    sockets.add(socket);
    socket.on('error', () => {});
    let head = '';
    const read = (bytes: Buffer): void => {
      head += bytes.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', read);
      socket.resume();
      script(socket, /sec-websocket-key: (.+)\r\n/i.exec(head)?.[1] ?? '', dial);
    };
    socket.on('data', read);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  state.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return state;
}
