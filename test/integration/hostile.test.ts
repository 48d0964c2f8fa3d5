import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { closeMeaning } from '../../machines/policy/close.ts';
import {
  type CreatePoolOptions,
  createPool,
  type FactOf,
  RecloserError,
  type Transport,
  webSocketTransport,
} from '../../src/index.ts';
import { signedEvents } from '../../src/testing/index.ts';
import { wsTransport } from '../../src/transport/ws.ts';
import { nextFact, until } from '../kit/facts.ts';
import { accept, frame, startRawServer, TEXT } from '../kit/raw-server.ts';
import { QUICK, startPool, startRelays } from '../kit/relays.ts';

const events = signedEvents();
const next = () => events.next().value;

const TRANSPORTS: readonly (readonly [string, Transport])[] = [
  ['ws', wsTransport],
  ['web-socket', webSocketTransport()],
];

/** What nobody caught would end a real process. */
const uncaught: unknown[] = [];
const note = (error: unknown): void => {
  uncaught.push(error);
};
beforeEach(() => {
  uncaught.length = 0;
  process.on('uncaughtException', note);
  process.on('unhandledRejection', note);
});
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off('uncaughtException', note);
  process.off('unhandledRejection', note);
  expect(uncaught).toEqual([]);
});

/** A pool whose only relay is a raw server. */
function poolAt(url: string, transport: Transport, options: CreatePoolOptions = {}) {
  const pool = createPool({ ...QUICK, ...options, transport, trust: { allowPrivate: true }, relays: [url] });
  onTestFinished(() => pool.close({ drainMs: 0 }));
  return pool;
}

const ok = (event: { id: string }): Buffer => frame(TEXT, JSON.stringify(['OK', event.id, true, '']));

test('whoever sends a text that is none is told why it ends, and whoever listens hears the bytes', async () => {
  const none = Buffer.concat([Buffer.from('["NOTICE","'), Buffer.from([0xff]), Buffer.from('"]')]);
  let told = (_code: number): void => {};
  const code = new Promise<number>((resolve) => {
    told = resolve;
  });
  const server = await startRawServer((socket, key, dial) => {
    accept(socket, key);
    if (dial > 1) return;
    socket.write(frame(TEXT, none));
    let heard = Buffer.alloc(0);
    socket.on('data', (data) => {
      heard = Buffer.concat([heard, data]);
      // Frames of a client have a mask of four bytes after their header; these are short, and a ping may come first.
      let at = 0;
      while (heard[at] === 0x89) at += 6 + ((heard[at + 1] as number) & 0x7f);
      if (heard[at] === 0x88 && heard.length >= at + 8) told(heard.readUInt16BE(at + 6) ^ heard.readUInt16BE(at + 2));
    });
  });
  const pool = poolAt(server.url, wsTransport);
  const heard: (string | Uint8Array)[] = [];
  pool.on('relay.frame', (fact) => heard.push(fact.frame));
  const disconnected = nextFact(pool, 'relay.disconnected');
  expect(await code).toBe(1007);
  expect(await disconnected).toMatchObject({ code: 1007 });
  expect(heard.map((content) => Buffer.from(content))).toEqual([none]);
  expect(pool.relayMetrics(server.url)?.faults).toEqual({ protocol: 1 });
});

