import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { playInNamespace, whyNoNamespace } from './namespace.ts';
import { BRISK_PACE } from './pace.ts';
import { play, recloser } from './play.ts';
import { RemoteRelay } from './remote-relay.ts';
import { SCENARIOS } from './scenarios/index.ts';

let relays: readonly [RemoteRelay, RemoteRelay, RemoteRelay];

beforeAll(async () => {
  relays = [await RemoteRelay.start(), await RemoteRelay.start(), await RemoteRelay.start()];
});

afterAll(async () => {
  await Promise.all(relays.map((relay) => relay.end()));
});

describe('on real sockets, behind a proxy', () => {
  test.each(SCENARIOS.filter(({ needs }) => needs === undefined))('$name', async (scenario) => {
    const verdict = await play(scenario, relays, recloser(BRISK_PACE), BRISK_PACE);
    expect(verdict.problem, JSON.stringify(verdict)).toBeUndefined();
  });

  test('there are at least thirty scenarios, and a scenario that is not met says so', async () => {
    expect(SCENARIOS.length).toBeGreaterThanOrEqual(30);
    const unmet = { ...SCENARIOS[0], name: 'unmet', observe: '', within: () => 100 } as (typeof SCENARIOS)[0];
    const verdict = await play(
      {
        ...unmet,
        run: async (stage) => {
          stage.check(false, 'as planned');
          return undefined;
        },
      },
      relays,
      recloser(BRISK_PACE),
      BRISK_PACE,
    );
    expect(verdict.problem).toBe('as planned');
    const late = await play({ ...unmet, run: async () => 101 }, relays, recloser(BRISK_PACE), BRISK_PACE);
    expect(late.problem).toBe('too late');
  });
});

describe('where the kernel drops packets', () => {
  const why = whyNoNamespace();
  if (why !== undefined) console.log(`black holes were not tried: ${why}`);
  test.skipIf(why !== undefined)('every scenario is met', async () => {
    const verdicts = await playInNamespace('brisk');
    expect(verdicts.length).toBeGreaterThanOrEqual(5);
    expect(verdicts.filter(({ problem }) => problem !== undefined)).toEqual([]);
  });
});
