import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createWebSocketInspector, createWebSocketReceiver } from '@statelyai/inspect';
import { expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { createActor, createMachine } from 'xstate';
import { createInspector as createBuiltInspector } from '../../dist/src/inspect/index.js';
import { createInspector, type InspectorOptions } from '../../src/inspect/inspector.ts';
import type { InspectorMessage } from '../../src/inspect/messages.ts';
import { stamped } from '../../src/inspect/messages.ts';
import { InspectorServer } from '../../src/inspect/server.ts';
import { until } from '../kit/facts.ts';
import { startPool, startRelays } from '../kit/relays.ts';

async function serve(options: InspectorOptions = {}) {
  const inspector = await createInspector(options);
  onTestFinished(() => inspector.stop());
  return inspector;
}

/** A page without a browser: what it is told. */
async function watch(url: string, headers: Record<string, string> = {}) {
  const socket = new WebSocket(new URL('live', url.replace('http', 'ws')), { headers });
  onTestFinished(() => socket.terminate());
  const messages: InspectorMessage[] = [];
  const waiting = new Set<() => void>();
  socket.on('message', (data) => {
    messages.push(JSON.parse(String(data)));
    for (const look of waiting) look();
  });
  await once(socket, 'open');
  const told = (test: (message: InspectorMessage) => boolean): Promise<InspectorMessage> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = messages.find(test);
        if (!found) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { socket, messages, told };
}

/** The status with which a request is answered. */
const statusOf = (url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<number> =>
  new Promise((resolve, reject) => {
    const { hostname, port, pathname } = new URL(url);
    const asked = request({ hostname, port, path: pathname, method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('error', reject);
    asked.end();
  });

/** The status with which a WebSocket is refused; 101 where it is not. */
const upgradeOf = (url: string, headers: Record<string, string> = {}): Promise<number> =>
  new Promise((resolve) => {
    const socket = new WebSocket(url, { headers });
    socket.on('open', () => {
      socket.terminate();
      resolve(101);
    });
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.on('error', () => {});
  });

test('a foreign Host, a foreign Origin and a wrong token are refused, everywhere', async () => {
  const { url, applicationUrl } = await serve();
  const { host, port } = new URL(url);
  const live = `${url.replace('http', 'ws')}live`;
  const wrong = (address: string): string => address.replace(/\/[0-9a-f]{32}/, `/${'0'.repeat(32)}`);
  expect(await statusOf(`${url}nothing`)).toBe(404);
  for (const headers of [
    { Host: 'attacker.test' },
    { Host: `attacker.test:${port}` },
    { Host: `${host}.attacker.test` },
  ]) {
    expect(await statusOf(`${url}nothing`, headers)).toBe(403);
    expect(await upgradeOf(live, headers)).toBe(403);
    expect(await upgradeOf(applicationUrl, headers)).toBe(403);
  }
  for (const address of [wrong(url), url.replace(/[0-9a-f]{32}\//, ''), url.slice(0, -2)]) {
    expect(await statusOf(address)).toBe(403);
  }
  expect(await statusOf(url, {}, 'POST')).toBe(403);
  for (const address of [wrong(live), wrong(applicationUrl), applicationUrl.replace('/app', '/else')]) {
    expect(await upgradeOf(address)).toBe(403);
  }
  for (const Origin of ['https://attacker.test', 'null', `http://localhost:${Number(port) + 1}`, `https://${host}`]) {
    expect(await upgradeOf(live, { Origin })).toBe(403);
  }
  expect(await upgradeOf(live, { Origin: `http://${host}` })).toBe(101);
  expect(await upgradeOf(live)).toBe(101);
  // Applications on this machine may have any port, and others have to be named.
  expect(await upgradeOf(applicationUrl, { Origin: 'http://localhost:5173' })).toBe(101);
  expect(await upgradeOf(applicationUrl, { Origin: 'https://attacker.test' })).toBe(403);
  expect(await upgradeOf(applicationUrl, { Origin: 'http://localhost.attacker.test' })).toBe(403);
  const named = await serve({ origins: ['https://app.test'] });
  expect(await upgradeOf(named.applicationUrl, { Origin: 'https://app.test' })).toBe(101);
});

test('it listens on the loopback address only', async () => {
  const { url } = await serve();
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === 'IPv4' && !each.internal);
  if (!outside) return console.log('this machine has no address but the loopback, so no other was tried');
  const socket = connect({ host: outside.address, port: Number(new URL(url).port) });
  const [error] = await once(socket, 'error');
  expect(error.code).toBe('ECONNREFUSED');
});

test('a page may load nothing from elsewhere, be framed by no stranger, and tell nobody its address', async () => {
  // What is served is what ships: the built page.
  const inspector = await createBuiltInspector();
  onTestFinished(() => inspector.stop());
  const { headers } = await fetch(inspector.url);
  const policy = headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toMatch(/script-src 'nonce-[^']{20,}' 'self'/);
  expect(policy).not.toContain('unsafe');
  expect(policy).toContain("connect-src 'self'");
  expect(policy).toContain("frame-ancestors 'self'");
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('referrer-policy')).toBe('no-referrer');
});

test('a port that is taken is a clear error', async () => {
  const { url } = await serve();
  const port = Number(new URL(url).port);
  await expect(createInspector({ port })).rejects.toMatchObject({
    code: 'INSPECTOR_FAILED',
    message: `Port ${port} is taken; give another, or 0 for any.`,
  });
});

test('garbage from pages and applications is left alone', async () => {
  const [relay] = await startRelays(1);
  const pool = startPool(relay ? [relay] : []);
  const { url, applicationUrl } = await serve({ pool, control: true });
  const page = await watch(url);
  const application = new WebSocket(applicationUrl);
  onTestFinished(() => application.terminate());
  await once(application, 'open');
  const garbage = ['', 'null', '5', '[]', '{', '{"type":"recloser.control"}', '{"type":"@xstate.actor"}', '\u0000'];
  for (const text of garbage) {
    page.socket.send(text);
    application.send(text);
    application.send(Buffer.from(text));
  }
  page.socket.send(JSON.stringify({ type: 'recloser.control', sessionId: 'nobody', event: 'DISCONNECT' }));
  page.socket.send(JSON.stringify({ type: 'recloser.break', url: '__proto__', fault: 'cut' }));
  const real = {
    type: '@xstate.actor',
    ...stamped(1),
    name: 'a',
    sessionId: 'x:0',
    rootId: 'x:0',
    snapshot: { status: 'active' },
  };
  application.send(JSON.stringify(real));
  await page.told((message) => message.type === '@xstate.actor' && message.sessionId === '1/x:0');
  expect(page.messages.filter((message) => 'sessionId' in message && message.sessionId.startsWith('1/'))).toHaveLength(
    1,
  );
  await until(pool, () => pool.status()[relay?.url ?? ''] === 'connected');
});

test('a page that does not read holds up nobody and is sent away', async () => {
  const server = await InspectorServer.start();
  onTestFinished(() => server.stop());
  const slow = await watch(server.url);
  const quick = await watch(server.url);
  slow.socket.pause();
  const gone = once(slow.socket, 'close');
  const filler = 'x'.repeat(100_000);
  let sent = 0;
  while (server.pages === 2 && sent < 2_000) {
    sent += 1;
    server.tell({
      type: '@xstate.event',
      ...stamped(sent),
      sessionId: 'x:0',
      rootId: 'x:0',
      event: { type: 'A', filler },
    });
    // The quick one has its turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(server.pages).toBe(1);
  await quick.told((message) => message.createdAt === String(sent));
  slow.socket.resume();
  await gone;
});

test('a long history is told to a page that comes late, and does not send it away', async () => {
  const server = await InspectorServer.start();
  onTestFinished(() => server.stop());
  const filler = 'x'.repeat(30_000);
  const event = (at: number): InspectorMessage => ({
    type: '@xstate.event',
    ...stamped(at),
    sessionId: 'x:0',
    rootId: 'x:0',
    event: { type: 'A', filler },
  });
  for (let index = 0; index < 2_000; index += 1) server.tell(event(index));
  const late = await watch(server.url);
  for (let index = 2_000; index < 2_100; index += 1) server.tell(event(index));
  await late.told((message) => message.createdAt === '2099');
  expect(server.pages).toBe(1);
  // As much as is kept, and no more: the oldest have gone.
  expect(late.messages.length).toBeGreaterThan(1_000);
  expect(late.messages.length).toBeLessThan(1_300);
});

test('an application that says too much at once, or has many short-lived actors, goes on to be heard', async () => {
  const { url, applicationUrl } = await serve();
  const page = await watch(url);
  const application = new WebSocket(applicationUrl);
  onTestFinished(() => application.terminate());
  await once(application, 'open');
  const tell = (message: object): void =>
    application.send(JSON.stringify({ ...stamped(1), rootId: 'x:0', ...message }));
  for (let job = 0; job < 2_100; job += 1) {
    const sessionId = `x:${job}`;
    tell({ type: '@xstate.actor', name: `job ${job}`, sessionId, snapshot: { status: 'active' } });
    tell({ type: '@xstate.snapshot', sessionId, event: { type: 'done' }, snapshot: { status: 'done' } });
  }
  await page.told((message) => message.type === '@xstate.actor' && message.name === 'job 2099');
  tell({
    type: '@xstate.actor',
    name: 'large',
    sessionId: 'large',
    snapshot: { status: 'active', context: 'x'.repeat(2 << 20) },
  });
  tell({ type: '@xstate.actor', name: 'after it', sessionId: 'after', snapshot: { status: 'active' } });
  await page.told((message) => message.type === '@xstate.actor' && message.name === 'after it');
  expect(page.messages.filter(({ type }) => type === 'recloser.omitted')).toHaveLength(1);
  expect(page.messages.some((message) => message.type === '@xstate.actor' && message.name === 'large')).toBe(false);
});

test('a page that is dead is let go of', async () => {
  const server = await InspectorServer.start({ heartbeatMs: 50 });
  onTestFinished(() => server.stop());
  const dead = new WebSocket(`${server.url.replace('http', 'ws')}live`, { autoPong: false });
  onTestFinished(() => dead.terminate());
  const living = await watch(server.url);
  await once(dead, 'close');
  await expect.poll(() => server.pages).toBe(1);
  expect(living.socket.readyState).toBe(WebSocket.OPEN);
});

test('nothing is observed while no page is open, and history is only kept where it was asked for', async () => {
  const relays = await startRelays(2);
  const pool = startPool(relays);
  let observers = 0;
  const { inspect } = pool.actor.system;
  pool.actor.system.inspect = (observer) => {
    observers += 1;
    const subscription = inspect.call(pool.actor.system, observer);
    const unsubscribe = (): void => {
      observers -= 1;
      subscription.unsubscribe();
    };
    return { unsubscribe };
  };
  const { url } = await serve({ pool });
  expect(observers).toBe(0);
  const page = await watch(url);
  await page.told(({ type }) => type === 'recloser.summary');
  expect(observers).toBe(1);
  const second = await watch(url);
  const first = await second.told(({ type }) => type === 'recloser.hello');
  expect(second.messages[0]).toEqual(first);
  expect(observers).toBe(1);
  for (const { socket } of [page, second]) {
    const closed = once(socket, 'close');
    socket.close();
    await closed;
  }
  await expect.poll(() => observers).toBe(0);
  const lasting = await serve({ pool, history: true });
  expect(observers).toBe(1);
  await until(pool, () => Object.values(pool.status()).every((status) => status === 'connected'));
  const late = await watch(lasting.url);
  await late.told((message) => message.type === '@xstate.actor' && message.name.startsWith('relay:'));
});

test('what it tells is understood by the receiver of @statelyai/inspect', async () => {
  const relays = await startRelays(1);
  const pool = startPool(relays);
  const { url } = await serve({ pool, history: true });
  // It finds the platform's WebSocket, which Node 20 has not.
  const receiver = createWebSocketReceiver({ server: `${url.replace('http', 'ws')}live` });
  const heard: { type: string; name?: string; snapshot?: { value?: unknown } }[] = [];
  receiver.subscribe((event) => {
    heard.push(event as never);
  });
  await expect
    .poll(() => heard.map(({ type }) => type))
    .toEqual(expect.arrayContaining(['@xstate.actor', '@xstate.snapshot']));
  const relay = heard.find(({ name }) => name?.startsWith('relay:'));
  expect(relay).toMatchObject({ type: '@xstate.actor', snapshot: { status: 'active' } });
});

test('the observer of @statelyai/inspect can be given to a pool, and hears of it and of its relays', async () => {
  const relays = await startRelays(1);
  const { url, applicationUrl } = await serve();
  const page = await watch(url);
  const inspector = createWebSocketInspector({ url: applicationUrl });
  onTestFinished(() => inspector.stop());
  const pool = startPool(relays, { inspect: inspector.inspect });
  const named = (name: string) => (message: InspectorMessage) =>
    message.type === '@xstate.actor' && message.name === name;
  await page.told(named('pool'));
  const relay = await page.told(named(`relay:${relays[0]?.url}`));
  const session = 'sessionId' in relay ? relay.sessionId : '';
  await page.told(
    (message) =>
      message.type === '@xstate.snapshot' &&
      message.sessionId === session &&
      JSON.stringify(message.snapshot.value).includes('connected'),
  );
  pool.removeRelay(relays[0]?.url ?? '');
  await page.told(
    (message) =>
      message.type === '@xstate.snapshot' && message.sessionId === session && message.snapshot.status !== 'active',
  );
});

test('an application that has nothing of ours is shown, also to a page that comes late, and told to have ended', async () => {
  const { url, applicationUrl } = await serve();
  const machine = createMachine({
    id: 'light',
    initial: 'green',
    states: { green: { on: { NEXT: 'yellow' } }, yellow: { on: { NEXT: 'red' } }, red: { on: { NEXT: 'green' } } },
  });
  const inspector = createWebSocketInspector({ url: applicationUrl });
  const actor = createActor(machine, { inspect: inspector.inspect }).start();
  const early = await watch(url);
  await early.told(({ type }) => type === '@xstate.actor');
  actor.send({ type: 'NEXT' });
  const isYellow = (message: InspectorMessage): boolean =>
    message.type === '@xstate.snapshot' && message.snapshot.value === 'yellow';
  await early.told(isYellow);
  const late = await watch(url);
  const introduced = await late.told(({ type }) => type === '@xstate.actor');
  expect(introduced).toMatchObject({ sessionId: expect.stringMatching(/^\d+\/x:/) });
  await late.told(isYellow);
  inspector.stop();
  actor.stop();
  await late.told((message) => message.type === '@xstate.snapshot' && message.snapshot.status === 'stopped');
});
