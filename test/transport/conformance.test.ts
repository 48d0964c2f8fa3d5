import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type WebSocket as ServerSocket, WebSocketServer } from 'ws';
import type { CloseReport } from '../../machines/policy/close.ts';
import { systemClock } from '../../src/clock.ts';
import { type Frame, textOf } from '../../src/frame.ts';
import { SimulatedNetwork } from '../../src/testing/network/simulated-network.ts';
import type { Connection, Transport } from '../../src/transport/transport.ts';
import { webSocketTransport } from '../../src/transport/web-socket.ts';
import { wsTransport } from '../../src/transport/ws.ts';

const FRAME_BYTES_MAX = 2_000;
const OPTIONS = { frameBytesMax: FRAME_BYTES_MAX, allowPrivate: true };

/** The server's end, whatever it is made of. */
interface Peer {
  onFrame: (frame: string) => void;
  onClose: (code: number) => void;
  send(frame: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
  cut(): void;
}

interface Server {
  readonly url: string;
  next(): Promise<Peer>;
}

/** What a connection told, in order, and a way to wait for more. */
class Log {
  readonly entries: (
    | readonly ['open']
    | readonly ['pong']
    | readonly ['frame', string]
    | readonly ['binary', Uint8Array]
    | readonly ['close', CloseReport]
  )[] = [];
  #wake: () => void = () => {};
  readonly handlers = {
    onOpen: () => this.#note(['open']),
    onFrame: (frame: Frame) => this.#note(['frame', textOf(frame) ?? 'no text']),
    onBinary: (data: Uint8Array) => this.#note(['binary', Buffer.from(data)]),
    onPong: () => this.#note(['pong']),
    onClose: (report: CloseReport) => this.#note(['close', report]),
  };

  get kinds(): string {
    return this.entries.map(([kind]) => kind).join(' ');
  }

  get report(): CloseReport | undefined {
    const last = this.entries.at(-1);
    return last?.[0] === 'close' ? last[1] : undefined;
  }

  async until(kind: Log['entries'][number][0], times = 1): Promise<void> {
    const late = AbortSignal.timeout(10_000);
    while (this.entries.filter((entry) => entry[0] === kind).length < times) {
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        late.onabort = () => reject(new Error(`no ${kind} came, but ${this.kinds}`));
      });
    }
  }

  #note(entry: Log['entries'][number]): void {
    this.entries.push(entry);
    this.#wake();
  }
}

async function realServer(): Promise<Server> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true });
  await once(server, 'listening');
  const waiting: ((peer: Peer) => void)[] = [];
  const arrived: Peer[] = [];
  server.on('connection', (socket: ServerSocket, request: IncomingMessage) => {
    const peer: Peer = {
      onFrame: () => {},
      onClose: () => {},
      send: (frame) => socket.send(frame),
      close: (code, reason) => socket.close(code, reason),
      cut: () => request.socket.resetAndDestroy(),
    };
    socket.on('message', (data) => peer.onFrame(data.toString()));
    socket.on('close', (code) => peer.onClose(code));
    socket.on('error', () => {});
    const resolve = waiting.shift();
    if (resolve) resolve(peer);
    else arrived.push(peer);
  });
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    next: async () => arrived.shift() ?? new Promise<Peer>((resolve) => waiting.push(resolve)),
  };
}

const network = new SimulatedNetwork({ clock: systemClock });

async function simulatedServer(): Promise<Server> {
  const url = `ws://simulated.example/${Math.random()}`;
  const waiting: ((peer: Peer) => void)[] = [];
  const arrived: Peer[] = [];
  const stop = network.listen(url, {
    accept: (peer) => {
      const resolve = waiting.shift();
      if (resolve) resolve(peer);
      else arrived.push(peer);
    },
  });
  onTestFinished(stop);
  return { url, next: async () => arrived.shift() ?? new Promise<Peer>((resolve) => waiting.push(resolve)) };
}

interface Kind {
  readonly transport: Transport;
  readonly start: () => Promise<Server>;
  readonly nowhere: string;
  /** Whether the answer to a refused upgrade can be seen. */
  readonly seesHttp: boolean;
}

const KINDS: Readonly<Record<string, Kind>> = {
  ws: { transport: wsTransport, start: realServer, nowhere: 'ws://127.0.0.1:1/', seesHttp: true },
  // Node 20 has the browsers' WebSocket behind a flag, which the test runner is started with.
  'web-socket': { transport: webSocketTransport(), start: realServer, nowhere: 'ws://127.0.0.1:1/', seesHttp: false },
  simulated: { transport: network.transport, start: simulatedServer, nowhere: 'ws://nobody.example/', seesHttp: false },
};