describe.each(TRANSPORTS)('over %s, a relay that breaks WebSocket', (_name, transport) => {
  test.each<[string, Buffer]>([
    ['invalid UTF-8 in a text', frame(TEXT, new Uint8Array([0xc3, 0x28]))],
    ['a reserved opcode', frame(0x83, 'x')],
    ['a masked frame', frame(TEXT, new Uint8Array([1, 2, 3, 4, 5]), 0x81)],
    ['a compressed frame, without having agreed', frame(0xc1, 'x')],
    ['a control frame that is too long', Buffer.concat([Buffer.from([0x89, 126, 0, 126]), Buffer.alloc(126)])],
    ['a ping in fragments', frame(0x09, 'x')],
    ['a continuation of nothing', frame(0x80, 'x')],
    ['a length of 2^53', Buffer.from([TEXT, 127, 0, 0x20, 0, 0, 0, 0, 0, 0])],
    ['a close with a code that must not be sent', frame(0x88, new Uint8Array([0x03, 0xed]))],
    ['a close with a reason that is not UTF-8', frame(0x88, new Uint8Array([0x03, 0xe8, 0xc3, 0x28]))],
    ['such a close that asks for time', frame(0x88, new Uint8Array([0x03, 0xf4, 0xc3, 0x28]))],
    ['such a close that wants us gone', frame(0x88, new Uint8Array([0x0f, 0xa0, 0xc3, 0x28]))],
    ['a close with one byte', frame(0x88, new Uint8Array([0x03]))],
  ])('by %s loses its connection, and the event goes out on the next one', async (_what, bytes) => {
    const event = next();
    const server = await startRawServer((socket, key, dial) => {
      accept(socket, key);
      if (dial === 1) socket.write(bytes);
      else socket.on('data', () => socket.write(ok(event)));
    });
    const pool = poolAt(server.url, transport);
    const disconnected = nextFact(pool, 'relay.disconnected');
    const publishing = pool.publish(event, { timeoutMs: 10_000 });
    // Whatever it says itself, it is no relay that asks for time, or to be left alone.
    expect(closeMeaning(await disconnected)).toBe('lost');
    expect(await publishing).toMatchObject({ status: 'confirmed' });
    expect(server.dials).toBeGreaterThanOrEqual(2);
    // Browsers do not say why.
    if (transport.name === 'ws') expect(pool.relayMetrics(server.url)?.faults).toMatchObject({ protocol: 1 });
  });

  test('by a frame that is cut, then gone, keeps what was in flight', async () => {
    const event = next();
    const server = await startRawServer((socket, key, dial) => {
      accept(socket, key);
      if (dial > 1) socket.on('data', () => socket.write(ok(event)));
      else socket.on('data', () => socket.end(ok(event).subarray(0, 40)));
    });
    expect(await poolAt(server.url, transport).publish(event, { timeoutMs: 10_000 })).toMatchObject({
      status: 'confirmed',
    });
  });

  test('by two hundred thousand empty fragments, or twenty thousand pings, harms nobody', async () => {
    const event = next();
    const server = await startRawServer((socket, key, dial) => {
      accept(socket, key);
      if (dial === 1) {
        socket.write(frame(0x01, ''));
        socket.write(Buffer.concat(Array.from({ length: 200_000 }, () => Buffer.from([0x00, 0x00]))));
        socket.write(frame(0x80, ''));
      } else {
        socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => Buffer.from([0x89, 0x00]))));
        socket.on('data', () => socket.write(ok(event)));
      }
    });
    const pool = poolAt(server.url, transport);
    const [other] = await startRelays(1);
    pool.addRelay(other?.url ?? '');
    const receipt = await pool.publish(event, { timeoutMs: 10_000 });
    expect(receipt.status).toBe('confirmed');
  });
});

