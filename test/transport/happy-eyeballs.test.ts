import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { connectToFirst } from '../../src/transport/happy-eyeballs.ts';
import type { Address } from '../../src/transport/transport.ts';

const four = (address: string): Address => ({ address, family: 4 });

async function listenOn(address: string, port = 0): Promise<Server> {
  const server = createServer();
  server.listen(port, address);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

const connected = (addresses: readonly Address[], port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    connectToFirst(addresses, port, (error, socket) => (socket ? resolve(socket) : reject(error)));
  });

test('an address that refuses is passed over at once', async () => {
  const server = await listenOn('127.0.0.2');
  const socket = await connected([four('127.0.0.1'), four('127.0.0.2')], portOf(server));
  expect(socket.remoteAddress).toBe('127.0.0.2');
  socket.destroy();
});

test('an address that does not answer holds up the next for a quarter of a second only', async () => {
  const server = await listenOn('127.0.0.2');
  const startedAt = performance.now();
  // Reserved for documentation (RFC 5737): nobody answers there, or the network says so at once.
  const socket = await connected([four('192.0.2.1'), four('127.0.0.2')], portOf(server));
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  expect(socket.remoteAddress).toBe('127.0.0.2');
  socket.destroy();
});

test('where all refuse, every error is told', async () => {
  const server = await listenOn('127.0.0.3');
  const port = portOf(server);
  server.close();
  const failed = connected([four('127.0.0.1'), four('127.0.0.2')], port);
  await expect(failed).rejects.toMatchObject({ errors: [{ code: 'ECONNREFUSED' }, { code: 'ECONNREFUSED' }] });
});
