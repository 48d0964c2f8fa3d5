import { describe, expect, test } from 'vitest';
import { AUTH } from '../machines/policy/limits.ts';
import type { CreatePoolOptions, Signer } from '../src/index.ts';
import { type RelayFaults, SimulatedRelay, seededRandom } from '../src/testing/index.ts';
import { handingOn, MINUTE, readingWorld, SECOND, template } from './kit/reading-world.ts';

/** Signs as far as the simulated relay looks at it. */
const signing =
  (key: string): Signer =>
  async (event) => ({ ...event, id: key.repeat(64), pubkey: key.repeat(64), sig: template.sig });
const hanging: Signer = () => new Promise(() => {});

/** A relay that serves nobody whom it does not know, and another one. */
function authWorld(signers: readonly Signer[], options: CreatePoolOptions = { authenticate: 'when-required' }) {
  const link = { losesAnswers: false };
  /** A way there on which answers may be lost. */
  const lossy = handingOn((frame, handOn) => {
    if (!link.losesAnswers || !String(frame).startsWith('["OK"')) handOn(frame);
  });
  const world = readingWorld(2, { signers, ...options }, lossy);
  const { clock, relays, pool } = world;
  const [relay] = relays as [SimulatedRelay];
  relay.set({ requireAuth: 'before' });
  relay.cut();
  clock.advance(10 * SECOND);
  const said: string[] = [];
  pool.on('*', (fact) => {
    if (fact.type.startsWith('relay.auth')) said.push('problem' in fact ? `${fact.type}: ${fact.problem}` : fact.type);
  });
  const asked = (): number => world.asked.filter(({ url }) => url === relay.url).length;
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      clock.advance(100);
      for (let turn = 0; turn < 10; turn += 1) await undefined;
    }
  };
  /** Subscribes, and tells how it stands at the relay. */
  const subscribe = () => {
    const subscription = pool.subscribe({ kinds: [1] }, { onEvent: () => {} });
    return () => subscription.status()[relay.url]?.state;
  };
  return { ...world, link, relay, said, asked, pass, subscribe };
}

describe('a subscription that was refused because the relay does not know who we are', () => {
  test('is asked for once more when it does, and that once', async () => {
    const { asked, pass, subscribe, said } = authWorld([signing('a')]);
    const standing = subscribe();
    await pass(10 * MINUTE);
    expect([standing(), asked(), said]).toEqual(['live', 2, ['relay.authenticated']]);
  });

  test.each(['before', 'after'] as const)(
    'is one of many, and the relay is told once: it asks %s',
    async (requireAuth) => {
      const { relay, pool, pass, said } = authWorld([signing('a')]);
      relay.set({ requireAuth });
      relay.cut();
      await pass(10 * SECOND);
      let told = 0;
      relay.received = (frame: string) => {
        if (frame.startsWith('["AUTH"')) told += 1;
      };
      const all = Array.from({ length: 10 }, (_, kind) => pool.subscribe({ kinds: [kind] }, { onEvent: () => {} }));
      await pass(MINUTE);
      expect(new Set(all.map((each) => each.status()[relay.url]?.state))).toEqual(new Set(['live']));
      expect([told, said]).toEqual([1, ['relay.authenticated']]);
      expect(pool.relayMetrics(relay.url)?.faults).toEqual({});
    },
  );

  test('is not asked for again where the relay refuses it all the same', async () => {
    const { relay, asked, pass, subscribe } = authWorld([signing('a')]);
    relay.set({ closeWith: 'auth-required: somebody else' });
    const standing = subscribe();
    await pass(10 * MINUTE);
    expect([standing(), asked()]).toEqual(['refused', 2]);
  });

  test.each([
    ['the signer hangs', [hanging], {}, AUTH.signMs, 'the signer took too long'],
    [
      'no challenge comes',
      [signing('a')],
      { requireAuth: undefined, closeWith: 'auth-required: you' },
      AUTH.challengeMs,
      'no challenge came',
    ],
    ['no answer comes', [signing('a')], {}, AUTH.answerMs, 'no answer came'],
  ] satisfies [string, Signer[], Partial<RelayFaults>, number, string][])(
    'is given up when %s, and asked for on the next connection',
    async (when, signers, faults, afterMs, problem) => {
      const { relay, link, asked, pass, subscribe, said } = authWorld(signers);
      link.losesAnswers = when === 'no answer comes';
      relay.set(faults);
      relay.cut();
      await pass(5 * SECOND);
      const standing = subscribe();
      await pass(afterMs - SECOND);
      expect(standing()).toBe('unauthenticated');
      await pass(2 * SECOND);
      expect([standing(), asked(), said]).toEqual(['refused', 1, [`relay.auth-failed: ${problem}`]]);
      relay.set({ requireAuth: undefined, closeWith: undefined });
      relay.cut();
      await pass(MINUTE);
      expect([standing(), asked()]).toEqual(['live', 2]);
    },
  );

  test('waits for a second while one of several keys is not known yet', async () => {
    const { asked, pass, subscribe } = authWorld([signing('a'), hanging]);
    const standing = subscribe();
    await pass(AUTH.furtherKeysMs - SECOND);
    expect(standing()).toBe('unauthenticated');
    await pass(2 * SECOND);
    expect([standing(), asked()]).toEqual(['live', 2]);
    // Nothing more comes of the key that never is.
    await pass(2 * AUTH.signMs);
    expect([standing(), asked()]).toEqual(['live', 2]);
  });

  test('is asked for once more when the application allows us to be known', async () => {
    const { relay, pool, asked, pass, subscribe, said } = authWorld([signing('a')], {});
    const standing = subscribe();
    await pass(MINUTE);
    expect([standing(), asked(), said]).toEqual(['refused', 1, []]);
    pool.configureRelay(relay.url, { authenticate: 'when-required' });
    await pass(MINUTE);
    expect([standing(), asked(), said]).toEqual(['live', 2, ['relay.authenticated']]);
  });

  test('is not asked for again where something else is allowed', async () => {
    const { relay, pool, asked, pass, subscribe, said } = authWorld([signing('a')], {});
    const standing = subscribe();
    await pass(MINUTE);
    pool.configureRelay(relay.url, { priority: 7 } as never);
    await pass(MINUTE);
    expect([standing(), asked(), said]).toEqual(['refused', 1, []]);
  });
});

test.each([
  ['wss://clear.example/', 1],
  ['ws://clear.example/', 0],
])('who asks at %s is told who we are %i times, whatever is allowed', async (url, times) => {
  const { clock, network, pool, pass } = authWorld([signing('a')], {
    authenticate: 'always',
    trust: { allowInsecure: true },
  });
  const relay = new SimulatedRelay(network, { url, clock, dice: seededRandom(url) });
  relay.set({ requireAuth: 'before' });
  let told = 0;
  relay.received = (frame: string) => {
    if (frame.startsWith('["AUTH"')) told += 1;
  };
  pool.addRelay(url, { authenticate: 'always' });
  pool.subscribe({ kinds: [1] }, { relays: [url], onEvent: () => {} });
  await pass(MINUTE);
  expect(pool.status()[url]).toBe('connected');
  expect(told).toBe(times);
});
