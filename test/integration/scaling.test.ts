import { isDeepStrictEqual } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import type { AnyActorRef } from 'xstate';
import { connectionMachine } from '../../machines/connection/connection.machine.ts';
import { SCALING } from '../../machines/policy/limits.ts';
import { scalingMachine } from '../../machines/scaling/scaling.machine.ts';
import { textOf } from '../../src/frame.ts';
import type { Connection, Pool, Receipt, Transport, TransportHandlers } from '../../src/index.ts';
import { FaultableRelay, signedEvents, VirtualClock } from '../../src/testing/index.ts';
import type { Resolution } from '../../src/transport/transport.ts';
import { wsTransport } from '../../src/transport/ws.ts';
import { EdgeCoverage } from '../kit/edges.ts';
import { QUICK, startPool } from '../kit/relays.ts';

const WINDOW = 10;
const EVENTS = 40;
const DEADLINE_MS = 20_000;

/** One real connection, with a tap on what it says. */
class Tap implements Connection {
  /** Acknowledgements are kept back, so that the load stays. */
  readonly kept: (() => void)[] = [];
  isOpen = false;
  isKeeping = true;
  /** Nothing arrives; otherwise something does whenever it is asked, for time here passes in leaps. */
  isDeaf = false;
  /** The close frame is never sent; or asking for it throws. */
  isStuck = false;
  isBroken = false;
  readonly #real: Connection;
  #bytes = 0;

  constructor(open: (handlers: TransportHandlers) => Connection, handlers: TransportHandlers) {
    this.#real = open({
      onOpen: () => {
        this.isOpen = true;
        handlers.onOpen();
      },
      onFrame: (frame) => {
        const pass = (): void => handlers.onFrame(frame);
        if (this.isDeaf || (this.isKeeping && textOf(frame)?.startsWith('["OK"'))) this.kept.push(pass);
        else pass();
      },
      onBinary: (data) => handlers.onBinary(data),
      onPong: () => {
        if (!this.isDeaf) handlers.onPong();
      },
      onClosing: (report) => handlers.onClosing?.(report),
      onClose: (report) => handlers.onClose(report),
    });
  }

  get bufferedBytes(): number {
    return this.#real.bufferedBytes;
  }

  get receivedBytes(): number {
    if (!this.isDeaf) this.#bytes += 1;
    return this.#bytes;
  }

  send(frame: string): boolean {
    return this.#real.send(frame);
  }

  ping(): boolean {
    return this.#real.ping?.() ?? false;
  }

  close(): void {
    if (this.isBroken) throw new Error('broken');
    if (!this.isStuck) this.#real.close();
  }

  terminate(): void {
    this.isOpen = false;
    this.#real.terminate();
  }

  release(): void {
    this.isKeeping = false;
    for (const pass of this.kept.splice(0)) pass();
  }
}

/** A pool over one real relay, on a clock that only moves when it is told to. */
class Field {
  readonly clock = new VirtualClock(Date.now());
  readonly taps: Tap[] = [];
  readonly pool: Pool;
  readonly relay: FaultableRelay;
  readonly connections = new EdgeCoverage(connectionMachine);
  readonly scaling = new EdgeCoverage(scalingMachine);
  readonly receipts: Promise<Receipt>[] = [];
  /** Names are resolved when the test says so. */
  #holdsNames = false;
  #lookups: ((result: Resolution) => void)[] = [];

