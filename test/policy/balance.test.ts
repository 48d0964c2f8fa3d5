import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Candidate, Request, Strategy } from '../../machines/policy/balance/candidate.ts';
import { STRATEGIES, turnLength } from '../../machines/policy/balance/strategies.ts';
import { tierShares } from '../../machines/policy/balance/tiers.ts';
import { quality, weightOf } from '../../machines/policy/balance/weights.ts';
import { poolSettings } from '../../machines/policy/settings.ts';
import { seededRandom } from '../../src/testing/index.ts';

type Relay = { -readonly [Key in keyof Candidate]: Candidate[Key] };

function relay(name: string, given: Partial<Candidate> = {}): Relay {
  return {
    url: `wss://${name}.example/`,
    status: 'connected',
    costMs: 50,
    latencyMs: 50,
    success: 1,
    load: 0,
    weight: 1,
    priority: 0,
    region: undefined,
    turns: 0,
    ...given,
  };
}

function request(given: Partial<Request> = {}): Request {
  return { key: 'key', isUrgent: false, healthWeight: 0, absent: [], regions: [], random: seededRandom(1), ...given };
}

/** How often each is chosen of so many times, with turns taken. */
function counts(strategy: Strategy, relays: readonly Relay[], times: number, given: Partial<Request> = {}): number[] {
  const one = request(given);
  const chosen = new Map<Relay, number>(relays.map((each) => [each, 0]));
  for (let time = 0; time < times; time += 1) {
    const each = strategy(relays, { ...one, key: given.key ?? String(time) });
    if (!each) throw new Error('nobody was chosen');
    chosen.set(each, (chosen.get(each) ?? 0) + 1);
    each.turns += turnLength(strategy, each, one);
  }
  return relays.map((each) => chosen.get(each) ?? 0);
}

const near = (count: number): { asymmetricMatch(other: unknown): boolean } => ({
  asymmetricMatch: (other) => Math.abs((other as number) - count) < 0.15 * count + 20,
});

describe('round-robin', () => {
  test('asks one after the other, and who comes later does not have to catch up', () => {
    const relays = [relay('a'), relay('b'), relay('c')];
    expect(counts(STRATEGIES['round-robin'], relays, 30)).toEqual([10, 10, 10]);
    relays.push(relay('d', { turns: 10 }));
    expect(counts(STRATEGIES['round-robin'], relays, 40)).toEqual([10, 10, 10, 10]);
  });
});

describe('weighted', () => {
  test('asks by weight, evenly spread', () => {
    const relays = [relay('a', { weight: 5 }), relay('b', { weight: 1 }), relay('c', { weight: 2 })];
    expect(counts(STRATEGIES.weighted, relays, 800)).toEqual([500, 100, 200]);
  });

  test('follows the measured quality as far as healthWeight says', () => {
    const relays = () => [relay('good'), relay('bad', { success: 0.2, latencyMs: 2_000, load: 50 })];
    expect(counts(STRATEGIES.weighted, relays(), 1_000, { healthWeight: 0 })).toEqual([500, 500]);
    const [good = 0, bad = 0] = counts(STRATEGIES.weighted, relays(), 1_000, { healthWeight: 1 });
    expect(good).toBeGreaterThan(4 * bad);
    const [half = 0] = counts(STRATEGIES.weighted, relays(), 1_000, { healthWeight: 0.5 });
    expect(half).toBeGreaterThan(520);
    expect(half).toBeLessThan(good);
  });

  test('quality is a sum: one bad side alone does not make it nothing, and what is urgent prefers leisure', () => {
    expect(quality(relay('a', { latencyMs: 60_000 }), false)).toBeGreaterThan(0.5);
    const busy = relay('busy', { load: 40 });
    const idle = relay('idle', { success: 0.7 });
    const prefers = (isUrgent: boolean): number => quality(idle, isUrgent) - quality(busy, isUrgent);
    expect(prefers(true)).toBeGreaterThan(prefers(false));
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(10_000), fc.nat(), (success, load, latencyMs) => {
        const each = relay('any', { success, load, latencyMs, weight: 3 });
        expect(quality(each, false)).toBeGreaterThanOrEqual(0);
        expect(quality(each, true)).toBeLessThanOrEqual(1);
        expect(weightOf(each, request({ healthWeight: 1 }))).toBeLessThanOrEqual(3);
      }),
    );
  });
});

test('weighted-random draws by weight', () => {
  const relays = [relay('a', { weight: 3 }), relay('b', { weight: 1 })];
  expect(counts(STRATEGIES['weighted-random'], relays, 4_000)).toEqual([near(3_000), near(1_000)]);
});

test('least-connections never takes the one at which most waits', () => {
  const relays = [relay('a', { load: 9 }), relay('b', { load: 3 }), relay('c', { load: 1 })];
  const [most, ...others] = counts(STRATEGIES['least-connections'], relays, 300);
  expect(most).toBe(0);
  expect(Math.min(...others)).toBeGreaterThan(50);
});

test('least-latency stays with the fastest, and does not send everything to one of them', () => {
  const relays = Array.from({ length: 30 }, (_, index) =>
    relay(`r${index}`, { latencyMs: 10 * (index + 1), costMs: 50 }),
  );
  const chosen = counts(STRATEGIES['least-latency'], relays, 900);
  expect(chosen.slice(9).every((count) => count === 0)).toBe(true);
  expect(Math.max(...chosen)).toBeLessThan(300);
});

