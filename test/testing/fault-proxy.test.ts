import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FaultProxy } from '../../src/testing/index.ts';

/** A server that sends everything back, reached through a proxy. */
async function echo() {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = await FaultProxy.start(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/path`, () => 0.5);
  onTestFinished(async () => {
    await proxy.stop();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const dial = async (): Promise<Socket> => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(proxy.url).port) });
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  return { proxy, sockets, dial };
}

/** Settles with what came once so many bytes are there. */
function read(socket: Socket, bytes: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (data) => {
      text += data.toString();
      if (text.length >= bytes) resolve(text);
    });
  });
}

const closed = (socket: Socket): Promise<void> => new Promise((resolve) => void socket.once('close', () => resolve()));

const timed = async <Value>(work: Promise<Value>): Promise<readonly [Value, number]> => {
  const started = performance.now();
  return [await work, performance.now() - started];
};

describe('the fault proxy', () => {
  test('lets everything through unless it is told otherwise', async () => {
    const { proxy, dial } = await echo();
    expect(proxy.url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/path$/);
    const socket = await dial();
    socket.write('hello');
    expect(await read(socket, 5)).toBe('hello');
    expect(proxy).toMatchObject({ dials: 1, open: 1 });
  });

  test('delays, each way', async () => {
    const { proxy, dial } = await echo();
    proxy.set({ up: { latencyMs: 50 }, down: { latencyMs: 50, jitterMs: 40 } });
    const socket = await dial();
    socket.write('hello');
    const [text, tookMs] = await timed(read(socket, 5));
    expect(text).toBe('hello');
    expect(tookMs).toBeGreaterThan(115);
  });

  test('slices and throttles, and keeps the order', async () => {
    const { proxy, dial } = await echo();
    proxy.set({ up: { sliceBytes: 1 }, down: { bytesPerSecond: 20_000 } });
    const socket = await dial();
    const sent = Array.from({ length: 500 }, (_, index) => `${index},`).join('');
    socket.write(sent);
    const [text, tookMs] = await timed(read(socket, sent.length));
    expect(text).toBe(sent);
    expect(tookMs).toBeGreaterThan((sent.length / 20_000) * 900);
  });

  test('holds back, and delivers when it is over', async () => {
    const { proxy, dial } = await echo();
    const socket = await dial();
    proxy.set({ up: { held: true } });
    const reading = read(socket, 5);
    socket.write('hello');
    let came = false;
    void reading.then(() => {
      came = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(came).toBe(false);
    proxy.heal();
    expect(await reading).toBe('hello');
  });

  test('loses: neither side is told, and nothing arrives later', async () => {
    const { proxy, sockets, dial } = await echo();
    const socket = await dial();
    socket.write('hello');
    await read(socket, 5);
    proxy.set({ up: { lost: true }, down: { lost: true } });
    socket.write('lost');
    const gone = closed(socket);
    socket.destroy();
    await gone;
    proxy.heal();
    const other = await dial();
    other.write('there');
    expect(await read(other, 5)).toBe('there');
    expect(sockets[0]?.destroyed).toBe(false);
  });

  test('resets, refuses, cuts in the middle, and accepts without an answer', async () => {
    const { proxy, dial } = await echo();
    const first = await dial();
    const reset = closed(first);
    proxy.reset();
    await reset;
    proxy.set({ down: { limitBytes: 3 } });
    const second = await dial();
    let text = '';
    second.on('data', (data) => {
      text += data.toString();
    });
    second.write('hello');
    await closed(second);
    expect(text.length).toBeLessThanOrEqual(3);
    proxy.heal();
    proxy.set({ refuse: true });
    const third = connect({ host: '127.0.0.1', port: Number(new URL(proxy.url).port) });
    third.on('error', () => {});
    await closed(third);
    proxy.heal();
    proxy.set({ tarpit: true });
    const fourth = await dial();
    const ended = once(fourth, 'end');
    fourth.write('hello');
    fourth.end();
    await ended;
  });
});
