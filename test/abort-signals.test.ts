import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { AbortSignals } from '../src/abort-signals.ts';

test('a signal has one listener, however many calls wait for it, and none when nobody does', () => {
  const signals = new AbortSignals();
  const { signal } = new AbortController();
  const releases = Array.from({ length: 100 }, () => signals.onAbort(signal, () => {}));
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  for (const release of releases) release();
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

test('everyone who still waits is called back, once, in the order in which they came', () => {
  const signals = new AbortSignals();
  const controller = new AbortController();
  const called: string[] = [];
  signals.onAbort(controller.signal, () => called.push('first'));
  const release = signals.onAbort(controller.signal, () => called.push('taken away'));
  signals.onAbort(controller.signal, () => called.push('last'));
  release();
  controller.abort();
  controller.abort();
  expect(called).toEqual(['first', 'last']);
});

test('who takes a callback away while the others are called changes nothing for them', () => {
  const signals = new AbortSignals();
  const controller = new AbortController();
  const called: string[] = [];
  const release = signals.onAbort(controller.signal, () => {
    release();
    called.push('first');
  });
  signals.onAbort(controller.signal, () => called.push('second'));
  controller.abort();
  expect(called).toEqual(['first', 'second']);
});
