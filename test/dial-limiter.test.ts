import { expect, onTestFinished, test } from 'vitest';
import { DIAL_BOUNDS } from '../machines/policy/limits.ts';
import { createPool, type Transport } from '../src/index.ts';
import { DialLimiter } from '../src/pool/dial-limiter.ts';
import { SimulatedNetwork, SimulatedRelay, seededRandom, VirtualClock } from '../src/testing/index.ts';

test.each(['given to createPool', 'added one by one'])(
  'twenty relays that are %s are dialled a few at a time',
  async (how) => {
    const clock = new VirtualClock(1_700_000_000_000);
    const network = new SimulatedNetwork({ clock, dice: (url) => seededRandom(url) });
    const urls = Array.from({ length: 20 }, (_, index) => `wss://relay${index}.example/`);
    for (const url of urls) {
      network.link(url).set({ latency: { minMs: 100, spreadMs: 0 } });
      new SimulatedRelay(network, { url, clock, dice: seededRandom(url) });
    }
    let dialling = 0;
    let most = 0;
    const transport: Transport = {
      name: 'counting',
      open(url, options, handlers) {
        dialling += 1;
        most = Math.max(most, dialling);
        return network.transport.open(url, options, {
          onOpen() {
            dialling -= 1;
            handlers.onOpen();
          },
          onFrame: (frame) => handlers.onFrame(frame),
          onBinary: (data) => handlers.onBinary(data),
          onPong: () => handlers.onPong(),
          onClose: (report) => handlers.onClose(report),
        });
      },
    };
    const isGiven = how === 'given to createPool';
    const pool = createPool({ relays: isGiven ? urls : [], clock, transport, random: seededRandom(1) });
    onTestFinished(async () => {
      const closed = pool.close({ drainMs: 0 });
      clock.advance(5_000);
      await closed;
    });
    if (!isGiven) for (const url of urls) pool.addRelay(url);
    clock.advance(2_000);
    expect(most).toBe(DIAL_BOUNDS.young);
    expect(new Set(Object.values(pool.status()))).toEqual(new Set(['connected']));
  },
);

test('a relay that becomes needed is dialled at once, though all but the reserved places are taken by dials that hang', () => {
  const clock = new VirtualClock(0);
  const needed = new Set<string>();
  const limiter = new DialLimiter(DIAL_BOUNDS, {
    clock,
    rank: (url) => ({ isNeeded: needed.has(url), success: 0.5 }),
  });
  const begun: string[] = [];
  for (let index = 0; index < DIAL_BOUNDS.most; index += 1) limiter.enter(`dead ${index}`, () => begun.push('dead'));
  limiter.enter('last', () => begun.push('last'));
  clock.advance(60_000);
  expect(begun).toHaveLength(DIAL_BOUNDS.most - DIAL_BOUNDS.reserved);
  needed.add('last');
  limiter.review();
  expect(begun.at(-1)).toBe('last');
  limiter.dispose();
});

test('relays that wait cost nothing while nobody may begin', () => {
  const clock = new VirtualClock(0);
  let ranked = 0;
  const rank = () => {
    ranked += 1;
    return { isNeeded: false, success: 0.5 };
  };
  const limiter = new DialLimiter(DIAL_BOUNDS, { clock, rank });
  for (let index = 0; index < 10_000; index += 1) limiter.enter(String(index), () => {});
  expect(ranked).toBeLessThan(1_000);
  limiter.dispose();
});
