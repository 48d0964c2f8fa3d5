import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { PUBLISH_LIMITS } from '../../machines/policy/limits.ts';
import { percentile } from '../../machines/policy/percentile.ts';
import { AnswerWindow } from '../../src/delivery/answer-window.ts';
import { Mover } from '../../src/delivery/mover.ts';
import { type CreatePoolOptions, createPool, type NostrEvent, type Pool } from '../../src/index.ts';
import { SimulatedNetwork, SimulatedRelay, seededRandom, VirtualClock } from '../../src/testing/index.ts';
import { eventOf } from '../simulation/events.ts';

/** Milliseconds: one way, without and with what varies. */
const LATENCY = { minMs: 35, spreadMs: 5 };

interface Result {
  readonly atMs: number;
  tookMs: number;
  status: string;
}

/** Relays that are all alike, and a pool that publishes to one of them at a time. */
class Field {
  readonly clock = new VirtualClock(1_700_000_000_000);
  readonly relays: readonly SimulatedRelay[];
  readonly pool: Pool;
  readonly results: Result[] = [];
  readonly #startedAt = this.clock.now();
  #count = 0;

  /** It has `settledMs` milliseconds to connect and to measure before anything is published. */
  constructor(count: number, seed: number, options: CreatePoolOptions = {}, settledMs = 1_000) {
    const dice = (name: string) => seededRandom(`${seed}/${name}`);
    const network = new SimulatedNetwork({ clock: this.clock, dice: (url) => dice(url) });
    this.relays = Array.from({ length: count }, (_, index) => {
      const url = `wss://relay${index}.example/`;
      network.link(url).set({ latency: LATENCY });
      return new SimulatedRelay(network, { url, clock: this.clock, dice: dice(`relay ${index}`) });
    });
    this.pool = createPool({
      relays: this.relays.map(({ url }) => url),
      clock: this.clock,
      transport: network.transport,
      random: dice('pool'),
      ...options,
      publish: { publicationsMax: 100_000, queueBytesMax: 1024 ** 3, ...options.publish },
    });
    onTestFinished(async () => {
      const closed = this.pool.close({ drainMs: 0 });
      this.clock.advance(10_000);
      await closed;
    });
    this.clock.advance(settledMs);
  }

  get atMs(): number {
    return this.clock.now() - this.#startedAt;
  }

  /** Publishes so many events a second for a while. */
  async publish(perSecond: number, forMs: number): Promise<void> {
    const until = this.clock.now() + forMs;
    while (this.clock.now() < until) {
      this.#publishOne();
      await this.pass(1_000 / perSecond);
    }
  }

  async pass(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    while ((this.clock.nextInMs ?? Number.POSITIVE_INFINITY) <= until - this.clock.now()) {
      this.clock.step();
      await null;
    }
    this.clock.advance(until - this.clock.now());
    await null;
  }

  tookMs(fromMs: number, toMs: number, share: number): number {
    const taken = this.results.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).map(({ tookMs }) => tookMs);
    return percentile(
      taken.sort((a, b) => a - b),
      share,
    );
  }

  #publishOne(): void {
    this.#count += 1;
    const event: NostrEvent = { ...eventOf(1, this.#count), kind: 1 };
    const { atMs } = this;
    const startedAt = this.clock.now();
    const result: Result = { atMs, tookMs: Number.POSITIVE_INFINITY, status: 'open' };
    this.results.push(result);
    void this.pool.publish(event, { relays: 1, quorum: 1, timeoutMs: 120_000 }).then(({ status }) => {
      result.tookMs = this.clock.now() - startedAt;
      result.status = status;
    });
  }
}

