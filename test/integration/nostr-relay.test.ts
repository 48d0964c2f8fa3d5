import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { type CreatePoolOptions, createPool, type NostrEvent, nostrCodec, type Pool } from '../../src/index.ts';
import { nextFact } from '../kit/facts.ts';
import { QUICK } from '../kit/relays.ts';

const FOLDER = new URL('nostr-relay/', import.meta.url);
const INSTALL_MS = 300_000;

/** Installs the relay where that has not been done. Why it cannot, or nothing. */
async function install(): Promise<string | undefined> {
  if (existsSync(new URL('node_modules/.package-lock.json', FOLDER))) return undefined;
  try {
    await promisify(execFile)('npm', ['ci', '--silent'], { cwd: fileURLToPath(FOLDER), timeout: INSTALL_MS });
    return undefined;
  } catch (error) {
    return String(error).slice(0, 300);
  }
}

const key = generateSecretKey();
let count = 0;

function note(changes: Partial<NostrEvent> = {}): NostrEvent {
  count += 1;
  const created_at = changes.created_at ?? Math.floor(Date.now() / 1_000);
  const tags = (changes.tags ?? [['n', String(count)]]).map((tag) => [...tag]);
  const event = finalizeEvent({ kind: changes.kind ?? 1, created_at, tags, content: 'a note' }, key);
  const { id, pubkey, kind, content, sig } = event;
  return { id, pubkey, created_at, kind, tags, content, sig };
}

/** The relay as a process. */
class Relay {
  readonly url: string;
  readonly #port: number;
  readonly #options: object;
  #process: ChildProcess;

  private constructor(process: ChildProcess, port: number, options: object) {
    this.#process = process;
    this.#port = port;
    this.#options = options;
    this.url = `ws://127.0.0.1:${port}/`;
  }

  static async start(options: object = {}): Promise<Relay> {
    const process = spawn(options);
    const [port] = (await once(process, 'message')) as [number];
    const relay = new Relay(process, port, options);
    onTestFinished(() => relay.kill());
    return relay;
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }

  async again(): Promise<void> {
    this.#process = spawn({ ...this.#options, port: this.#port });
    await once(this.#process, 'message');
  }

  /** The events that it has, as a client of its own sees them. */
  async stored(ids: readonly string[]): Promise<readonly string[]> {
    const frames = await converse(this.url, [nostrCodec.subscribe('look', [{ ids, limit: 500 }])], (frame) =>
      frame.startsWith('["EOSE"'),
    );
    return frames.filter((frame) => frame.startsWith('["EVENT"')).map((frame) => JSON.parse(frame)[2].id as string);
  }
}

const spawn = (options: object): ChildProcess =>
  fork(new URL('relay.mjs', FOLDER), [JSON.stringify(options)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });

/** Sends frames and collects what comes until one is the last. */
async function converse(
  url: string,
  frames: readonly string[],
  isLast: (frame: string) => boolean,
  reply: (frame: string) => string | undefined = () => undefined,
): Promise<readonly string[]> {
  const socket = new WebSocket(url);
  const got: string[] = [];
  // Listens from the start: a relay's first frame may come in one piece with the opening.
  const done = new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      const frame = data.toString();
      got.push(frame);
      const answer = reply(frame);
      if (answer !== undefined) socket.send(answer);
      if (isLast(frame)) resolve();
    });
  });
  await once(socket, 'open');
  for (const frame of frames) socket.send(frame);
  await done;
  socket.terminate();
  return got;
}

function poolOver(relay: Relay, options: CreatePoolOptions = {}): Pool {
  // It checks every signature before it answers, which takes a slow machine its time.
  const publish = { ...QUICK.publish, ackTimeoutMs: 5_000 };
  const pool = createPool({ ...QUICK, publish, trust: { allowPrivate: true }, relays: [relay.url], ...options });
  onTestFinished(() => pool.close({ drainMs: 0 }));
  return pool;
}

let why: string | undefined;
beforeAll(async () => {
  why = await install();
  if (why !== undefined) console.log(`the relay from npm could not be installed, so it was not tried: ${why}`);
}, INSTALL_MS);