describe('tiers', () => {
  test('spill over when a tier has lost more than it can spare', () => {
    expect(tierShares([1, 1])).toEqual([1, 0]);
    expect(tierShares([0.72, 1])).toEqual([1, 0]);
    expect(tierShares([0.5, 1])).toEqual([0.7, 0.30000000000000004]);
    expect(tierShares([0, 0])).toEqual([1, 0]);
  });

  test('priority asks the lowest number first', () => {
    const relays = [relay('a', { priority: 1 }), relay('b'), relay('c', { priority: 2 })];
    expect(counts(STRATEGIES.priority, relays, 100)).toEqual([0, 100, 0]);
    const [, failing] = relays;
    if (failing) failing.success = 0.5;
    expect(counts(STRATEGIES.priority, relays, 1_000)).toEqual([near(300), near(700), 0]);
  });

  test('geographic asks preferred regions first, then the nearest by latency', () => {
    const relays = [
      relay('far', { latencyMs: 200 }),
      relay('near', { latencyMs: 20 }),
      relay('home', { latencyMs: 90, region: 'eu' }),
      relay('abroad', { latencyMs: 30, region: 'us' }),
    ];
    const { geographic } = STRATEGIES;
    expect(counts(geographic, relays, 10, { regions: ['eu', 'us'] })).toEqual([0, 0, 10, 0]);
    expect(counts(geographic, relays.slice(0, 2), 10, { regions: ['eu'] })).toEqual([0, 10]);
  });
});

describe('affinity', () => {
  const relays = Array.from({ length: 10 }, (_, index) => relay(`relay${index}`));
  const keys = Array.from({ length: 5_000 }, (_, index) => `key ${index}`);
  const homes = (among: readonly Relay[]): Map<string, Relay | undefined> =>
    new Map(keys.map((key) => [key, STRATEGIES.affinity(among, request({ key }))]));

  test('keeps a key where it is, spreads keys evenly, and moves none but those of a relay that leaves', () => {
    const before = homes(relays);
    const share = relays.map((each) => [...before.values()].filter((home) => home === each).length);
    expect(Math.max(...share)).toBeLessThan(1.2 * 500);
    expect(Math.min(...share)).toBeGreaterThan(0.8 * 500);
    const [gone, ...left] = relays;
    const after = homes(left);
    const moved = keys.filter((key) => before.get(key) !== after.get(key));
    expect(moved.every((key) => before.get(key) === gone)).toBe(true);
    // In another order it is the same.
    const shuffled = homes([...relays].reverse());
    expect(keys.filter((key) => shuffled.get(key) !== before.get(key))).toEqual([]);
  });

  test('goes by weight', () => {
    const weighty = [relay('a', { weight: 3 }), relay('b')];
    const chosen = keys.map((key) => STRATEGIES.affinity(weighty, request({ key })));
    expect(chosen.filter((each) => each === weighty[0]).length).toEqual(near(3_750));
  });

  test('passes a key on where too much waits already', () => {
    const home = STRATEGIES.affinity(relays, request());
    const loaded = relays.map((each) => (each.url === home?.url ? { ...each, load: 100 } : each));
    expect(STRATEGIES.affinity(loaded, request())?.url).not.toBe(home?.url);
  });
});

test('every strategy chooses one of the candidates, or nothing of none', () => {
  const any = fc.record({
    url: fc.webUrl(),
    status: fc.constantFrom('connected' as const, 'degraded' as const),
    costMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    latencyMs: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined }),
    success: fc.double({ min: 0, max: 1, noNaN: true }),
    load: fc.nat(10_000),
    weight: fc.double({ min: 0.01, max: 100, noNaN: true }),
    priority: fc.nat(100),
    region: fc.option(fc.constantFrom('eu', 'us'), { nil: undefined }),
    turns: fc.double({ min: 0, max: 1e6, noNaN: true }),
  });
  fc.assert(
    fc.property(
      fc.array(any, { maxLength: 12 }),
      fc.nat(),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (relays, seed, healthWeight) => {
        for (const strategy of Object.values(STRATEGIES)) {
          const chosen = strategy(relays, request({ random: seededRandom(seed), healthWeight, regions: ['us'] }));
          if (relays.length === 0) expect(chosen).toBeUndefined();
          else expect(relays).toContain(chosen);
        }
      },
    ),
  );
});

describe('options of balancing', () => {
  test('are a name, a function, or more', () => {
    const own: Strategy = ([first]) => first;
    expect(poolSettings({ balance: 'affinity' }).balance.strategy).toBe('affinity');
    expect(poolSettings({ balance: own }).balance.strategy).toBe(own);
    expect(poolSettings({ balance: { healthWeight: 1, regions: ['eu'] } }).balance).toEqual({
      strategy: 'two-choices',
      healthWeight: 1,
      regions: ['eu'],
    });
  });

  test.each([
    [{ balance: 'fastest' }, 'balance.strategy is "fastest"'],
    [{ balance: { strategy: 7 } }, 'balance.strategy is 7'],
    [{ balance: { healthWeight: 2 } }, 'balance.healthWeight is 2'],
    [{ balance: { regions: 'eu' } }, 'balance.regions is "eu"'],
    [{ balance: { regions: [1] } }, 'balance.regions is 1'],
    [{ weight: 0 }, 'weight is 0'],
    [{ priority: 1.5 }, 'priority is 1.5'],
    [{ region: '' }, 'region is ""'],
    [{ clusters: { a: 'wss://a.example' } }, 'clusters.a is "wss://a.example"'],
    [{ clusters: [] }, 'clusters is a list'],
  ])('%j is refused', (options, problem) => {
    expect(() => poolSettings(options as never)).toThrow(problem);
  });
});
