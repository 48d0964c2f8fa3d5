import { expect, test } from 'vitest';
import { readHttpDate, retryAfterMs } from '../../src/transport/retry-after.ts';

const AT = Date.UTC(1994, 10, 6, 8, 49, 37);

test.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
  '%s is a date',
  (text) => {
    expect(readHttpDate(text, AT)).toBe(AT);
  },
);

test.each([
  [undefined, undefined, undefined],
  ['', undefined, undefined],
  ['soon', undefined, undefined],
  ['-5', undefined, undefined],
  ['1.5', undefined, undefined],
  ['0', undefined, undefined],
  ['120', undefined, 120_000],
  [' 120 ', undefined, 120_000],
  ['Sun, 06 Nov 1994 08:50:37 GMT', undefined, 60_000],
  ['Sun, 06 Nov 1994 08:48:37 GMT', undefined, undefined],
  // A server whose clock is an hour ahead.
  ['Sun, 06 Nov 1994 09:50:37 GMT', 'Sun, 06 Nov 1994 09:49:37 GMT', 60_000],
])('Retry-After: %s with Date: %s asks for %s ms', (header, date, ms) => {
  expect(retryAfterMs(header, date, AT)).toBe(ms);
});
