import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nostrCodec } from '../../src/protocol/nostr/codec.ts';
import { signedEvents } from '../../src/testing/index.ts';

const event = signedEvents().next().value;
const id = 'a'.repeat(64);
const decode = (...message: unknown[]) => nostrCodec.decode(JSON.stringify(message));

describe('the Nostr codec', () => {
  test.each([
    [['OK', id, true, ''], { type: 'answer', id, accepted: true, duplicate: false }],
    [['OK', id, true], { type: 'answer', accepted: true }],
    [['OK', id, false, 'duplicate: have it'], { type: 'answer', accepted: true, duplicate: true }],
    [['OK', id, false, 'blocked: no'], { accepted: false, refusal: { class: 'final', prefix: 'blocked' } }],
    [['OK', id, false, 'rate-limited: wait'], { refusal: { class: 'paced' } }],
    [['OK', id, false, 'error: disk'], { refusal: { class: 'passing' } }],
    [['OK', id, false, 'auth-required: who'], { refusal: { class: 'unauthenticated' } }],
    [['OK', id, false], { refusal: { class: 'final', prefix: 'unspecified', text: '' } }],
    [['OK', id, 'true', ''], { type: 'malformed', problem: 'ok-flag' }],
    [['OK', id, 1, ''], { type: 'malformed', problem: 'ok-flag' }],
    [['OK', id.toUpperCase(), true, ''], { type: 'malformed', problem: 'ok-id' }],
    [['EVENT', 'sub', event], { type: 'event', subscription: 'sub', event }],
    [['EVENT', 'sub'], { type: 'malformed', problem: 'event-shape' }],
    [['EVENT', 'sub', null], { type: 'malformed', problem: 'event-shape' }],
    [['EVENT', 'sub', { ...event, tags: 'x' }], { type: 'malformed', problem: 'event-shape' }],
    [['EVENT', 'sub', { ...event, tags: [[{}]] }], { type: 'malformed', problem: 'event-shape' }],
    [['EVENT', 'sub', { ...event, kind: 65_536 }], { type: 'malformed', problem: 'event-shape' }],
    [['EVENT', 'x'.repeat(65), event], { type: 'malformed', problem: 'event-subscription' }],
    [['EOSE', 'sub'], { type: 'end-of-stored', subscription: 'sub', more: false }],
    [['EOSE', 'sub', 'more'], { type: 'end-of-stored', more: true }],
    [['EOSE'], { type: 'malformed', problem: 'eose-subscription' }],
    [['CLOSED', 'sub', 'error: x'], { type: 'closed', subscription: 'sub', refusal: { prefix: 'error' } }],
    [['CLOSED', 'sub'], { type: 'closed', refusal: { prefix: 'unspecified' } }],
    [['COUNT', 'sub', { count: 3, approximate: true }], { type: 'count', count: 3, approximate: true }],
    [['COUNT', 'sub', { count: -1 }], { type: 'malformed', problem: 'count-value' }],
    [['COUNT', 'sub', null], { type: 'malformed', problem: 'count-value' }],
    [['AUTH', 'challenge'], { type: 'challenge', challenge: 'challenge' }],
    [['AUTH', {}], { type: 'malformed', problem: 'auth-challenge' }],
    [['AUTH', 'x'.repeat(1_025)], { type: 'malformed', problem: 'auth-challenge' }],
    [['NOTICE', 'hello'], { type: 'notice', text: 'hello' }],
    [['NOTICE'], { type: 'malformed', problem: 'notice-text' }],
    [['WHAT'], { type: 'malformed', problem: 'unknown-type' }],
    [[], { type: 'malformed', problem: 'unknown-type' }],
    [[null], { type: 'malformed', problem: 'unknown-type' }],
  ])('reads %j', (message, expected) => {
    expect(decode(...message)).toMatchObject(expected);
  });

  test.each(['{{{', '', '{}', 'null', '5', '"EVENT"', 'true', '['.repeat(100_000)])(
    'counts %.20s as malformed',
    (frame) => {
      expect(nostrCodec.decode(frame)).toMatchObject({ type: 'malformed' });
    },
  );

  test('rebuilds events from their seven fields', () => {
    const frame = `["EVENT","sub",${JSON.stringify(event).slice(0, -1)},"__proto__":{"polluted":1},"extra":2}]`;
    const message = nostrCodec.decode(frame);
    expect(message).toEqual({
      type: 'event',
      subscription: 'sub',
      id: event.id,
      atMs: event.created_at * 1_000,
      event,
    });
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test('makes a relay’s words safe to show', () => {
    const message = decode('OK', id, false, `blocked: \u001b[2J\nERROR\u202e${'x'.repeat(10_000)}`);
    expect(message).toMatchObject({ refusal: { prefix: 'blocked' } });
    const { text } = (message as unknown as { refusal: { text: string } }).refusal;
    expect(text).toHaveLength(512);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is tested
    expect(text).not.toMatch(/[\u0000-\u001f\u202e]/);
  });

  test('never throws, whatever comes', () => {
    const frames = fc.oneof(
      fc.string(),
      fc.json(),
      fc.array(fc.jsonValue()).map((value) => JSON.stringify(value)),
    );
    const types = fc.constantFrom('OK', 'EVENT', 'EOSE', 'CLOSED', 'COUNT', 'AUTH', 'NOTICE');
    const near = fc.tuple(types, fc.jsonValue(), fc.jsonValue(), fc.jsonValue()).map((value) => JSON.stringify(value));
    fc.assert(
      fc.property(fc.oneof(frames, near), (frame) => {
        expect(typeof nostrCodec.decode(frame).type).toBe('string');
      }),
      { numRuns: 2_000 },
    );
  });

  test('publishes only the seven fields of an event, and refuses what is not one', () => {
    const { id: published, frame } = nostrCodec.prepare({ ...event, secret: 'nsec' });
    expect(published).toBe(event.id);
    expect(JSON.parse(frame)).toEqual(['EVENT', event]);
    const wrong = [
      null,
      5,
      {},
      { ...event, id: 'x' },
      { ...event, sig: '' },
      { ...event, created_at: 1.5 },
      { ...event, content: 5 },
    ];
    for (const value of wrong) expect(() => nostrCodec.prepare(value)).toThrow(/This is not a signed Nostr event/);
  });

  test('writes what it asks for as NIP-01, NIP-42 and NIP-45 say', () => {
    expect(JSON.parse(nostrCodec.subscribe('s', [{ kinds: [1] }]))).toEqual(['REQ', 's', { kinds: [1] }]);
    expect(JSON.parse(nostrCodec.unsubscribe('s'))).toEqual(['CLOSE', 's']);
    expect(JSON.parse(nostrCodec.count('s', [{}, {}]))).toEqual(['COUNT', 's', {}, {}]);
    const probe = nostrCodec.probe('1');
    const [, subscription] = JSON.parse(probe.frame);
    expect(probe.isAnswer(decode('EOSE', subscription))).toBe(true);
    expect(probe.isAnswer(decode('CLOSED', subscription, 'auth-required: x'))).toBe(true);
    expect(probe.isAnswer(decode('EOSE', 'other'))).toBe(false);
  });
});
