import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { INFORMATION } from '../../machines/policy/limits.ts';
import { fetchInformation } from '../../src/transport/fetch-information.ts';
import { httpInformation } from '../../src/transport/http-information.ts';

const NEVER = new AbortController().signal;

/** A web server that ends with the test; with what it was asked, and how it is found as a relay. */
async function serverOf(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { requests, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/inbox?a=1` };
}

const says =
  (status: number, body: string | Uint8Array, headers: Record<string, string> = {}) =>
  (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(status, headers).end(body);
  };

describe.each([
  ['http', httpInformation],
  ['fetch', fetchInformation],
])('what a relay says of itself, over %s', (_name, reader) => {
  const read = (url: string, signal = NEVER) => reader.read(url, { allowPrivate: true, signal });

  test('is a document at its own URL, asked for without saying who asks', async () => {
    const { url, requests } = await serverOf(says(200, '{"name":"é","limitation":{"max_limit":5}}'));
    expect(await read(url)).toEqual({ name: 'é', limitation: { max_limit: 5 } });
    const [{ url: path, method, headers }] = requests as [IncomingMessage];
    expect([method, path, headers.accept]).toEqual(['GET', '/inbox?a=1', 'application/nostr+json']);
    expect(headers).not.toHaveProperty('cookie');
    expect(headers).not.toHaveProperty('referer');
  });

  test.each<[string, ReturnType<typeof says>]>([
    ['none', says(404, '{}')],
    ['an answer of another kind', says(204, '')],
    ['a list', says(200, '[]')],
    ['no JSON', says(200, '<html>')],
    ['nothing', says(200, '')],
    ['no text', says(200, new Uint8Array([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]))],
    [
      'a connection that ends in the middle',
      (__, response) => void response.writeHead(200, { 'content-length': 99 }).write('{', () => response.destroy()),
    ],
  ])('is not to be had from %s', async (_case, answer) => {
    const { url } = await serverOf(answer);
    await expect(read(url)).rejects.toThrow();
  });

  test('is not looked for elsewhere', async () => {
    const elsewhere = await serverOf(says(200, '{}'));
    const { url } = await serverOf(says(302, '{}', { location: elsewhere.url.replace('ws', 'http') }));
    await expect(read(url)).rejects.toThrow();
    expect(elsewhere.requests).toEqual([]);
  });

  test.each([
    [200, `more than ${INFORMATION.bytesMax} bytes`],
    [404, 'HTTP 404'],
  ])('is not read to its end where it has none, with the status %d', async (status, problem) => {
    const piece = Buffer.alloc(16 * 1024, ' ');
    let sent = 0;
    let ended: () => void = () => {};
    const closed = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const { url } = await serverOf((_request, response) => {
      response.writeHead(status);
      response.on('close', ended);
      const send = (): void => {
        if (response.destroyed) return;
        sent += piece.length;
        response.write(piece, send);
      };
      send();
    });
    await expect(read(url)).rejects.toThrow(problem);
    // Whoever sends without end is left.
    await closed;
    expect(sent).toBeGreaterThan(0);
  });

  test('is not waited for any longer than somebody wants it', async () => {
    let asked: () => void = () => {};
    const arrived = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const { url } = await serverOf(() => asked());
    const abort = new AbortController();
    const reading = read(url, abort.signal);
    reading.catch(() => {});
    await arrived;
    abort.abort();
    await expect(reading).rejects.toThrow(/abort/);
  });

  test('is not to be had where nobody is', async () => {
    await expect(read('ws://127.0.0.1:1/')).rejects.toThrow();
  });
});

test('Node asks no name that leads to a private address, where that is not allowed', async () => {
  const asking = httpInformation.read('ws://localhost:1/', { allowPrivate: false, signal: NEVER });
  await expect(asking).rejects.toThrow('localhost leads to a private address');
});
