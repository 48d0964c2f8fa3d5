import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPrivateAddress } from '../../machines/policy/address.ts';
import { backoffDelayMs } from '../../machines/policy/backoff.ts';
import { type AnswerCost, afterCost, afterFailure, costMs, NO_COST } from '../../machines/policy/balance/cost.ts';
import { betterOfTwo } from '../../machines/policy/balance/two-choices.ts';
import { EMPTY_BREAKER_WINDOW, openDelayMs, recordFailure, tripTrigger } from '../../machines/policy/breaker.ts';
import { closeMeaning, endReason, isAmbiguous, isRefusedUpgrade, isTooBig } from '../../machines/policy/close.ts';
import { afterFlap, exitHoldMs, isWell, NO_FLAPS, reasonsToDegrade } from '../../machines/policy/degraded.ts';
import {
  afterAnswer,
  afterHedge,
  afterLate,
  afterSend,
  afterWaiting,
  type Duplicates,
  hedgeDelayMs,
  isSystemic,
  mayHedge,
  mayRetry,
  NO_DUPLICATES,
} from '../../machines/policy/hedge.ts';
import { PACE } from '../../machines/policy/limits.ts';
import { type Pace, paceAfterRefusal, paceAfterSend, paceAt, paceWaitMs } from '../../machines/policy/pace.ts';
import { PRESETS, type Preset } from '../../machines/policy/presets.ts';
import { foremost } from '../../machines/policy/ranking.ts';
import { canonicalRelayUrl, hostOf } from '../../machines/policy/relay-url.ts';
import { resendDelayMs } from '../../machines/policy/resend.ts';
import { mayRestart } from '../../machines/policy/restart.ts';
import { afterSample, answerTimeoutMs, NO_ROUND_TRIP } from '../../machines/policy/round-trip.ts';
import {
  BACKOFF_STRATEGIES,
  DEFAULT_RELAY_SETTINGS,
  poolSettings,
  relaySettings,
} from '../../machines/policy/settings.ts';
import { deadAfterMs, silenceVerdict } from '../../machines/policy/silence.ts';
import { seededRandom } from '../../src/testing/index.ts';

const { reconnect, breaker } = DEFAULT_RELAY_SETTINGS;
const random = fc.double({ min: 0, max: 0.999_999, noNaN: true });
const ORDINARY = { previousMs: 0, urgent: true, restarting: false, retryAfterMs: 0 } as const;

describe('backoff', () => {
  test('draws from an eighth to the whole of a delay that doubles up to its cap', () => {
    const bounds = Array.from({ length: 9 }, (_, attempt) => [
      backoffDelayMs(reconnect, { ...ORDINARY, attempt, random: 0 }),
      backoffDelayMs(reconnect, { ...ORDINARY, attempt, random: 1 }),
    ]);
    expect(bounds.map(([, high]) => high)).toEqual([1e3, 2e3, 4e3, 8e3, 16e3, 32e3, 60e3, 60e3, 60e3]);
    for (const [low = 0, high = 0] of bounds) expect(low).toBeCloseTo(high / 8);
  });

  test('grows as its strategy says', () => {
    const grow = (strategy: (typeof BACKOFF_STRATEGIES)[number]) =>
      [0, 1, 2].map((attempt) =>
        backoffDelayMs({ ...reconnect, strategy, jitter: false }, { ...ORDINARY, attempt, random: 0.5 }),
      );
    expect(grow('exponential')).toEqual([1_000, 2_000, 4_000]);
    expect(grow('linear')).toEqual([1_000, 2_000, 3_000]);
    expect(grow('fixed')).toEqual([1_000, 1_000, 1_000]);
    const decorrelated = backoffDelayMs(
      { ...reconnect, strategy: 'decorrelated' },
      { ...ORDINARY, attempt: 3, previousMs: 2_000, random: 0.5 },
    );
    expect(decorrelated).toBe(3_500);
  });

  test('is slower while others serve, and leaves a restarting relay alone', () => {
    expect(backoffDelayMs(reconnect, { ...ORDINARY, attempt: 0, urgent: false, random: 1 })).toBe(5_000);
    expect(backoffDelayMs(reconnect, { ...ORDINARY, attempt: 99, urgent: false, random: 1 })).toBe(120_000);
    expect(backoffDelayMs(reconnect, { ...ORDINARY, attempt: 0, restarting: true, random: 0 })).toBe(5_000);
    expect(backoffDelayMs(reconnect, { ...ORDINARY, attempt: 0, retryAfterMs: 20_000, random: 0.5 })).toBe(21_000);
    expect(backoffDelayMs(reconnect, { ...ORDINARY, attempt: 0, retryAfterMs: 1e12, random: 0 })).toBe(600_000);
  });

  test('is always finite, within its bounds, and never the same for two throws', () => {
    const input = fc.record({
      attempt: fc.nat(10_000),
      previousMs: fc.double({ min: 0, max: 1e7, noNaN: true }),
      urgent: fc.boolean(),
      restarting: fc.boolean(),
      retryAfterMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
      random,
    });
    fc.assert(
      fc.property(input, fc.constantFrom(...BACKOFF_STRATEGIES), (given, strategy) => {
        const settings = { ...reconnect, strategy };
        const delay = backoffDelayMs(settings, given);
        expect(delay).toBeGreaterThanOrEqual(settings.minDelayMs);
        expect(delay).toBeLessThanOrEqual(Math.max(settings.maxDelayMs * 2, 660_000));
        const other = backoffDelayMs(settings, {
          ...given,
          random: given.random < 0.5 ? given.random + 0.4 : given.random - 0.4,
        });
        expect(other).not.toBe(delay);
      }),
    );
  });
});

