import { describe, expect, test } from 'vitest';
import { isAboutRoom, mayBeAskedAgain, requestDelayMs, requestsMax } from '../../machines/policy/request.ts';
import { poolSettings } from '../../machines/policy/settings.ts';
import { refusalOf } from '../../src/protocol/nostr/refusal.ts';

describe('what a relay says when it closes a subscription', () => {
  test.each([
    'error: too many concurrent REQs',
    'ERROR: too many concurrent REQs',
    'error: maximum number of subscriptions reached',
    'blocked: max subs per connection exceeded, 10 open',
    'rate-limited: too many concurrent subscriptions',
    'Subscription limit exceeded for open requests',
  ])('%s is about room', (text) => {
    expect(isAboutRoom(refusalOf(text))).toBe(true);
  });

  test.each([
    'rate-limited: too many requests per second',
    'error: too slow',
    'blocked: you',
    'auth-required: to limit spam',
    'error: shutting down, no more subscriptions',
    '',
  ])('%s is not', (text) => {
    expect(isAboutRoom(refusalOf(text))).toBe(false);
  });

  test.each([
    ['error: x', true],
    ['rate-limited: x', true],
    ['', true],
    ['goodbye', true],
    ['blocked: x', false],
    ['invalid: x', false],
    ['pow: x', false],
    ['restricted: x', false],
    ['unsupported: x', false],
    ['mute: x', false],
    ['auth-required: x', false],
  ])('%j may be asked again: %j', (text, again) => {
    expect(mayBeAskedAgain(refusalOf(text))).toBe(again);
  });
});

test('one of the requests that are allowed is left for the question, or lent', () => {
  expect([requestsMax(20, 99), requestsMax(20, 99, true)]).toEqual([19, 20]);
  // What a relay was found to take holds for all; where only one is allowed, it is had.
  expect([requestsMax(20, 5), requestsMax(20, 5, true), requestsMax(1, 99)]).toEqual([5, 5, 1]);
});

test('delays double with every try, between a half and the whole, up to their bound', () => {
  const { subscribe } = poolSettings({ subscribe: { retryDelayMs: 100, retryDelayMaxMs: 1_000 } });
  expect([1, 2, 3, 4, 5, 99].map((tries) => requestDelayMs(subscribe, tries, 0))).toEqual([
    50, 100, 200, 400, 500, 500,
  ]);
  expect(requestDelayMs(subscribe, 1, 0.999)).toBeCloseTo(100, 0);
});