const folder = mkdtempSync(join(tmpdir(), 'recloser-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('with a relay that nobody here wrote', () => {
  const tried = (name: string, work: () => Promise<void>): void => {
    test(name, async ({ skip }) => {
      if (why !== undefined && !process.env.CI) skip();
      expect(why).toBeUndefined();
      await work();
    });
  };

  tried('events are published, and it has them', async () => {
    const relay = await Relay.start();
    const pool = poolOver(relay);
    const events = Array.from({ length: 50 }, () => note());
    const receipts = await Promise.all(events.map((event) => pool.publish(event)));
    expect(new Set(receipts.map(({ status }) => status))).toEqual(new Set(['confirmed']));
    expect([...(await relay.stored(events.map(({ id }) => id)))].sort()).toEqual(events.map(({ id }) => id).sort());
    const again = await pool.publish(events[0]);
    expect(again.outcomes[relay.url]).toMatchObject({ status: 'accepted', duplicate: true });
    expect(pool.metrics().relays[relay.url]?.faults).toEqual({});
  });

  tried('it answers what a relay is asked that has to prove itself', async () => {
    const relay = await Relay.start();
    const pool = poolOver(relay, { breaker: { ...QUICK.breaker, failureThreshold: 1 } });
    await nextFact(pool, 'relay.connected');
    const opened = nextFact(pool, 'relay.circuit-opened');
    await relay.kill();
    await opened;
    const closed = nextFact(pool, 'relay.circuit-closed');
    await relay.again();
    await closed;
    expect(pool.status()[relay.url]).toBe('connected');
  });

  tried('its refusals are told in its own words', async () => {
    const [relay, strict] = [await Relay.start(), await Relay.start({ pow: 8 })];
    const pool = poolOver(relay);
    pool.addRelay(strict.url);
    const refusalOf = async (event: NostrEvent, by = relay): Promise<unknown> => {
      const outcome = (await pool.publish(event, { relays: [by.url], until: 'complete' })).outcomes[by.url];
      return outcome?.status === 'rejected' ? outcome.refusal : outcome?.status;
    };
    expect(await refusalOf(note(), strict)).toMatchObject({ class: 'final', prefix: 'pow' });
    const old = note({ created_at: Math.floor(Date.now() / 1_000) - 86_400 });
    expect(await refusalOf(old)).toMatchObject({ class: 'final', prefix: 'invalid' });
    const forged = { ...note(), sig: 'a'.repeat(128) };
    expect(await refusalOf(forged)).toMatchObject({
      class: 'final',
      prefix: 'invalid',
      text: 'invalid: signature is wrong',
    });
    const other = { ...note(), content: 'something else' };
    expect(await refusalOf(other)).toMatchObject({ class: 'final', prefix: 'invalid', text: 'invalid: id is wrong' });
  });

  tried('what it refuses as too much is accepted later', async () => {
    const relay = await Relay.start({ eventsPerSecond: 3 });
    const pool = poolOver(relay, { publish: { resendDelayMs: 300, resendDelayMaxMs: 1_000, triesMax: 50 } });
    const receipts = await Promise.all(Array.from({ length: 8 }, () => pool.publish(note())));
    expect(new Set(receipts.map(({ status }) => status))).toEqual(new Set(['confirmed']));
    expect(pool.metrics().relays[relay.url]).toMatchObject({ circuit: 'closed', failures: 0 });
  });

  tried('it is killed and started again, and nothing that was accepted is lost', async () => {
    const relay = await Relay.start({ file: join(folder, 'events.sqlite') });
    const pool = poolOver(relay);
    const before = Array.from({ length: 10 }, () => note());
    await Promise.all(before.map((event) => pool.publish(event)));
    const during = Array.from({ length: 10 }, () => note());
    const receipts = Promise.all(during.map((event) => pool.publish(event)));
    await relay.kill();
    const late = pool.publish(note());
    await nextFact(pool, 'relay.reconnecting');
    await relay.again();
    expect(new Set((await receipts).map(({ status }) => status))).toEqual(new Set(['confirmed']));
    expect(await late).toMatchObject({ status: 'confirmed' });
    const ids = [...before, ...during].map(({ id }) => id);
    expect([...(await relay.stored(ids))].sort()).toEqual(ids.sort());
    const again = await pool.publish(before[0]);
    expect(again.outcomes[relay.url]).toMatchObject({ status: 'accepted', duplicate: true });
  });

  tried('its challenge is no fault, and nobody signs who was not asked to', async () => {
    const relay = await Relay.start({ requireAuth: true });
    const pool = poolOver(relay);
    const receipt = await pool.publish(note(), { until: 'complete' });
    expect(receipt.outcomes[relay.url]).toMatchObject({ status: 'rejected', refusal: { prefix: 'auth-required' } });
    expect(pool.metrics().relays[relay.url]).toMatchObject({ status: 'connected', faults: {} });
  });

  tried('it understands our AUTH, takes the event after it, and serves what is subscribed to', async () => {
    const relay = await Relay.start({ requireAuth: true });
    const key = generateSecretKey();
    const pool = poolOver(relay, {
      signers: [(event) => finalizeEvent(event, key)],
      authenticate: 'when-required',
    });
    const event = note();
    const received = new Promise((resolve) => {
      pool.subscribe({ ids: [event.id] }, { onEvent: resolve });
    });
    expect((await pool.publish(event)).status).toBe('confirmed');
    expect(await received).toMatchObject({ event, relay: relay.url });
    expect(await pool.get({ ids: [event.id] })).toEqual(event);
  });
});