describe('the breaker', () => {
  const fail = (count: number, spacingMs = 1) =>
    Array.from({ length: count }).reduce<typeof EMPTY_BREAKER_WINDOW>(
      (window, _, index) => recordFailure(window, breaker, index * spacingMs),
      EMPTY_BREAKER_WINDOW,
    );

  test('opens at the fifth failure in a row, however long they took', () => {
    expect(tripTrigger(fail(4), breaker)).toBeUndefined();
    expect(tripTrigger(fail(5), breaker)).toBe('consecutive');
    expect(tripTrigger(fail(5, 100_000), breaker)).toBe('consecutive');
  });

  test('opens when half of at least ten outcomes of the last minute failed', () => {
    let window = EMPTY_BREAKER_WINDOW;
    for (let index = 0; index < 4; index += 1) window = recordFailure(window, breaker, index, [index]);
    expect(tripTrigger(window, breaker)).toBeUndefined();
    window = recordFailure(window, breaker, 5, [5]);
    expect(tripTrigger(window, breaker)).toBe('ratio');
    expect(tripTrigger(recordFailure(window, breaker, 100_000, [99_999]), breaker)).toBeUndefined();
  });

  test('remembers no more than it needs', () => {
    expect(fail(1_000).outcomes).toHaveLength(20);
  });

  test('stays open twice as long every time, up to its cap, and at least as long as the relay asks', () => {
    expect([0, 1, 2, 10, 1_000].map((trips) => openDelayMs(breaker, trips, 0, 1))).toEqual([5e3, 1e4, 2e4, 3e5, 3e5]);
    expect(openDelayMs(breaker, 0, 0, 0)).toBe(2_500);
    expect(openDelayMs(breaker, 0, 60_000, 0)).toBe(60_000);
  });
});

test('what an end of a connection means', () => {
  const meaning = (code: number, more: object = {}) => closeMeaning({ code, reason: '', ...more });
  const lost = [1000, 1001, 1006, 1008, 1009, 1011, 3999, 4000, 4999];
  expect(lost.map((code) => meaning(code))).toEqual(lost.map(() => 'lost'));
  expect([1012, 1013].map((code) => meaning(code))).toEqual(['restarting', 'restarting']);
  expect([3000, 3003].map((code) => meaning(code))).toEqual(['refused', 'refused']);
  expect([429, 503].map((httpStatus) => meaning(1006, { httpStatus }))).toEqual(['restarting', 'restarting']);
  expect([401, 403, 404].map((httpStatus) => meaning(1006, { httpStatus }))).toEqual(Array(3).fill('refused'));
  expect([302, 500].map((httpStatus) => meaning(1006, { httpStatus }))).toEqual(['lost', 'lost']);
  expect([meaning(1006, { httpStatus: 410 }), meaning(1006, { impossible: true })]).toEqual(['gone', 'gone']);
});

