import { isUtf8 } from 'node:buffer';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { areFrameBytes, type Frame } from '../../src/frame.ts';
import type { Message } from '../../src/protocol/codec.ts';
import { nostrCodec } from '../../src/protocol/nostr/codec.ts';
import { readPlainEvent } from '../../src/protocol/nostr/plain-event.ts';
import { eventAt } from '../../src/protocol/nostr/skim.ts';
import { signedEvents } from '../../src/testing/index.ts';
import { asFrame, inBytes } from '../kit/frames.ts';

const event = signedEvents('x').next().value;

/** What a session makes of a frame. */
const read = (frame: Frame): Message => nostrCodec.decode(frame, nostrCodec.skim(frame));
const readBytes = (text: string): Message => read(inBytes(text));

/** Whether it was read without a parser: only then it is known that the id that was seen is the id. */
const isReadPlainly = (text: string): boolean => {
  const message = readBytes(text);
  return message.type === 'event' && message.glimpse !== undefined;
};

const without = (message: Message): object => ({ ...message, glimpse: undefined });
const frameOf = (value: object, name = 'r1'): string => `["EVENT","${name}",${JSON.stringify(value)}]`;

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}

/** The same fields in another order. */
const shuffled = fc.shuffledSubarray(Object.entries(event), { minLength: 7 });
const text = fc.oneof(
  { weight: 4, arbitrary: fc.string() },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('"', '\\', '\\"', '"id":"', '\n', 'é', '日本', '😀', '\u0000', '\ud800', 'x'.repeat(99)),
  },
);
const sorted = Object.entries(event).sort();
const tag = fc.oneof(
  fc.array(text, { maxLength: 4 }),
  fc.tuple(fc.constantFrom('e', 'p', 'x'), fc.oneof(fc.constantFrom(event.pubkey, event.id), text), text),
);
const plain = fc
  .record({
    entries: fc.oneof(shuffled, fc.constant(sorted)),
    content: text,
    tags: fc.array(tag, { maxLength: 6 }),
    created_at: fc.oneof(
      { weight: 3, arbitrary: fc.nat() },
      { weight: 3, arbitrary: fc.integer({ min: 1e9, max: 1e10 - 1 }) },
      { weight: 1, arbitrary: fc.maxSafeNat() },
    ),
    kind: fc.nat(66_000),
  })
  .map(({ entries, ...rest }) =>
    Object.fromEntries(entries.map(([key, value]) => [key, key in rest ? rest[key as never] : value])),
  );

