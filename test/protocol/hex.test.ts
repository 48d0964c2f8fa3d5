import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isHex, isHexAt } from '../../src/protocol/hex.ts';

const expected = (text: string, digits: number): boolean => text.length === digits && /^[0-9a-f]*$/.test(text);

test('of all characters, those are digits that are, wherever they stand', () => {
  for (const at of [0, 1, 2, 3, 62, 63]) {
    const [before, after] = ['5'.repeat(at), 'c'.repeat(63 - at)];
    const wrong: number[] = [];
    for (let code = 0; code < 2 ** 16; code += 1) {
      const text = before + String.fromCharCode(code) + after;
      if (isHex(text, 64) !== expected(text, 64)) wrong.push(code);
    }
    expect(wrong).toEqual([]);
  }
});

const digit = fc.constantFrom(...'0123456789abcdef');
const nearly = fc.oneof(
  { weight: 200, arbitrary: digit },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 2 }) },
);

test('of all texts, those are ids that are', () => {
  fc.assert(
    fc.property(fc.array(nearly, { minLength: 62, maxLength: 66 }), (units) => {
      const text = units.join('');
      expect(isHex(text, 64)).toBe(expected(text, 64));
    }),
    { numRuns: 2_000 },
  );
});

test('of all bytes, those are digits that are, whatever stands beside them', () => {
  const memory = new DataView(new ArrayBuffer(4));
  const wrong: number[][] = [];
  for (const beside of '09af') {
    for (let at = 0; at < 4; at += 1) {
      for (let byte = 0; byte < 256; byte += 1) {
        for (let index = 0; index < 4; index += 1) memory.setUint8(index, beside.charCodeAt(0));
        memory.setUint8(at, byte);
        if (isHexAt(memory, 0, 4) !== expected(String.fromCharCode(byte), 1)) wrong.push([at, byte]);
      }
    }
  }
  expect(wrong).toEqual([]);
});

test('what was looked at before makes no difference', () => {
  expect(isHex('a'.repeat(128), 128)).toBe(true);
  expect(isHex(`${'a'.repeat(127)}é`, 128)).toBe(false);
  expect(isHex('€'.repeat(128), 128)).toBe(false);
  for (const none of ['a'.repeat(127), 'a'.repeat(129), '', undefined, 7, ['a'.repeat(128)]]) {
    expect(isHex(none, 128)).toBe(false);
  }
});