test('which ends of a connection say nothing by themselves, or speak of one message or of what stands in between', () => {
  const codes = [1000, 1006, 1008, 1009, 3000, 3003, 4000, 4999];
  const close = (code: number, more: object = {}) => ({ code, reason: '', ...more });
  expect(codes.filter((code) => isAmbiguous(close(code)))).toEqual([1008, 4000, 4999]);
  expect(isAmbiguous(close(1008, { httpStatus: 403 }))).toBe(false);
  expect(codes.filter((code) => isTooBig(close(code)))).toEqual([1009]);
  expect(isTooBig(close(1009, { brokeProtocol: true }))).toBe(false);
  const statuses = [302, 401, 403, 410, 429, 500, 503];
  expect(statuses.filter((httpStatus) => isRefusedUpgrade(close(1006, { httpStatus })))).toEqual([
    302, 401, 403, 410, 500,
  ]);
});

test.each([
  [{ code: 1006, reason: '' }, 'connection lost without a Close frame'],
  [
    { code: 1006, reason: 'connect ECONNREFUSED 127.0.0.1:1', errorCode: 'ECONNREFUSED' },
    'connect ECONNREFUSED 127.0.0.1:1',
  ],
  [
    { code: 1006, reason: 'certificate has expired', errorCode: 'CERT_HAS_EXPIRED' },
    'CERT_HAS_EXPIRED: certificate has expired',
  ],
  [{ code: 1006, reason: '', httpStatus: 403 }, 'HTTP 403'],
  [{ code: 1001, reason: '' }, 'closed with 1001'],
  [{ code: 4000, reason: 'idle' }, 'closed with 4000: idle'],
])('the end %j is described as "%s"', (report, says) => {
  expect(endReason(report)).toBe(says);
});

test('a connection degrades at a fifth of slow or failed calls, and recovers at a twentieth after its dwell', () => {
  const fine = { paced: false, congested: false, erratic: false };
  expect(reasonsToDegrade({ ...fine, calls: 9, slow: 9, failed: 9 })).toEqual([]);
  expect(reasonsToDegrade({ ...fine, calls: 10, slow: 2, failed: 1 })).toEqual(['slow']);
  expect(reasonsToDegrade({ ...fine, calls: 10, slow: 2, failed: 2 })).toEqual(['slow', 'failing']);
  expect(reasonsToDegrade({ calls: 0, slow: 0, failed: 0, paced: true, congested: true, erratic: true })).toEqual([
    'paced',
    'congested',
    'erratic',
  ]);
  expect(isWell({ ...fine, calls: 20, slow: 1, failed: 1 })).toBe(true);
  expect(isWell({ ...fine, calls: 20, slow: 2, failed: 0 })).toBe(false);
  expect(isWell({ ...fine, calls: 4, slow: 0, failed: 0 })).toBe(false);
  expect(isWell({ ...fine, calls: 20, slow: 0, failed: 0, paced: true })).toBe(false);
});