describe('an event is read from its bytes', () => {
  test('as it would be from a text', () => {
    let plainly = 0;
    fc.assert(
      fc.property(
        plain,
        fc.constantFrom('r1', 'r22', 'probe-1-1', 'x'.repeat(64), 'é', '', 'x'.repeat(65)),
        (value, name) => {
          const frame = frameOf(value, name);
          expect(without(readBytes(frame))).toEqual(without(read(frame)));
          if (isReadPlainly(frame)) plainly += 1;
        },
      ),
      { numRuns: 3_000 },
    );
    expect(plainly).toBeGreaterThan(1_000);
  });

  test('whatever is changed in its frame', () => {
    const characters = fc.constantFrom(
      '"',
      ',',
      ':',
      '{',
      '}',
      '[',
      ']',
      '\\',
      ' ',
      '0',
      '-',
      'e',
      '.',
      'a',
      'G',
      '\n',
      '\u007f',
      'é',
      'id',
      '"id":"',
      'null',
    );
    const change = fc.record({ at: fc.nat(), cut: fc.nat(3), put: fc.array(characters, { maxLength: 2 }) });
    fc.assert(
      fc.property(plain, fc.array(change, { minLength: 1, maxLength: 2 }), (value, changes) => {
        let frame = frameOf(value);
        for (const { at, cut, put } of changes) {
          const from = at % frame.length;
          // A character that takes two units may be torn apart: what arrives is UTF-8 all the same.
          const changed = `${frame.slice(0, from)}${put.join('')}${frame.slice(from + cut)}`;
          frame = Buffer.from(changed).toString();
        }
        expect(without(readBytes(frame))).toEqual(without(read(frame)));
      }),
      { numRuns: 10_000 },
    );
  });

  test('whatever bytes it has, and is no text where they are no UTF-8', () => {
    const change = fc.record({ at: fc.nat(), cut: fc.nat(2), put: fc.uint8Array({ maxLength: 3 }) });
    let texts = 0;
    let garbled = 0;
    fc.assert(
      fc.property(plain, change, (value, { at, cut, put }) => {
        const whole = Buffer.from(frameOf(value));
        const from = at % whole.length;
        const bytes = Buffer.concat([whole.subarray(0, from), put, whole.subarray(from + cut)]);
        if (isUtf8(bytes)) {
          texts += 1;
          expect(without(read(asFrame(bytes)))).toEqual(without(read(bytes.toString())));
        } else {
          garbled += 1;
          expect(read(asFrame(bytes))).toEqual({ type: 'garbled' });
        }
      }),
      { numRuns: 5_000 },
    );
    expect(texts).toBeGreaterThan(500);
    expect(garbled).toBeGreaterThan(500);
  });

  test('with its own texts, whatever came before it', () => {
    const begins = 'abcdef01';
    const keys = Array.from({ length: 2_000 }, (_, index) => `${begins}${index}`.padEnd(64, '0'));
    // They have their length, their ends and their middle in common.
    const words = ['awxbyzc', 'axwbzyc', 'awxbyzc', 'ayzbxwc'];
    for (const pubkey of [...keys, ...keys.toReversed()]) {
      const tags = [
        ['p', pubkey, ...words],
        ['p', keys[0] as string],
        ['p', `${begins}${'g'.repeat(56)}`],
      ];
      const frame = frameOf({ ...event, pubkey, tags });
      expect(isReadPlainly(frame)).toBe(true);
      expect(readBytes(frame)).toMatchObject({ event: { ...event, pubkey, tags } });
    }
    const wrong = frameOf({ ...event, pubkey: `${begins}${'g'.repeat(56)}` });
    expect(readBytes(wrong)).toEqual({ type: 'malformed', problem: 'event-shape' });
  });

  test.each([
    ['much less memory than what a parser makes of it, where all is of one author', 1, 0.9],
    ['hardly more than that where each is of another', 5_000, 1.15],
  ])('and takes %s', (_, authors, most) => {
    const frames = Array.from({ length: 5_000 }, (_, index) => {
      const pubkey = `${index % authors}`.padStart(64, '0');
      const hint = `wss://relay${index % authors}.example/`;
      const tags = [['t'], ['e', event.id], ['p', pubkey, hint], ['a', 'b', 'c', 'd', 'e']];
      return frameOf({ ...event, pubkey, tags });
    });
    const bytes = frames.map(inBytes);
    // What else is done meanwhile takes memory as well, and never gives any.
    const sizeOf = (make: (index: number) => unknown): number =>
      Math.min(
        ...Array.from({ length: 3 }, () => {
          const before = heapUsed();
          const kept = frames.map((_, index) => make(index));
          return (heapUsed() - before) / kept.length;
        }),
      );
    const ours = sizeOf((index) => {
      const message = read(bytes[index] as Frame);
      return message.type === 'event' && message.event;
    });
    expect(ours / sizeOf((index) => JSON.parse(frames[index] as string)[2])).toBeLessThan(most);
  });

  test.each([2_000, 2_001, 4, 1])('and keeps nothing of it afterwards: %i tags', (count) => {
    const readLong = (): Message => {
      const tag = ['t', 'x'.repeat(2_000_000 / count)];
      return readBytes(frameOf({ ...event, tags: Array.from({ length: count }, () => tag) }));
    };
    const before = heapUsed();
    expect(readLong().type).toBe(count > 2_000 ? 'malformed' : 'event');
    expect(heapUsed() - before).toBeLessThan(700_000);
  });

  test('as far as it goes, where it is cut', () => {
    const escaped = frameOf({ ...event, tags: [['t', 'a "b" \\'], ['\n']], content: '"\\"\\\\ "é"' });
    const long = frameOf(Object.fromEntries(Object.entries({ ...event, content: 'x'.repeat(300) }).sort()));
    for (const whole of [escaped, long]) {
      for (let length = 0; length <= whole.length; length += 1) {
        const frame = whole.slice(0, length);
        expect(without(readBytes(frame))).toEqual(without(read(frame)));
      }
    }
  });

  test('with as many tags and texts in them as there are', () => {
    const lists = Array.from({ length: 8 }, (_, count) => Array.from({ length: count }, (_, index) => `${index}`));
    for (const tags of lists.map((_, count) => lists.slice(0, count))) {
      const frame = frameOf({ ...event, tags });
      expect(isReadPlainly(frame)).toBe(true);
      expect(readBytes(frame)).toMatchObject({ event: { tags } });
    }
  });

  test('with a character that stands for what was not UTF-8, where that was sent as such', () => {
    const frame = frameOf({ ...event, content: 'a \ufffd b' });
    expect(isReadPlainly(frame)).toBe(true);
    expect(without(readBytes(frame))).toEqual(without(read(frame)));
  });

  test.each([
    ['in the order in which it is signed', event],
    ['in the order of the alphabet', Object.fromEntries(Object.entries(event).sort())],
    ['with tags', { ...event, tags: [['e', event.id, 'wss://relay.example/'], ['p', event.pubkey], [], ['']] }],
    ['with what has to be escaped', { ...event, content: 'a "quote"\nand \\ \u0001 \\', tags: [['"\\', '\\"']] }],
    ['with what is not ASCII', { ...event, content: 'é 日本 😀 \u2028', tags: [['é']] }],
  ])('without a parser: %s', (_, value) => {
    const message = readBytes(frameOf(value));
    expect(message).toMatchObject({ type: 'event', subscription: 'r1', id: event.id, event: value });
    expect(isReadPlainly(frameOf(value))).toBe(true);
  });

  test.each([
    ['a space', frameOf(event).replace(',"kind"', ', "kind"')],
    ['a space before it', frameOf(event).replace('"r1",', '"r1", ')],
    ['a field more', frameOf({ ...event, seen: true })],
    ['a field whose name is escaped', frameOf(event).replace('"kind"', '"\\u006bind"')],
    ['a number in another way', frameOf(event).replace('"kind":1', '"kind":1e0')],
    ['something after it', frameOf(event).replace(/\]$/, ',1]')],
    ['a space after it', `${frameOf(event)} `],
  ])('and by a parser where it has %s', (_, frame) => {
    expect(readBytes(frame)).toMatchObject({ type: 'event', event });
    expect(isReadPlainly(frame)).toBe(false);
  });

  test.each([
    ['no comma before it', frameOf(event).replace('"r1",', '"r1"x')],
    ['a character that must be escaped', frameOf({ ...event, content: 'a\nb' }).replace('\\n', '\n')],
    ['something else than a quote before a key that is known', frameOf(event).replace('"pubkey":"', '"pubkey":x')],
    ['an escape that there is not', frameOf({ ...event, content: 'a\nb' }).replace('\\n', '\\x')],
    ['no end', frameOf(event).slice(0, -1)],
    ['something after its end', `${frameOf(event)}]`],
    ['no end of its last text', frameOf({ ...event, content: 'a\nb' }).replace(/b".*$/, 'b\\"')],
    ['a number with a zero before it', frameOf(event).replace('"kind":1', '"kind":01')],
  ])('and refused where it has %s', (_, frame) => {
    expect(readBytes(frame)).toEqual({ type: 'malformed', problem: 'json' });
  });

  test.each([
    ['a field too few', frameOf({ ...event, content: undefined })],
    ['another id than hex', frameOf({ ...event, id: 'A'.repeat(64) })],
    ['half of a character', frameOf({ ...event, content: 'a \ud800 b' })],
    ['half of a character in a tag', frameOf({ ...event, tags: [['t', '\udc00']] })],
    ['too many tags', frameOf({ ...event, tags: Array(2_001).fill([]) })],
    ['too long a tag', frameOf({ ...event, tags: [Array(65).fill('')] })],
    ['a kind that is too high', frameOf({ ...event, kind: 65_536 })],
    ['a time that no number holds', frameOf(event).replace(/"created_at":\d+/, '"created_at":9999999999999999')],
  ])('and refused where it is an event with %s', (_, frame) => {
    expect(readBytes(frame)).toEqual({ type: 'malformed', problem: 'event-shape' });
  });

  test('frozen, as nobody may change it', () => {
    const message = readBytes(frameOf({ ...event, tags: [['p', event.pubkey]] })) as { event: typeof event };
    for (const part of [message.event, message.event.tags, message.event.tags[0]])
      expect(Object.isFrozen(part)).toBe(true);
  });

  test('with the subscription of its own frame', () => {
    const names = ['r1', 'r2', 'r22', 'r2', 'r', 'r1'];
    const found = names.map((name) => nostrCodec.skim(inBytes(frameOf(event, name)))?.subscription);
    expect(found).toEqual(names);
  });

  test.each(Object.entries(event))(
    'and by a parser where %s is there twice, so that the last one counts',
    (name, value) => {
      const other =
        typeof value === 'string' ? value.replaceAll(/[0-9]/g, '0') : typeof value === 'number' ? value + 1 : [['t']];
      const frame = frameOf(event).replace(/}]$/, `,"${name}":${JSON.stringify(other)}}]`);
      for (const message of [read(frame), readBytes(frame)]) {
        expect(message).toMatchObject({ type: 'event', event: { ...event, [name]: other } });
      }
      expect(isReadPlainly(frame)).toBe(false);
    },
  );

  test('and an id that was seen before is not taken for the one that counts', () => {
    const other = 'a'.repeat(64);
    const frame = frameOf(event).replace(/}]$/, `,"id":"${other}"}]`);
    for (const each of [frame, inBytes(frame)]) {
      expect(nostrCodec.skim(each)?.at).toBe(frame.indexOf(event.id));
      expect(read(each)).toMatchObject({ id: other, glimpse: undefined });
    }
    expect(read(frameOf(event))).toMatchObject({ id: event.id, glimpse: { subscription: 'r1' } });
  });

  test.each([
    ['nothing', {}],
    ['a quote', { content: 'He said "yes"' }],
    ['a backslash at its end', { content: 'C:\\' }],
    ['what looks like an id', { content: `","id":"${'a'.repeat(64)}"` }],
    ['a time of long ago', { created_at: 1 }],
    ['a time that is far away', { created_at: 12_345_678_901 }],
  ])('with its id after its content and its time, which have %s', (_, fields) => {
    const frame = frameOf(Object.fromEntries(Object.entries({ ...event, ...fields }).sort()));
    expect(nostrCodec.skim(inBytes(frame))?.at).toBe(frame.lastIndexOf(event.id));
    expect(isReadPlainly(frame)).toBe(true);
  });

  test('each for itself, where several were read together', () => {
    const [one, other] = [event, { ...event, pubkey: 'A'.repeat(64) }].map((each) => Buffer.from(frameOf(each)));
    if (!one || !other) throw new Error('there should be two');
    const together = Buffer.concat([one, other, one]);
    const parts = [0, 1, 2].map((index) => together.subarray(index * one.length, (index + 1) * one.length));
    const messages = parts.map((part) => areFrameBytes(part) && read(part));
    expect(messages).toMatchObject([{ event }, { type: 'malformed', problem: 'event-shape' }, { event }]);
  });

  test('and not where its id stands elsewhere than it was seen', () => {
    const bytes = inBytes(frameOf(event));
    const glimpse = nostrCodec.skim(bytes);
    if (!glimpse) throw new Error('it should be seen');
    expect(readPlainEvent(bytes, eventAt(glimpse), glimpse.at)).toEqual(event);
    expect(readPlainEvent(bytes, eventAt(glimpse), glimpse.at + 1)).toBeUndefined();
  });

  test('where bytes can be made a text of in parts', () => {
    expect(areFrameBytes(new Uint8Array(1))).toBe(false);
    expect(areFrameBytes(Buffer.alloc(1))).toBe(true);
  });
});