describe.each(TRANSPORTS)('over %s, a server that breaks the handshake', (_name, transport) => {
  test.each<[string, (key: string) => string]>([
    ['garbage', () => 'hello\r\n\r\n'],
    [
      'a wrong accept key',
      () => 'HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n',
    ],
    ['a hundred kilobytes of headers', () => `HTTP/1.1 101 x\r\n${'X-Filler: 0123456789abcdef\r\n'.repeat(4_000)}\r\n`],
    ['200 and five megabytes', () => `HTTP/1.1 200 OK\r\nContent-Length: 5242880\r\n\r\n${'x'.repeat(5_242_880)}`],
    ['a redirect', () => 'HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n'],
    ['nothing', () => ''],
  ])('by %s is tried again, within its backoff', async (_what, answer) => {
    const event = next();
    const server = await startRawServer((socket, key, dial) => {
      if (dial > 2) {
        accept(socket, key);
        socket.on('data', () => socket.write(ok(event)));
      } else socket.end(answer(key));
    });
    // Megabytes take a busy machine longer than this suite usually waits for an upgrade.
    const pool = poolAt(server.url, transport, { connectTimeoutMs: 5_000 });
    expect(await pool.publish(event, { timeoutMs: 10_000 })).toMatchObject({ status: 'confirmed' });
    expect(server.dials).toBe(3);
  });

  test('by a byte now and then ends at the deadline of the connection', async () => {
    const server = await startRawServer((socket) => {
      const bytes = [...'HTTP/1.1 101 Switching Protocols and much more that never comes to an end'];
      const timer = setInterval(() => socket.write(bytes.shift() ?? 'x'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    const pool = poolAt(server.url, transport);
    const started = performance.now();
    await nextFact(pool, 'relay.reconnecting');
    const tookMs = performance.now() - started;
    expect(tookMs).toBeGreaterThan(QUICK.connectTimeoutMs * 0.9);
    expect(tookMs).toBeLessThan(QUICK.connectTimeoutMs + 1_000);
  });
});

describe('a relay that never reads', () => {
  test('is sent no more than its window, and slows nobody else down', async () => {
    const server = await startRawServer((socket, key) => {
      accept(socket, key);
      socket.pause();
    });
    const [other] = await startRelays(1);
    const pool = createPool({
      ...QUICK,
      publish: { ...QUICK.publish, ackTimeoutMs: 2_000, window: 8 },
      trust: { allowPrivate: true },
      relays: [server.url, other?.url ?? ''],
    });
    onTestFinished(() => pool.close({ drainMs: 0 }));
    await until(pool, () => pool.metrics().activeConnections === 2);
    const large = () => ({ ...next(), content: 'x'.repeat(200_000) });
    const publishing = Promise.all(Array.from({ length: 40 }, () => pool.publish(large(), { timeoutMs: 5_000 })));
    await Promise.resolve();
    expect(pool.metrics().relays[server.url]?.sentMessages).toBeLessThanOrEqual(8);
    // The content was changed after signing, so the other relay answers, with a refusal; that is all that matters here.
    const receipts = await publishing;
    for (const { outcomes } of receipts) expect(outcomes[other?.url ?? '']).toMatchObject({ status: 'rejected' });
  });
});

describe('frames that are no messages', () => {
  test('are counted by a fixed set of kinds, and nothing else is kept of them', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    const pool = startPool([relay], { breaker: { failureThreshold: 20, failureRatio: 1 } });
    await until(pool, () => pool.metrics().activeConnections === 1);
    const types = fc.constantFrom('OK', 'EVENT', 'EOSE', 'CLOSED', 'COUNT', 'AUTH', 'NOTICE', 'X');
    const near = fc.tuple(types, fc.jsonValue(), fc.jsonValue()).map((value) => JSON.stringify(value));
    const frames = fc.sample(fc.oneof(fc.string(), fc.json(), near), { numRuns: 3_000, seed: 7 });
    for (const each of frames) {
      relay.send(each);
      if (relay.open === 0) await until(pool, () => pool.metrics().activeConnections === 1);
    }
    const event = next();
    expect(await pool.publish(event, { timeoutMs: 20_000 })).toMatchObject({ status: 'confirmed' });
    const { faults = {} } = pool.metrics().relays[relay.url] ?? {};
    expect(Object.keys(faults).length).toBeGreaterThan(3);
    expect(Object.keys(faults).length).toBeLessThan(25);
    for (const kind of Object.keys(faults)) expect(kind).toMatch(/^[a-z-]+$/);
  });

  test.each(TRANSPORTS)('are heard as they came over %s by whoever asks for them', async (_name, transport) => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    const pool = poolAt(relay.url, transport);
    await until(pool, () => pool.metrics().activeConnections === 1);
    const sent = ['["NOTICE","é"]', '["EVENT","r1",{"id":"none"}]', new Uint8Array([91, 93, 0xff])];
    const heard: FactOf<'relay.frame'>[] = [];
    await new Promise<void>((resolve) => {
      pool.on('relay.frame', (fact) => {
        if (heard.push(fact) === sent.length) resolve();
      });
      for (const each of sent) relay.send(each);
    });
    expect(heard.map(({ url, frame }) => [url, typeof frame === 'string' ? frame : [...frame]])).toEqual([
      [relay.url, sent[0]],
      [relay.url, sent[1]],
      [relay.url, [91, 93, 0xff]],
    ]);
    expect(pool.relayMetrics(relay.url)?.faults).toMatchObject({ binary: 1, 'event-shape': 1 });
  });

  test('and acknowledgements of what was not sent are faults, and confirm nothing', async () => {
    const [relay] = await startRelays(1, { faults: { swallowAcks: true } });
    if (!relay) return;
    const pool = startPool([relay]);
    const event = next();
    const publishing = pool.publish(event, { timeoutMs: 250 });
    await until(pool, () => pool.metrics().activeConnections === 1);
    for (const id of ['f'.repeat(64), event.id.toUpperCase(), '__proto__'])
      relay.send(JSON.stringify(['OK', id, true, '']));
    expect(await publishing).toMatchObject({ status: 'pending', accepted: 0 });
    expect(pool.metrics().relays[relay.url]?.faults).toMatchObject({ 'unexpected-answer': 1, 'ok-id': 2 });
  });
});

/** Anything that JavaScript can make, and what looks like what is wanted. */
const anything = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true }),
  fc.record(
    {
      relays: fc.oneof(fc.anything(), fc.constantFrom('all', 1, -1, ['wss://x.example'], { among: [], copies: 1 })),
      quorum: fc.oneof(fc.anything(), fc.integer(), fc.constant('all')),
      timeoutMs: fc.oneof(fc.anything(), fc.double()),
      expiresMs: fc.oneof(fc.anything(), fc.double()),
      until: fc.oneof(fc.anything(), fc.constantFrom('first', 'quorum', 'complete')),
      signal: fc.anything(),
    },
    { requiredKeys: [] },
  ),
);