describe('the choice between relays', () => {
  const of = (status: 'connected' | 'degraded' | 'backoff' | 'stopped', costMs: number) => ({ status, costMs });
  const draws = (from: readonly ReturnType<typeof of>[]): readonly string[] => {
    const dice = seededRandom(1);
    const cheaper = (a: (typeof from)[number], b: (typeof from)[number]): boolean => a.costMs < b.costMs;
    const drawn = Array.from({ length: 200 }, () => betterOfTwo(foremost(from), cheaper, dice));
    return [...new Set(drawn.map((each) => `${each?.status} ${each?.costMs}`))].sort();
  };

  test('takes healthy relays before degraded ones, and either before what is down', () => {
    expect(draws([of('stopped', 0), of('degraded', 0), of('backoff', 0), of('connected', 9)])).toEqual(['connected 9']);
    expect(draws([of('stopped', 0), of('degraded', 5), of('backoff', 0)])).toEqual(['degraded 5']);
    expect(draws([of('stopped', 0), of('backoff', 5)])).toEqual(['backoff 5']);
    expect(foremost([])).toEqual([]);
    expect(betterOfTwo([], () => true, Math.random)).toBeUndefined();
  });

  test('never takes the dearest, and spreads over the others', () => {
    const drawn = draws([of('connected', 1), of('connected', 2), of('connected', 3), of('connected', 4)]);
    expect(drawn).toEqual(['connected 1', 'connected 2', 'connected 3']);
  });

  test('costs the expected time to success', () => {
    const steady = Array.from({ length: 50 }).reduce<AnswerCost>((cost) => afterCost(cost, 40, 0), NO_COST);
    const idle = { cost: steady, pingMs: 10, load: 0, oldestMs: 0, weight: 1, servingMs: 60_000 };
    expect(costMs(idle, 0)).toBeCloseTo(40);
    expect(costMs({ ...idle, load: 3 }, 0)).toBeCloseTo(160);
    // Twice the weight is half the cost; who has just begun is asked less at first.
    expect(costMs({ ...idle, weight: 2 }, 0)).toBeCloseTo(20);
    expect(costMs({ ...idle, servingMs: 15_000 }, 0)).toBeCloseTo(80);
    expect(costMs({ ...idle, servingMs: 0 }, 0)).toBeCloseTo(400);
    // Who answers nothing costs what it has kept somebody waiting; who fails at once costs what failing does.
    expect(costMs({ ...idle, oldestMs: 900 }, 0)).toBeCloseTo(900);
    expect(costMs({ ...idle, cost: afterFailure(steady) }, 0)).toBeCloseTo(40 + 250);
    // Trouble is believed at once, and recovery after a while.
    const slow = afterCost(steady, 1_000, 0);
    expect(costMs({ ...idle, cost: slow }, 0)).toBeGreaterThan(600);
    expect(costMs({ ...idle, cost: slow }, 60_000)).toBeLessThan(150);
    // Who has not answered anything yet is taken for its ping, or for what is usual.
    expect(costMs({ ...idle, cost: NO_COST }, 0)).toBe(10);
    expect(costMs({ ...idle, cost: NO_COST, pingMs: undefined }, 0)).toBe(250);
    fc.assert(
      fc.property(fc.array(fc.option(fc.double({ min: 0, max: 1e6, noNaN: true })), { maxLength: 30 }), (answers) => {
        const cost = answers.reduce<AnswerCost>(
          (before, ms) => (ms === null ? afterFailure(before) : afterCost(before, ms, 0)),
          NO_COST,
        );
        const found = costMs({ cost, pingMs: undefined, load: 2, oldestMs: 0, weight: 1, servingMs: 0 }, 5);
        return Number.isFinite(found) && found >= 0 && cost.success >= 0 && cost.success <= 1;
      }),
    );
  });
});

describe('copies of what is late', () => {
  const times = (count: number, state: Duplicates, step: (state: Duplicates) => Duplicates): Duplicates =>
    Array.from({ length: count }).reduce<Duplicates>((each) => step(each), state);

  test('come when an answer is later than usual, or than its timeout', () => {
    expect(hedgeDelayMs(undefined, 300)).toBe(300);
    expect(hedgeDelayMs(80, 300)).toBe(80);
    expect(hedgeDelayMs(800, 300)).toBe(300);
    expect(hedgeDelayMs(2, 300)).toBe(15);
  });

  test('stay within a tenth of what is sent, and ten at once', () => {
    const spent = times(10, NO_DUPLICATES, afterHedge);
    expect(mayHedge(spent, true)).toBe(false);
    expect(mayHedge(times(9, spent, afterSend), true)).toBe(false);
    expect(mayHedge(times(11, spent, afterSend), true)).toBe(true);
    // What is late but within its timeout leaves half of it alone.
    expect(mayHedge(times(4, NO_DUPLICATES, afterHedge), false)).toBe(true);
    expect(mayHedge(times(5, NO_DUPLICATES, afterHedge), false)).toBe(false);
    expect(mayHedge(times(5, NO_DUPLICATES, afterHedge), true)).toBe(true);
    expect(times(1_000, spent, afterSend).budget).toBe(10);
  });

  test('stop when too much is late, and come back with answers, or slowly by themselves', () => {
    const distrusted = times(5, NO_DUPLICATES, afterLate);
    expect(mayHedge(distrusted, true)).toBe(false);
    expect(mayRetry(distrusted)).toBe(false);
    expect(mayRetry(afterAnswer(distrusted))).toBe(true);
    expect(mayRetry(afterWaiting(afterWaiting(distrusted, 0), 5_000))).toBe(true);
    expect(times(100, distrusted, afterLate).trust).toBe(0);
    expect(isSystemic(1, 3)).toBe(false);
    expect(isSystemic(2, 3)).toBe(true);
    expect(isSystemic(2, 10)).toBe(false);
    expect(isSystemic(3, 10)).toBe(true);
  });
});