describe.each(Object.entries(KINDS))('the %s transport', (name, { transport, start, nowhere, seesHttp }) => {
  async function connect(): Promise<{ connection: Connection; peer: Peer; log: Log }> {
    const server = await start();
    const log = new Log();
    const connection = transport.open(server.url, OPTIONS, log.handlers);
    onTestFinished(() => connection.terminate());
    const peer = await server.next();
    await log.until('open');
    return { connection, peer, log };
  }

  test('tells nothing before it has returned, then that it is open', async () => {
    const server = await start();
    const log = new Log();
    const connection = transport.open(server.url, OPTIONS, log.handlers);
    expect(log.entries).toEqual([]);
    expect(connection.send('too early')).toBe(false);
    await log.until('open');
    connection.terminate();
  });

  test('carries frames both ways, in order', async () => {
    const { connection, peer, log } = await connect();
    const got: string[] = [];
    const all = new Promise<void>((resolve) => {
      peer.onFrame = (frame) => {
        got.push(frame);
        if (got.length === 100) resolve();
      };
    });
    const frames = Array.from({ length: 100 }, (_, index) => `frame ${index} – ünïcode`);
    for (const frame of frames) expect(connection.send(frame)).toBe(true);
    await all;
    expect(got).toEqual(frames);
    for (const frame of frames) peer.send(frame);
    await log.until('frame', 100);
    expect(log.entries.slice(1)).toEqual(frames.map((frame) => ['frame', frame]));
  });

  test('hands binary frames over as bytes', async () => {
    const { peer, log } = await connect();
    peer.send(new Uint8Array([1, 2, 3]));
    await log.until('binary');
    expect(log.entries.at(-1)).toEqual(['binary', Buffer.from([1, 2, 3])]);
  });

  test('ends with 1009 when a frame is too large', async () => {
    const { peer, log } = await connect();
    peer.send('x'.repeat(FRAME_BYTES_MAX + 1));
    await log.until('close');
    expect(log.kinds).toBe('open close');
    expect(log.report?.code).toBe(1009);
  });

  test('reports the code with which the other side closes, once and last', async () => {
    const { connection, peer, log } = await connect();
    peer.send('before');
    peer.close(4321, 'because');
    await log.until('close');
    expect(log.kinds).toBe('open frame close');
    expect(log.report).toMatchObject({ code: 4321, reason: 'because' });
    expect(connection.send('after')).toBe(false);
    connection.close();
    connection.terminate();
  });

  test('reports 1006 when it is cut', async () => {
    const { peer, log } = await connect();
    peer.cut();
    await log.until('close');
    expect(log.report?.code).toBe(1006);
  });

  test('closes politely', async () => {
    const { connection, peer, log } = await connect();
    const code = new Promise<number>((resolve) => {
      peer.onClose = resolve;
    });
    connection.close();
    expect(await code).toBe(1000);
    await log.until('close');
    expect(log.report?.code).toBe(1000);
  });

  test('says nothing after it was terminated, and the other side notices', async () => {
    const { connection, peer, log } = await connect();
    const gone = new Promise<number>((resolve) => {
      peer.onClose = resolve;
    });
    connection.terminate();
    connection.terminate();
    expect(connection.send('after')).toBe(false);
    await gone;
    expect(log.kinds).toBe('open');
  });

  test('can be terminated while it is dialling', async () => {
    const server = await start();
    const log = new Log();
    transport.open(server.url, OPTIONS, log.handlers).terminate();
    const other = new Log();
    const connection = transport.open(server.url, OPTIONS, other.handlers);
    await other.until('open');
    connection.terminate();
    expect(log.entries).toEqual([]);
  });

  test('reports a refused connection as closed', async () => {
    const log = new Log();
    transport.open(nowhere, OPTIONS, log.handlers);
    await log.until('close');
    expect(log.kinds).toBe('close');
    expect(log.report?.code).toBe(1006);
    expect(log.report?.impossible).toBeUndefined();
  });

  if (name !== 'simulated') {
    test('reports a URL that can never be dialled as impossible', async () => {
      const log = new Log();
      transport.open('file:///etc/passwd', OPTIONS, log.handlers);
      expect(log.entries).toEqual([]);
      await log.until('close');
      expect(log.report).toMatchObject({ impossible: true });
    });

    test('follows no redirect, and reads no body', async () => {
      const target = await start();
      let reached = false;
      void target.next().then(() => {
        reached = true;
      });
      const http = createServer();
      http.on('upgrade', (_request, socket) => {
        socket.end(`HTTP/1.1 302 Found\r\nLocation: ${target.url}\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n`);
      });
      http.listen(0, '127.0.0.1');
      await once(http, 'listening');
      onTestFinished(() => void http.close());
      const log = new Log();
      transport.open(`ws://127.0.0.1:${(http.address() as AddressInfo).port}/`, OPTIONS, log.handlers);
      await log.until('close');
      expect(log.kinds).toBe('close');
      expect(reached).toBe(false);
      if (seesHttp) expect(log.report).toMatchObject({ httpStatus: 302, retryAfterMs: 7_000 });
    });

    test.each([
      ['garbage instead of HTTP', 'hello\r\n\r\n'],
      [
        'a wrong accept key',
        'HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n',
      ],
      [
        'an extension that was not asked for',
        'HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99\r\n\r\n',
      ],
      ['headers without end', `HTTP/1.1 101 x\r\n${'X-Filler: 0123456789abcdef\r\n'.repeat(5_000)}`],
      ['nothing but its end', ''],
    ])('survives %s', async (_what, answer) => {
      const sockets = new Set<Socket>();
      const tcp = createTcpServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.once('data', () => socket.end(answer));
      });
      tcp.listen(0, '127.0.0.1');
      await once(tcp, 'listening');
      onTestFinished(() => {
        for (const socket of sockets) socket.destroy();
        tcp.close();
      });
      const log = new Log();
      const connection = transport.open(
        `ws://127.0.0.1:${(tcp.address() as AddressInfo).port}/`,
        OPTIONS,
        log.handlers,
      );
      await log.until('close');
      expect(log.kinds).toBe('close');
      connection.terminate();
    });
  }
});

