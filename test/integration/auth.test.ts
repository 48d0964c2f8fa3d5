import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { describe, expect, test } from 'vitest';
import { type Fact, type NostrEvent, type Pool, RecloserError, type Signer } from '../../src/index.ts';
import { signedEvents } from '../../src/testing/index.ts';
import { nextFact } from '../kit/facts.ts';
import { startPool, startRelays } from '../kit/relays.ts';

const events = signedEvents();
const next = (): NostrEvent => events.next().value;

const keyed = () => {
  const key = generateSecretKey();
  const asked: string[] = [];
  const signer: Signer = (event, relay) => {
    asked.push(relay);
    return finalizeEvent(event, key);
  };
  return { signer, asked, pubkey: getPublicKey(key) };
};

async function one(requireAuth: 'before' | 'after') {
  const [relay] = await startRelays(1, { faults: { requireAuth } });
  if (!relay) throw new Error('no relay');
  return relay;
}

const heard = (pool: Pool): Fact[] => {
  const facts: Fact[] = [];
  pool.on('*', (fact) => {
    if (fact.type.startsWith('relay.auth')) facts.push(fact);
  });
  return facts;
};

describe.each(['before', 'after'] as const)('a relay that sends its challenge %s a refusal', (when) => {
  test('takes what it refused once it knows who we are, and serves what is subscribed to', async () => {
    const relay = await one(when);
    const stored = next();
    relay.publish(stored);
    const { signer, asked, pubkey } = keyed();
    const pool = startPool([relay], { signers: [signer], authenticate: 'when-required' });
    const facts = heard(pool);
    const [receipt, result] = await Promise.all([pool.publish(next()), pool.query({ kinds: [1] })]);
    expect(receipt.status).toBe('confirmed');
    expect(result.complete).toBe(true);
    expect(result.events.map(({ id }) => id)).toContain(stored.id);
    expect(facts).toEqual([{ type: 'relay.authenticated', url: relay.url, pubkey }]);
    // A new connection knows nothing of it.
    const again = nextFact(pool, 'relay.reconnected');
    relay.cut();
    await again;
    expect((await pool.publish(next())).status).toBe('confirmed');
    expect(asked.length).toBeGreaterThanOrEqual(2);
    expect(new Set(asked)).toEqual(new Set([relay.url]));
  });
});

describe('nobody is told who we are', () => {
  test('by default, and the application hears that it was asked', async () => {
    const relay = await one('before');
    const { signer, asked } = keyed();
    const pool = startPool([relay], { signers: [signer] });
    const requested = nextFact(pool, 'relay.auth-requested');
    const receipt = await pool.publish(next());
    expect(await requested).toEqual({ type: 'relay.auth-requested', url: relay.url });
    expect(receipt).toMatchObject({
      status: 'failed',
      outcomes: { [relay.url]: { refusal: { prefix: 'auth-required' } } },
    });
    expect(await pool.query({ kinds: [1] })).toMatchObject({
      complete: false,
      relays: { [relay.url]: { state: 'refused' } },
    });
    expect(asked).toEqual([]);
    expect(pool.metrics().relays[relay.url]?.faults).toEqual({});
  });

  test('without a need, unless the policy says always', async () => {
    const relay = await one('before');
    const { signer, asked } = keyed();
    const pool = startPool([relay], { signers: [signer], authenticate: 'when-required' });
    await nextFact(pool, 'relay.connected');
    relay.send('["NOTICE","the challenge has arrived before this"]');
    while (pool.metrics().relays[relay.url]?.lastNotice === undefined) await new Promise((go) => setImmediate(go));
    expect(asked).toEqual([]);
    const authenticated = nextFact(pool, 'relay.authenticated');
    pool.configureRelay(relay.url, { authenticate: 'always' });
    relay.cut();
    await authenticated;
    expect(asked).toEqual([relay.url]);
  });
});