test('resends wait longer every time, and restarts are counted within their window', () => {
  const { publish, supervisor } = poolSettings();
  expect([1, 2, 3, 9].map((tries) => resendDelayMs(publish, tries, 1))).toEqual([1e3, 2e3, 4e3, 3e4]);
  expect(mayRestart([1, 2], supervisor, 3)).toBe(true);
  expect(mayRestart([1, 2, 3], supervisor, 4)).toBe(false);
  expect(mayRestart([1, 2, 3], supervisor, 70_000)).toBe(true);
});

describe('relay URLs', () => {
  const strict = { allowPrivate: false, allowInsecure: false };
  const open = { allowPrivate: true, allowInsecure: true };

  test.each([
    ['WSS://Relay.Example.COM:443/', 'wss://relay.example.com/'],
    ['wss://relay.example.com.', 'wss://relay.example.com/'],
    ['wss://relay.example.com/#frag', 'wss://relay.example.com/'],
    ['wss://relay.example.com/?b=2&a=1', 'wss://relay.example.com/?b=2&a=1'],
    ['wss://relay.example.com//a//b/', 'wss://relay.example.com//a//b/'],
    ['wss://relay.example.com/a/../b', 'wss://relay.example.com/b'],
    ['wss://rеlay.example.com', 'wss://xn--rlay-v4d.example.com/'],
    ['wss://relay。example。com', 'wss://relay.example.com/'],
    ['wss://relay.example.com/\u202e', 'wss://relay.example.com/%E2%80%AE'],
    ['wss://relay.example.com:8443/x', 'wss://relay.example.com:8443/x'],
  ])('%s is known as %s', (input, canonical) => {
    expect(canonicalRelayUrl(input, strict)).toBe(canonical);
    expect(canonicalRelayUrl(canonical, strict)).toBe(canonical);
  });

  test.each([
    'wss://user:pw@relay.example.com',
    'wss://relay.example.com@evil.test',
    'wss://relay.example.com..',
    'wss://a..b.example',
    'wss://127.1',
    'wss://2130706433',
    'wss://0x7f.1',
    'wss://0177.0.0.1',
    'wss://①②⑦.⓪.⓪.①',
    'wss://[::1]',
    'wss://[::ffff:127.0.0.1]',
    'wss://[64:ff9b::7f00:1]',
    'wss://localhost.',
    'wss://foo.localhost',
    'wss://0.0.0.0',
    'wss://10.1.2.3',
    'wss://100.64.0.1',
    'wss://169.254.169.254',
    'wss://192.168.1.1',
    'wss://[fe80::1]',
    'wss://[fd00::1]',
    'wss://[2002:7f00:1::]',
    'wss://224.0.0.1',
    'wss://intranet',
    'wss://relay.example.com:0',
    'wss://relay.example.com:65536',
    'wss://relay.example.com:443:443',
    'wss://relay\t.example.com',
    ' wss://relay.example.com',
    'wss://relay.example.com\n',
    'wss:relay.example.com',
    'wss:///relay.example.com',
    'wss:\\\\relay.example.com',
    'https://relay.example.com',
    'file:///etc/passwd',
    'javascript:alert(1)',
    `wss://relay.example.com/${'x'.repeat(600)}`,
    'wss://x.onion',
    'ws://relay.example.com',
    '',
    'wss://',
  ])('%s is refused', (input) => {
    expect(() => canonicalRelayUrl(input, strict)).toThrow(expect.objectContaining({ code: 'INVALID_URL' }));
  });

  test('of private and unencrypted relays pass where they are allowed', () => {
    expect(canonicalRelayUrl('ws://127.0.0.1:80/', open)).toBe('ws://127.0.0.1/');
    expect(canonicalRelayUrl('ws://relay.example.com', open)).toBe('ws://relay.example.com/');
    expect(hostOf('wss://relay.example.com:8443/x')).toBe('relay.example.com:8443');
  });

  test('never throw anything but a refusal, and are stable', () => {
    const near = fc
      .tuple(fc.constantFrom('wss://', 'ws://', 'WSS://', 'wss:'), fc.string({ maxLength: 40 }))
      .map(([a, b]) => a + b);
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.webUrl(), near), (input) => {
        try {
          const canonical = canonicalRelayUrl(input, open);
          expect(canonicalRelayUrl(canonical, open)).toBe(canonical);
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_URL' });
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('public addresses are not mistaken for private ones', () => {
    for (const address of [
      '1.1.1.1',
      '172.15.0.1',
      '172.32.0.1',
      '2606:4700::1111',
      '::ffff:8.8.8.8',
      '64:ff9b::808:808',
    ]) {
      expect(isPrivateAddress(address)).toBe(false);
    }
    for (const address of ['not an address', '::', '1.2.3', '2001:db8::1', '::127.0.0.1'])
      expect(isPrivateAddress(address)).toBe(true);
  });
});

describe('settings', () => {
  test.each([
    [{ connectTimeoutMs: 0 }, 'connectTimeoutMs is 0; give a number from 10 to 120000.'],
    [{ connectTimeoutMs: '5' }, 'connectTimeoutMs is "5"; give a number from 10 to 120000.'],
    [{ frameBytesMax: 1_024.5 }, 'frameBytesMax is 1024.5; give a whole number from 1024 to 67108864.'],
    [
      { reconnect: { strategy: 'random' } },
      'reconnect.strategy is "random"; give one of exponential, linear, fixed, decorrelated.',
    ],
    [
      { reconnect: { attemptsMax: 0 } },
      'reconnect.attemptsMax is 0; give a whole number from 1 to 1000000, or Infinity.',
    ],
    [
      { reconnect: { initialDelayMs: 90_000 } },
      'reconnect.initialDelayMs is 90000; give at most reconnect.maxDelayMs, which is 60000.',
    ],
    [{ reconnect: { jitter: 1 } }, 'reconnect.jitter is 1; give true or false.'],
    [{ breaker: null }, 'breaker is null; give an object.'],
    [{ breaker: { failureRatio: Number.NaN } }, 'breaker.failureRatio is NaN; give a number from 0.01 to 1.'],
    [{ reconect: {} }, /^There is no option "reconect"\. Did you mean reconnect\?/],
  ])('%j is refused with what to give instead', (options, message) => {
    expect(() => relaySettings(options as never)).toThrow(message);
  });

  test.each(Object.keys(PRESETS) as Preset[])('go together as %s, and what is given lies over it', (preset) => {
    const settings = poolSettings({ preset });
    expect(settings).toEqual(poolSettings({ ...PRESETS[preset] }));
    expect(poolSettings({ preset, heartbeatMs: 1_234 })).toEqual({
      ...settings,
      relay: { ...settings.relay, heartbeatMs: 1_234 },
    });
    if (preset !== 'production') expect(settings).not.toEqual(poolSettings());
  });

  test.each(['fast', 'toString', 5, null])('%j is no preset', (preset) => {
    expect(() => poolSettings({ preset } as never)).toThrow(/^preset is .*give one of production, development/);
  });

  test('of one relay lie over those of the pool', () => {
    const base = poolSettings({ stableMs: 1_000, reconnect: { multiplier: 3 } }).relay;
    const own = relaySettings({ reconnect: { maxDelayMs: 10_000 } }, base);
    expect(own).toMatchObject({ stableMs: 1_000, reconnect: { multiplier: 3, maxDelayMs: 10_000, enabled: true } });
  });

  test('never throw anything but a refusal', () => {
    fc.assert(
      fc.property(fc.anything(), (input) => {
        try {
          poolSettings(input as never);
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_OPTION' });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

test('a connection that was degraded often has to be well for longer, and that is forgotten', () => {
  const once = afterFlap(NO_FLAPS, 0);
  const thrice = afterFlap(afterFlap(once, 0), 0);
  expect(exitHoldMs(once, 0)).toBe(5_000);
  expect(exitHoldMs(thrice, 0)).toBe(20_000);
  expect(exitHoldMs(thrice, 240_000)).toBe(5_000);
  const often = Array.from({ length: 50 }).reduce<typeof once>((flaps) => afterFlap(flaps, 0), once);
  expect(exitHoldMs(often, 0)).toBe(60_000);
});

test('the answer timeout follows RFC 6298, within bounds that suit messages', () => {
  expect(answerTimeoutMs(NO_ROUND_TRIP)).toBe(1_000);
  const first = afterSample(NO_ROUND_TRIP, 100);
  expect(first).toEqual({ smoothedMs: 100, deviationMs: 50, samples: 1 });
  expect(answerTimeoutMs(first)).toBe(300);
  expect(afterSample(first, 180)).toEqual({ smoothedMs: 110, deviationMs: 57.5, samples: 2 });
  const steady = (ms: number) =>
    Array.from({ length: 200 }).reduce<typeof first>((trip) => afterSample(trip, ms), NO_ROUND_TRIP);
  expect(answerTimeoutMs(steady(8))).toBe(25);
  expect(answerTimeoutMs(steady(80))).toBeCloseTo(85, 0);
  expect(answerTimeoutMs(steady(9_000))).toBe(2_000);
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { maxLength: 50 }), (samples) => {
      const timeoutMs = answerTimeoutMs(samples.reduce(afterSample, NO_ROUND_TRIP));
      return timeoutMs >= 25 && timeoutMs <= 2_000;
    }),
  );
});

test('silence is suspect after one answer timeout, and dead only after seven and never sooner than asked', () => {
  expect(silenceVerdict(99, 100, 5_000)).toBe('fine');
  expect(silenceVerdict(100, 100, 5_000)).toBe('suspect');
  expect(silenceVerdict(4_999, 100, 5_000)).toBe('suspect');
  expect(silenceVerdict(5_000, 100, 5_000)).toBe('dead');
  expect(silenceVerdict(6_999, 1_000, 5_000)).toBe('suspect');
  expect(silenceVerdict(7_000, 1_000, 5_000)).toBe('dead');
  expect(deadAfterMs(10_000, 5_000)).toBe(20_000);
});

describe('the pace that a relay takes', () => {
  const refused = (perSecond: number) => paceAfterRefusal(undefined, perSecond, 0);

  test('is a little less than what it took before it refused', () => {
    expect(refused(10).perSecond).toBeCloseTo(8);
    expect(refused(0).perSecond).toBe(PACE.firstMin);
  });

  test('falls with every refusal, and not with those that come together', () => {
    const first = refused(10);
    expect(paceAfterRefusal(first, 10, 500).perSecond).toBeCloseTo(8);
    expect(paceAfterRefusal(first, 10, 1_000).perSecond).toBeCloseTo(5.6);
  });

  test('lets through its rate, with a burst, and says how long to wait', () => {
    let pace: Pace | undefined = refused(5);
    let sent = 0;
    for (let now = 0; now <= 3_000; now += 10) {
      pace = pace && paceAt(pace, now);
      if (pace && paceWaitMs(pace) === 0) {
        pace = paceAfterSend(pace);
        sent += 1;
      }
    }
    expect(sent).toBe(12);
    expect(paceWaitMs({ perSecond: 4, tokens: 0.5, at: 0, refusedAt: 0 })).toBeCloseTo(125);
  });

  test('grows while nothing is refused, and is forgotten when it holds nothing back any more', () => {
    const pace = refused(10);
    expect(paceAt(pace, 3_000)?.perSecond).toBeCloseTo(8);
    expect(paceAt(pace, 13_000)?.perSecond).toBeCloseTo(8 * 1.05 ** 10);
    expect(paceAt(pace, 200_000)).toBeUndefined();
  });
});
