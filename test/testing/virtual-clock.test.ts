import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom, VirtualClock } from '../../src/testing/index.ts';

describe('a virtual clock', () => {
  test('fires what is left in the order in which it is due, whatever was set and cleared', () => {
    const timer = fc.record({ delayMs: fc.integer({ min: 0, max: 50 }), cleared: fc.boolean() });
    fc.assert(
      fc.property(fc.array(timer, { maxLength: 60 }), (timers) => {
        const clock = new VirtualClock(1_000);
        const fired: number[] = [];
        const ids = timers.map(({ delayMs }, index) => clock.setTimeout(() => fired.push(index), delayMs));
        timers.forEach(({ cleared }, index) => void (cleared && clock.clearTimeout(ids[index])));
        const left = timers.flatMap(({ delayMs, cleared }, index) => (cleared ? [] : [{ delayMs, index }]));
        expect(clock.pending).toBe(left.length);
        clock.advance(100);
        expect(fired).toEqual(
          left.sort((a, b) => a.delayMs - b.delayMs || a.index - b.index).map(({ index }) => index),
        );
        expect(clock.pending).toBe(0);
        expect(clock.now()).toBe(1_100);
      }),
    );
  });

  test('fires what is set on the way, and not what lies beyond', () => {
    const clock = new VirtualClock();
    const times: number[] = [];
    const again = (): void => {
      times.push(clock.now());
      clock.setTimeout(again, 10);
    };
    clock.setTimeout(again, 10);
    clock.advance(45);
    expect(times).toEqual([10, 20, 30, 40]);
    expect(clock.nextInMs).toBe(5);
  });

  test('with dice, orders what is due at one moment as the dice fall, the same way each time', () => {
    const order = (seed: number): readonly number[] => {
      const clock = new VirtualClock(0, seededRandom(seed));
      const fired: number[] = [];
      for (let index = 0; index < 10; index += 1) clock.setTimeout(() => fired.push(index), 5);
      clock.advance(5);
      return fired;
    };
    expect(order(1)).toEqual(order(1));
    expect(order(1)).not.toEqual(order(2));
    expect([...order(1)].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});