  constructor(relay: FaultableRelay) {
    this.relay = relay;
    const transport: Transport = {
      name: 'tapped',
      resolve: () => (this.#holdsNames ? (done) => this.#lookUp(done) : undefined),
      open: (url, options, handlers) => {
        const tap = new Tap((tapped) => wsTransport.open(url, options, tapped), handlers);
        this.taps.push(tap);
        return tap;
      },
    };
    this.pool = startPool([relay], {
      ...QUICK,
      clock: this.clock,
      transport,
      connectionsMax: 2,
      heartbeatMs: 100,
      connectTimeoutMs: 5_000,
      stableMs: 600_000,
      publish: { window: WINDOW, ackTimeoutMs: 120_000, timeoutMs: 3_600_000, expiresMs: 3_600_000 },
      inspect: (event) => {
        if (event.type !== '@xstate.microstep') return;
        const { id } = event.actorRef as AnyActorRef;
        if (id === 'scaling') this.scaling.note(event._transitions);
        if (id.startsWith('connection:')) this.connections.note(event._transitions);
      },
    });
  }

  static async start(): Promise<Field> {
    const relay = await FaultableRelay.start({ verify: false });
    onTestFinished(() => relay.stop());
    const field = new Field(relay);
    onTestFinished(async () => {
      const closed = field.pool.close({ drainMs: 0 });
      field.clock.advance(60_000);
      await closed;
      expect(field.clock.pending).toBe(0);
    });
    await field.until('the first connection', () => field.pool.metrics().activeConnections === 1);
    const events = signedEvents();
    for (let count = 0; count < EVENTS; count += 1) field.receipts.push(field.pool.publish(events.next().value));
    return field;
  }

  holdNames(holds: boolean): void {
    this.#holdsNames = holds;
  }

  /** Ends every look-up that waits; how many there were. */
  resolveNames(): number {
    const waiting = this.#lookups.splice(0);
    for (const done of waiting) done({ addresses: [{ address: '127.0.0.1', family: 4 }] });
    return waiting.length;
  }

  get lookups(): number {
    return this.#lookups.length;
  }

  #lookUp(done: (result: Resolution) => void): () => void {
    this.#lookups.push(done);
    return () => {
      this.#lookups = this.#lookups.filter((each) => each !== done);
    };
  }

  get open(): number {
    return this.pool.relayMetrics(this.relay.url)?.openConnections ?? 0;
  }

  get newest(): Tap {
    return this.taps.at(-1) as Tap;
  }

  /** Lets time pass in looks, until something holds. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS;
    while (!holds()) {
      if (Date.now() > deadline)
        throw new Error(`${what} never came; ${this.open} are open, ${JSON.stringify(this.pool.status())}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += SCALING.lookMs / 2) this.clock.advance(SCALING.lookMs / 2);
  }

  /** Looks pass until one more connection is dialled. */
  grow(): void {
    const before = this.taps.length;
    this.passUntil(() => this.taps.length > before);
  }

  /** Looks pass, as many as it takes. */
  passUntil(holds: () => boolean): void {
    for (let looks = 0; !holds(); looks += 1) {
      if (looks > 100) throw new Error('it never came to pass');
      this.pass(SCALING.lookMs);
    }
  }

  async growTo(count: number): Promise<void> {
    this.grow();
    await this.until(`connection ${count}`, () => this.open === count);
  }

  crash(): void {
    const relay = this.pool.actor.getSnapshot().children[`relay:${this.relay.url}`];
    relay?.send({ type: 'CONFIGURE', settings: null } as never);
    this.clock.advance(1);
  }

  /** The actor that watches the load, and those of the further connections. */
  get watcher() {
    return this.pool.actor.getSnapshot().children[`relay:${this.relay.url}`]?.getSnapshot().children
      .scaling as AnyActorRef;
  }

  get actors(): readonly AnyActorRef[] {
    return Object.values(this.watcher.getSnapshot().children);
  }

  /** Lets answers through until nothing is in flight on a connection. */
  async releaseAll(tap: Tap): Promise<void> {
    tap.release();
    await this.until('a drained connection', () => this.#states.every((state) => state !== 'draining'));
  }

  get #states(): readonly unknown[] {
    return this.actors.map((actor) => (actor.getSnapshot().value as { live?: unknown }).live);
  }

  allow(connectionsMax: number): void {
    this.pool.configure({ connectionsMax });
    this.pass(SCALING.lookMs);
  }
}

/** Whoever reads it throws. */
const CLOSED_BADLY = {
  type: 'socket.closed',
  get report(): never {
    throw new Error('poison');
  },
};

