import fc from 'fast-check';
import { type Filter, matchFilters } from 'nostr-tools/filter';
import { describe, expect, test } from 'vitest';
import type { NostrEvent } from '../../src/index.ts';
import { nostrCodec } from '../../src/protocol/nostr/codec.ts';
import { inBytes } from '../kit/frames.ts';

const HEX = ['a', 'b', 'c'].map((digit) => digit.repeat(64));
const hex = fc.constantFrom(...HEX);
const kind = fc.constantFrom(0, 1, 30_000);
// Not 0, which nostr-tools takes for no bound.
const time = fc.constantFrom(1, 10, 20, 30);
const value = fc.constantFrom('x', 'y', '');

const event: fc.Arbitrary<NostrEvent> = fc.record({
  id: hex,
  pubkey: hex,
  created_at: time,
  kind,
  tags: fc.array(fc.oneof(fc.tuple(fc.constantFrom('e', 't', 'E'), value), fc.tuple(fc.constantFrom('e', 't')))),
  content: fc.constant(''),
  sig: fc.constant('d'.repeat(128)),
});

const filter = fc.record(
  {
    ids: fc.array(hex),
    authors: fc.array(hex),
    kinds: fc.array(kind),
    since: time,
    until: time,
    limit: fc.nat(3),
    '#e': fc.array(value),
    '#t': fc.array(value),
  },
  { requiredKeys: [] },
);

describe('filters', () => {
  test('match what nostr-tools says that they match', () => {
    fc.assert(
      fc.property(fc.array(filter, { minLength: 1, maxLength: 3 }), event, (filters, each) => {
        const plain = { ...each, tags: each.tags.map((tag) => [...tag]) };
        expect(nostrCodec.filters(filters).matches(each)).toBe(matchFilters(filters as Filter[], plain));
      }),
      { numRuns: 2_000 },
    );
  });

  test('are copies of what was given, and one may stand for a list of one', () => {
    const given = { kinds: [1], '#t': ['x'] };
    const { list } = nostrCodec.filters(given);
    given.kinds.push(2);
    expect(list).toEqual([{ kinds: [1], '#t': ['x'] }]);
  });

  test.each([
    [[], /none in the list/],
    [null, /it is null/],
    [[[]], /it is a list/],
    [{ kinds: [1.5] }, /kinds has 1.5/],
    [{ kinds: 1 }, /kinds is 1/],
    [{ ids: ['abc'] }, /ids has "abc"/],
    [{ authors: [HEX[0]?.toUpperCase()] }, /authors has/],
    [{ since: -1 }, /since is -1/],
    [{ until: '2024' }, /until is "2024"/],
    [{ limit: Number.POSITIVE_INFINITY }, /limit is Infinity/],
    [{ search: 5 }, /search is 5/],
    [{ '#t': 'x' }, /#t is "x"/],
    [{ '#tt': ['x'] }, /"#tt" is unknown/],
    [{ kind: 1 }, /"kind" is unknown/],
    [Array.from({ length: 101 }, () => ({})), /there are 101/],
  ])('%j are refused with what to give instead', (given, problem) => {
    expect(() => nostrCodec.filters(given)).toThrow(problem);
  });

  test('that throw when they are read are refused as any other', () => {
    const trap = Object.defineProperty({}, 'kinds', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    expect(() => nostrCodec.filters(trap)).toThrow(/filters cannot be read/);
  });

  test('for a gap begin where it does, have no limit, and ask for nothing that cannot be there', () => {
    const since = (...filters: object[]) => nostrCodec.filtersSince(nostrCodec.filters(filters).list, 15_900);
    expect(since({ kinds: [1], limit: 5 })).toEqual([{ kinds: [1], since: 15 }]);
    expect(since({ since: 20 }, { since: 10 })).toEqual([{ since: 20 }, { since: 15 }]);
    expect(since({ until: 14 }, { until: 15 })).toEqual([{ until: 15, since: 15 }]);
    expect(since({ until: 14 })).toEqual([]);
  });
});

describe('looking at a frame without parsing it', () => {
  const id = HEX[0] as string;
  const frame = (content: string, tags: string[][] = []) =>
    JSON.stringify(['EVENT', 'r1', { kind: 1, content, tags, id, pubkey: HEX[1], sig: 'd'.repeat(128) }]);

  const skimmed = (text: string) => {
    const found = nostrCodec.skim(text);
    const seen = nostrCodec.skim(inBytes(text));
    const at = seen && Buffer.from(text).subarray(0, seen.at).toString().length;
    expect([seen?.subscription, at]).toEqual([found?.subscription, found?.at]);
    return found && [found.subscription, text.slice(found.at, found.at + id.length)];
  };

  test('finds subscription and id', () => {
    expect(skimmed(frame('hello'))).toEqual(['r1', id]);
  });

  test('no content of an event makes it find another id', () => {
    const forged = `"id":"${HEX[2]}"`;
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constant(forged), fc.constant('\\'), fc.constant('"'))),
        (parts) => {
          const text = parts.join('');
          const tags = [
            ['id', text],
            [text, 'id'],
          ];
          expect(skimmed(frame(text, tags))).toEqual(['r1', id]);
        },
      ),
    );
  });

  test.each([
    '',
    '["EVENT"',
    '["EVENT","',
    '["EVENT","r1"]',
    '["EOSE","r1"]',
    '{}',
    `["EVENT","r1",{"id": "${id}"}]`,
    frame('x').replace(id, `${id}0`),
    frame('x').replace(id, id.slice(1)),
  ])('%s is left to the parser', (text) => {
    expect(skimmed(text)).toBeUndefined();
  });
});

describe('received events', () => {
  const received = (value: unknown) => nostrCodec.decode(JSON.stringify(['EVENT', 'r1', value]));
  const one = {
    id: HEX[0],
    pubkey: HEX[1],
    created_at: 10,
    kind: 1,
    tags: [['t', 'x']],
    content: '',
    sig: 'd'.repeat(128),
  };

  test('have their seven fields and nothing else, and cannot be changed', () => {
    const text = JSON.stringify(['EVENT', 'r1', { ...one, more: 1 }]).replace('"more"', '"__proto__"');
    const message = nostrCodec.decode(text) as { event: NostrEvent };
    expect(message).toMatchObject({ type: 'event', subscription: 'r1', id: one.id, atMs: 10_000 });
    expect(Object.keys(message.event).sort()).toEqual(Object.keys(one).sort());
    expect(Object.isFrozen(message.event)).toBe(true);
    expect(Object.isFrozen(message.event.tags)).toBe(true);
    expect(message.event.tags.every((tag) => Object.isFrozen(tag))).toBe(true);
  });

  test('are the same only where they are in every part', () => {
    const event = (change: object = {}) => (received({ ...one, ...change }) as { event: unknown }).event;
    expect(nostrCodec.isSame(event(), event())).toBe(true);
    for (const change of [
      { id: HEX[2] },
      { pubkey: HEX[2] },
      { created_at: 11 },
      { kind: 2 },
      { tags: [] },
      { tags: [['t', 'y']] },
      { tags: [['t', 'x', 'y']] },
      { content: 'x' },
      { sig: 'e'.repeat(128) },
    ]) {
      expect(nostrCodec.isSame(event(), event(change))).toBe(false);
    }
  });
});