describe('one silent relay among ten', () => {
  test('delays nothing beyond a hedge, and nothing is lost', async () => {
    const field = new Field(10, 1);
    await field.publish(100, 10_000);
    const [silent] = field.relays as [SimulatedRelay];
    const fromMs = field.atMs;
    silent.set({ silent: true });
    await field.publish(100, 3_000);
    await field.pass(10_000);
    const after = field.results.filter(({ atMs }) => atMs >= fromMs);
    expect(after.length).toBe(300);
    expect(after.every(({ status }) => status === 'confirmed')).toBe(true);
    // A round trip takes 80 ms; what is late after 95 % of all is asked for elsewhere, which takes another.
    expect(field.tookMs(fromMs, fromMs + 3_000, 1)).toBeLessThan(350);
    expect(field.pool.metrics().hedges).toBeGreaterThan(0);
  });
});

describe('a relay that falls silent within the first second', () => {
  test('is found out by how fast it has answered by then', async () => {
    const field = new Field(3, 1, {}, 0);
    await field.publish(100, 500);
    const [silent] = field.relays as [SimulatedRelay];
    const fromMs = field.atMs;
    silent.set({ silent: true });
    await field.publish(100, 1_000);
    await field.pass(10_000);
    expect(field.results.every(({ status }) => status === 'confirmed')).toBe(true);
    expect(field.tookMs(fromMs, fromMs + 1_000, 1)).toBeLessThan(350);
  });
});

describe('what is not answered in time', () => {
  test('is a sign of silence for as long as nothing is heard', async () => {
    // An answer usually takes longer than it may.
    const field = new Field(2, 1, { publish: { ackTimeoutMs: 100 }, heartbeatMs: 60_000 });
    const [silent] = field.relays as [SimulatedRelay];
    const suspected: string[] = [];
    field.pool.on('relay.suspected', ({ url }) => suspected.push(url));
    silent.set({ silent: true });
    await field.publish(4, 1_000);
    await field.pass(3_000);
    expect(suspected).toEqual([silent.url]);
  });
});

describe('when every relay slows down for ten seconds, at 60 % of what they can do', () => {
  const BUSY = { serviceMs: 50 };
  /** To a fifth, and to two fifths. */
  const [MUCH, LESS] = [250, 125];

  /** Milliseconds that 99 % took: before the slowdown, and of what was published from 30 to 40 s after its end. */
  async function slowedDown(
    serviceMs: number,
    options: CreatePoolOptions = {},
  ): Promise<{ before: number; after: number; lost: number }> {
    const field = new Field(10, 1, options);
    for (const relay of field.relays) relay.set(BUSY);
    await field.publish(120, 20_000);
    const fromMs = field.atMs;
    for (const relay of field.relays) relay.set({ serviceMs });
    await field.publish(120, 10_000);
    for (const relay of field.relays) relay.set(BUSY);
    const endMs = field.atMs;
    await field.publish(120, 40_000);
    await field.pass(60_000);
    return {
      before: field.tookMs(fromMs - 10_000, fromMs, 0.99),
      after: field.tookMs(endMs + 30_000, endMs + 40_000, 0.99),
      lost: field.results.filter(({ status }) => status !== 'confirmed').length,
    };
  }

  test('it heals within half a minute', async () => {
    const { before, after, lost } = await slowedDown(MUCH);
    expect(lost).toBe(0);
    expect(after).toBeLessThan(2 * before);
  });

  describe('and windows are not learned, nor answers given up', () => {
    const PATIENT: CreatePoolOptions = { publish: { ackTimeoutMs: 30_000 } };

    beforeEach(() => {
      vi.spyOn(AnswerWindow.prototype, 'size', 'get').mockReturnValue(PUBLISH_LIMITS.window.default);
    });
    afterEach(() => {
      vi.restoreAllMocks();
    });

    test('the throttle on copies alone heals it', async () => {
      const { before, after, lost } = await slowedDown(LESS, PATIENT);
      expect(lost).toBe(0);
      expect(after).toBeLessThan(2 * before);
    });

    test('without the throttle, copies keep it up', async () => {
      for (const method of ['mayCopy', 'mayRetry', 'unanswered'] as const) {
        vi.spyOn(Mover.prototype, method).mockReturnValue(true);
      }
      const { before, after } = await slowedDown(LESS, PATIENT);
      expect(after).toBeGreaterThan(10 * before);
    });
  });
});