test('ws refuses names that lead to private addresses where those are not allowed', async () => {
  const log = new Log();
  wsTransport.open('ws://localhost:1/', { ...OPTIONS, allowPrivate: false }, log.handlers);
  await log.until('close');
  expect(log.report?.reason).toBe('localhost leads to a private address');
});

test('ws tells that bytes have arrived before what is whole by them', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const log = new Log();
  const told: string[] = [];
  const connection = wsTransport.open(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, OPTIONS, {
    ...log.handlers,
    onRead: () => told.push('read'),
    onFrame: (frame) => {
      told.push(textOf(frame) ?? '');
      log.handlers.onFrame(frame);
    },
  });
  const [socket, request] = (await once(server, 'connection')) as [ServerSocket, IncomingMessage];
  await log.until('open');
  for (const pair of ['ab', 'cd']) {
    const already = log.entries.length;
    request.socket.cork();
    for (const text of pair) socket.send(text);
    request.socket.uncork();
    await log.until('frame', already + 1);
  }
  connection.terminate();
  await once(socket, 'close');
  expect(told).toEqual(['read', 'a', 'b', 'read', 'c', 'd']);
});

test('ws offers no compression', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true });
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const log = new Log();
  const connection = wsTransport.open(
    `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    OPTIONS,
    log.handlers,
  );
  const [socket, request] = (await once(server, 'connection')) as [ServerSocket, IncomingMessage];
  expect(request.headers['sec-websocket-extensions']).toBeUndefined();
  expect(socket.extensions).toBe('');
  connection.terminate();
});

describe('the ws transport, while a relay floods', () => {
  const FRAMES = 2_000;
  const frame = 'x'.repeat(FRAME_BYTES_MAX - 100);

  /** A connection that has not read yet what a relay has sent all at once. */
  async function flooded(received: { frames: number }, text = frame, times = FRAMES) {
    const server = await realServer();
    const log = new Log();
    const connection = wsTransport.open(server.url, OPTIONS, {
      ...log.handlers,
      onFrame: () => {
        received.frames += 1;
      },
    });
    onTestFinished(() => connection.terminate());
    const peer = await server.next();
    await log.until('open');
    connection.pause?.();
    for (let index = 0; index < times; index += 1) peer.send(text);
    await turn();
    return connection;
  }

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  test('everything else has its turn in between', async () => {
    const received = { frames: 0 };
    const connection = await flooded(received);
    connection.resume?.();
    let most = 0;
    for (let before = 0; received.frames < FRAMES; before = received.frames) {
      await turn();
      most = Math.max(most, received.frames - before);
    }
    // A little more than is read at once: what has been read already is looked at.
    expect(most * frame.length).toBeLessThan(400_000);
    expect(received.frames).toBe(FRAMES);
  });

  test('nor do frames with next to nothing in them keep it waiting', async () => {
    const received = { frames: 0 };
    const times = 60_000;
    const connection = await flooded(received, '', times);
    connection.resume?.();
    let most = 0;
    for (let before = 0; received.frames < times; before = received.frames) {
      await turn();
      most = Math.max(most, received.frames - before);
    }
    // Two bytes each on the wire: what has been read already is up to 64 KB.
    expect(most).toBeLessThan(40_000);
  });

  test('a pause that is asked for lasts until it is taken back', async () => {
    const received = { frames: 0 };
    const connection = await flooded(received);
    connection.resume?.();
    while (received.frames * frame.length < 100_000) await turn();
    connection.pause?.();
    for (let times = 0; times < 20; times += 1) await turn();
    const paused = received.frames;
    for (let times = 0; times < 20; times += 1) await turn();
    expect(received.frames).toBe(paused);
    expect(paused).toBeLessThan(FRAMES);
    connection.resume?.();
    while (received.frames < FRAMES) await turn();
  });
});