test('the arrows of the charts for further connections are all taken with a real relay', async () => {
  const field = await Field.start();
  const stateOf = (index: number) => field.actors[index]?.getSnapshot().value;

  // One that grows, and is asked to close.
  await field.growTo(2);
  field.allow(1);
  expect(stateOf(0)).toEqual({ live: 'draining' });
  await field.until('its answers', () => field.newest.kept.length > 0);
  await field.releaseAll(field.newest);
  await field.until('the end of the second', () => field.open === 1 && field.actors.length === 0);

  // One that is silent for a moment, and is asked to close when it is again, which it never does.
  field.allow(2);
  await field.growTo(2);
  const stuck = field.newest;
  stuck.isStuck = true;
  stuck.isDeaf = true;
  field.pass(3_000);
  expect(stateOf(0)).toEqual({ live: 'suspected' });
  stuck.isDeaf = false;
  field.relay.send('["NOTICE","still here"]');
  await field.until('a word from it', () => isDeepStrictEqual(stateOf(0), { live: 'serving' }));
  stuck.isDeaf = true;
  field.passUntil(() => isDeepStrictEqual(stateOf(0), { live: 'suspected' }));
  field.allow(1);
  // What was in flight there goes out on others, so there is nothing to wait for.
  expect(stateOf(0)).toEqual({ live: 'closing' });
  field.pass(1_000);
  expect(field.open).toBe(1);

  // Ends that nobody asked for: closed by the other side, silent for too long, crashed.
  field.allow(2);
  await field.growTo(2);
  field.newest.close();
  await field.until('the loss of it', () => field.open === 1);
  await field.growTo(2);
  const silent = field.newest;
  silent.isDeaf = true;
  field.passUntil(() => !silent.isOpen);
  await field.until('the one that came instead', () => field.open === 2);
  field.newest.isBroken = true;
  field.actors[0]?.getSnapshot().children.socket.send({ type: 'CLOSE' });
  expect(field.open).toBe(1);
  // A connection that crashes itself: one that was wanted, and one that was not.
  await field.growTo(2);
  field.actors[0]?.send(CLOSED_BADLY);
  expect(field.actors).toHaveLength(0);
  await field.growTo(2);
  field.allow(1);
  field.actors[0]?.send(CLOSED_BADLY);
  expect(field.actors).toHaveLength(0);

  // Names that take a while, or too long.
  field.holdNames(true);
  field.allow(2);
  field.passUntil(() => field.lookups > 0);
  expect(stateOf(0)).toEqual({ live: { connecting: 'resolving' } });
  expect(field.resolveNames()).toBe(1);
  await field.until('the one that was resolved', () => field.open === 2);
  // The relay closes it politely.
  const { generation } = field.actors[0]?.getSnapshot().context ?? {};
  field.actors[0]?.send({
    type: 'socket.closing',
    generation,
    report: { code: 1000, reason: '' },
    successesAt: [],
  } as never);
  await field.until('the end of it', () => field.open === 1 && field.actors.length === 0);
  field.passUntil(() => field.lookups > 0);
  field.pass(6_000);
  field.holdNames(false);
  field.allow(1);

  // One that is never open, and one that is not wanted any more before it is.
  field.relay.set({ tarpit: true });
  field.allow(2);
  field.grow();
  field.pass(6_000);
  field.grow();
  field.allow(1);
  expect(field.actors).toHaveLength(0);
  field.relay.set({ tarpit: false });

  // The relay's own actor crashes: all that it had is let go of, and it begins anew.
  field.allow(2);
  await field.growTo(2);
  field.crash();
  expect(field.taps.filter(({ isOpen }) => isOpen)).toEqual([]);
  await field.until('a new connection', () => field.open === 1);

  for (const tap of field.taps) tap.release();
  await field.until('the last answers', () => field.pool.metrics().openPublications === 0);
  const receipts = await Promise.all(field.receipts);
  expect(receipts.every(({ status }) => status === 'confirmed')).toBe(true);
  expect(field.connections.missing).toEqual([]);
  expect(field.scaling.missing).toEqual([]);
  console.log(`further connections, real sockets: ${field.connections.taken.size + field.scaling.taken.size} edges`);
});
