import { createHash } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { type NostrEvent, nostrCodec, nostrVerifier, RecloserError, type Verifier } from '../../src/index.ts';
import { signedEvents } from '../../src/testing/index.ts';
import { createNativeVerifier } from '../../src/verify/native-verifier.ts';
import { createWorkerVerifier } from '../../src/verify/worker-verifier.ts';

/** As it comes from the codec: frozen. */
const received = (event: object): NostrEvent => {
  const message = nostrCodec.decode(JSON.stringify(['EVENT', 's', event]));
  if (message.type !== 'event') throw new Error('It is no event.');
  return message.event as NostrEvent;
};

const events = signedEvents('a note with "quotes", \\ and \n, ä, 🤙, \u2028 and \u0000');
const genuine = (): NostrEvent => received(events.next().value);
/** Has another key. */
const stranger = signedEvents().next().value.pubkey;
const flip = (hex: string): string => hex.slice(0, -1) + (hex.endsWith('0') ? '1' : '0');

const FORGED: readonly (readonly [string, (event: NostrEvent) => object])[] = [
  ['signature', (event) => ({ ...event, sig: flip(event.sig) })],
  ['id', (event) => ({ ...event, id: flip(event.id) })],
  ['content', (event) => ({ ...event, content: `${event.content}!` })],
  ['time', (event) => ({ ...event, created_at: event.created_at + 1 })],
  ['kind', (event) => ({ ...event, kind: event.kind + 1 })],
  ['tags', (event) => ({ ...event, tags: [...event.tags, ['x']] })],
  ['author', (event) => ({ ...event, pubkey: stranger })],
  ['author who is no point of the curve', (event) => ({ ...event, pubkey: 'f'.repeat(64) })],
  ['empty signature', (event) => ({ ...event, sig: '0'.repeat(128) })],
];

const whyNoNative = ((): string | undefined => {
  try {
    createNativeVerifier();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
})();
if (whyNoNative !== undefined) console.log(`the native verifier was not tried: ${whyNoNative}`);

const worker = createWorkerVerifier({ workers: 2 });
afterAll(() => worker.close());

const VERIFIERS: readonly (readonly [string, Verifier])[] = [
  ['noble', nostrVerifier],
  ['worker', worker],
  ...(whyNoNative === undefined ? [['native', createNativeVerifier()] as const] : []),
];

describe.each(VERIFIERS)('the verifier %s', (_name, verifier) => {
  test('knows what is genuine, also in batches and by name', async () => {
    const batch = Array.from({ length: Math.min(8, verifier.batchMax) }, genuine);
    expect(await verifier.verify(batch)).toEqual(batch.map(() => true));
  });

  test.each(FORGED)('knows another %s from its own', async (_what, forge) => {
    const event = genuine();
    expect(await verifier.verify([received(forge(event))])).toEqual([false]);
    expect(await verifier.verify([event])).toEqual([true]);
  });

  test('tells authors apart, also those that it has met before', async () => {
    const authors = Array.from({ length: 3 }, () => signedEvents());
    for (let round = 0; round < 2; round += 1) {
      const [first, second, third] = authors.map((author) => received(author.next().value)) as [
        NostrEvent,
        NostrEvent,
        NostrEvent,
      ];
      const swapped = received({ ...first, pubkey: second.pubkey });
      const verdicts = [];
      for (const event of [first, swapped, second, third]) verdicts.push(...(await verifier.verify([event])));
      expect(verdicts).toEqual([true, false, true, true]);
    }
  });

  test.each([
    ['key', { pubkey: 'x'.repeat(64) }],
    ['short key', { pubkey: 'ab' }],
    ['signature', { sig: 'x'.repeat(128) }],
    ['short signature', { sig: 'ab' }],
  ])('finds nothing genuine that has no %s, though its id is right', async (_what, wrong) => {
    const { id: _id, ...rest } = { ...genuine(), ...wrong };
    const { pubkey, created_at, kind, tags, content } = rest;
    const text = JSON.stringify([0, pubkey, created_at, kind, tags, content]);
    const event = { ...rest, id: createHash('sha256').update(text).digest('hex') };
    expect(await verifier.verify([event])).toEqual([false]);
  });

  test('believes no mark on what it is given', async () => {
    const event = genuine();
    const marked = { ...event, content: 'changed' };
    // nostr-tools leaves its verdict under a symbol of its own.
    const { verifyEvent } = await import('nostr-tools/pure');
    const plain = { ...event, tags: event.tags.map((tag) => [...tag]) };
    verifyEvent(plain);
    for (const symbol of Object.getOwnPropertySymbols(plain)) Object.assign(marked, { [symbol]: true });
    if (verifier.name !== 'worker') expect(Object.getOwnPropertySymbols(marked)).toHaveLength(1);
    expect(await verifier.verify([marked])).toEqual([false]);
  });
});

describe('workers', () => {
  test('answer many questions at once, each with its own verdicts', async () => {
    const batches = Array.from({ length: 6 }, (_, index) => {
      const event = genuine();
      return index % 2 === 0 ? [event] : [event, received({ ...event, content: 'x' })];
    });
    const verdicts = await Promise.all(batches.map((batch) => worker.verify(batch)));
    expect(verdicts).toEqual(batches.map((batch) => (batch.length === 1 ? [true] : [true, false])));
  });

  test('that are stopped say so to whoever waits, and begin anew when they are asked again', async () => {
    const verifier = createWorkerVerifier({ workers: 1 });
    const waiting = verifier.verify([genuine()]);
    const failed = expect(waiting).rejects.toThrow(/closed/);
    await verifier.close();
    await failed;
    expect(await verifier.verify([genuine()])).toEqual([true]);
    await verifier.close();
  });

  test.each([0, 1.5, 65, '2'])('%s of them are refused', (workers) => {
    expect(() => createWorkerVerifier({ workers: workers as number })).toThrow(RecloserError);
  });
});

test('a library that is not there is told with what to install', () => {
  const create = () => createNativeVerifier({ library: 'libnobody.so' });
  expect(create).toThrow(expect.objectContaining({ code: 'VERIFIER_UNAVAILABLE' }));
});