test('an application that is asked may allow it, and the challenge that had come is answered', async () => {
  const relay = await one('before');
  const { signer, asked } = keyed();
  const pool = startPool([relay], { signers: [signer] });
  await nextFact(pool, 'relay.auth-requested');
  pool.configureRelay(relay.url, { authenticate: 'when-required' });
  expect((await pool.publish(next())).status).toBe('confirmed');
  expect(asked).toEqual([relay.url]);
});

test('one that forbids it while its signer thinks is obeyed', async () => {
  const relay = await one('before');
  const { signer, pubkey } = keyed();
  let sign = (): void => {};
  const pool = startPool([relay], {
    signers: [(event, url) => new Promise((resolve) => (sign = () => resolve(signer(event, url))))],
    authenticate: 'always',
  });
  const heardFrames: string[] = [];
  relay.events.on('frame', (frame) => heardFrames.push(frame));
  while (pool.status()[relay.url] !== 'connected') await new Promise((go) => setImmediate(go));
  const failed = nextFact(pool, 'relay.auth-failed');
  pool.configureRelay(relay.url, { authenticate: 'never' });
  sign();
  expect(await failed).toMatchObject({ problem: 'it is not allowed any more' });
  expect(heardFrames.filter((frame) => frame.includes(pubkey))).toEqual([]);
});

const SIGNERS: readonly (readonly [string, Signer, RegExp])[] = [
  ['refuses', () => Promise.reject(new Error('the user said no')), /the user said no/],
  [
    'throws',
    () => {
      throw new Error('broken');
    },
    /broken/,
  ],
  ['signs another kind', (event) => finalizeEvent({ ...event, kind: 1 }, generateSecretKey()), /something else/],
  [
    'signs for another relay',
    (event) => finalizeEvent({ ...event, tags: [['relay', 'wss://evil.example/']] }, generateSecretKey()),
    /something else/,
  ],
  ['returns no event', () => null, /not a signed Nostr event/],
];

test.each(SIGNERS)(
  'a signer that %s leaves what was refused refused, and harms nobody',
  async (_name, signer, problem) => {
    const relay = await one('after');
    const pool = startPool([relay], { signers: [signer], authenticate: 'when-required' });
    const failed = nextFact(pool, 'relay.auth-failed');
    const receipt = await pool.publish(next());
    expect(receipt).toMatchObject({ status: 'failed', outcomes: { [relay.url]: { status: 'rejected' } } });
    expect(await failed).toMatchObject({ url: relay.url, problem: expect.stringMatching(problem) });
  },
);

test('of several keys each is told, and one that is taken is enough', async () => {
  const relay = await one('before');
  const [first, second] = [keyed(), keyed()];
  const pool = startPool([relay], {
    signers: [first.signer, () => Promise.reject(new Error('no')), second.signer],
    authenticate: 'when-required',
  });
  const facts = heard(pool);
  expect((await pool.publish(next())).status).toBe('confirmed');
  const keys = facts.flatMap((fact) => (fact.type === 'relay.authenticated' ? [fact.pubkey] : []));
  expect(keys.sort()).toEqual([first.pubkey, second.pubkey].sort());
});

test('challenge after challenge is not listened to', async () => {
  const relay = await one('before');
  const { signer, asked } = keyed();
  const pool = startPool([relay], { signers: [signer], authenticate: 'always' });
  await nextFact(pool, 'relay.authenticated');
  for (let count = 0; count < 100; count += 1) relay.send(`["AUTH","challenge ${count}"]`);
  relay.send('["NOTICE","done"]');
  while (pool.metrics().relays[relay.url]?.lastNotice !== 'done') await new Promise((go) => setImmediate(go));
  expect(asked.length).toBeLessThanOrEqual(3);
  expect(pool.metrics().relays[relay.url]?.faults['many-challenges']).toBe(98);
});

test('what is no signer is refused with what to give instead', () => {
  expect(() => startPool([], { signers: ['key'] as never })).toThrow(RecloserError);
  expect(() => startPool([], { authenticate: 'sometimes' as never })).toThrow(/one of never, when-required, always/);
});