const throwing = {
  get relays(): never {
    throw new Error('mine');
  },
  get id(): never {
    throw new Error('mine');
  },
  get url(): never {
    throw new Error('mine');
  },
};

describe('whatever an application does', () => {
  test('to the functions of a pool, it gets a typed error or a result, and the pool goes on', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    const pool = startPool([relay], { subscribe: { timeoutMs: 100 } });
    const calls: readonly ((first: never, second: never) => unknown)[] = [
      (first, second) => pool.publish(first, second),
      (_first, second) => pool.publish(next(), second),
      (first) => pool.cancel(first),
      (first, second) => pool.addRelay(first, second),
      (first) => pool.removeRelay(first),
      (first, second) => pool.configureRelay(first, second),
      (first) => pool.configure(first),
      (first) => pool.connect(first),
      (first) => pool.relayMetrics(first),
      (first, second) => pool.subscribe(first, second).close(),
      (_first, second) => pool.subscribe({ kinds: [1] }, second).close(),
      (first, second) => pool.query(first, second),
      (_first, second) => pool.query({ kinds: [1] }, second),
      (first, second) => pool.get(first, second),
      (_first, second) => pool.get({ kinds: [1] }, second),
      (first, second) => pool.count(first, second),
      (_first, second) => pool.count({ kinds: [1] }, second),
      (first) => createPool(first).close(),
    ];
    const which = fc.nat(calls.length - 1);
    await fc.assert(
      fc.asyncProperty(which, anything, anything, async (call, first, second) => {
        try {
          await calls[call]?.(first as never, second as never);
        } catch (error) {
          expect(error).toBeInstanceOf(RecloserError);
        }
      }),
      {
        numRuns: 3_000,
        examples: calls.flatMap((_call, index) =>
          [throwing, null, undefined].map((given) => [index, given, given] as [number, unknown, unknown]),
        ),
      },
    );
    pool.connect(relay.url);
    expect(await pool.publish(next(), { relays: [relay.url], timeoutMs: 10_000 })).toMatchObject({
      status: 'confirmed',
    });
  });

  test('to its actor, nothing but a fact comes of it', async () => {
    const [relay] = await startRelays(1);
    if (!relay) return;
    const pool = startPool([relay]);
    const type = fc.constantFrom(
      'PUBLISH',
      'CANCEL',
      'ADD_RELAY',
      'REMOVE_RELAY',
      'CONFIGURE_RELAY',
      'CONFIGURE',
      'CONNECT',
      'DISCONNECT',
      'SUBSCRIBE',
      'UNSUBSCRIBE',
      'NOTHING',
    );
    const wild = fc.record(
      { type, url: anything, id: anything, filters: anything, options: anything, event: anything, replyTo: anything },
      { requiredKeys: ['type'] },
    );
    fc.assert(
      fc.property(wild, (event) => {
        pool.actor.send(event as never);
        expect(pool.actor.getSnapshot().status).toBe('active');
      }),
      { numRuns: 1_500, examples: [[{ type: 'ADD_RELAY', url: throwing, options: throwing } as never]] },
    );
    pool.connect(relay.url);
    expect(await pool.publish(next(), { relays: [relay.url], timeoutMs: 10_000 })).toMatchObject({
      status: 'confirmed',
    });
  });
});
