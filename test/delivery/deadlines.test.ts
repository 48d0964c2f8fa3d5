import { expect, test } from 'vitest';
import { Deadlines } from '../../src/delivery/deadlines.ts';
import { VirtualClock } from '../../src/testing/index.ts';

test('deadlines of one duration share a timer, and met ones leave none', () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  const fired: string[] = [];
  const first = deadlines.add(100, () => fired.push('first'));
  clock.advance(50);
  const rest = Array.from({ length: 1_000 }, (_, index) => deadlines.add(100, () => fired.push(String(index))));
  expect(clock.pending).toBe(1);
  deadlines.remove(first);
  clock.advance(99);
  expect(fired).toEqual([]);
  for (const each of rest.slice(1)) deadlines.remove(each);
  clock.advance(1);
  expect(fired).toEqual(['0']);
  expect(clock.pending).toBe(0);
});

test('each fires when it is due, in order, also when one adds or removes others', () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  const fired: string[] = [];
  const note = (name: string): void => {
    fired.push(`${name} ${clock.now()}`);
  };
  deadlines.add(20, () => note('b'));
  deadlines.add(10, () => {
    note('a');
    deadlines.add(10, () => note('d'));
    deadlines.remove(gone);
  });
  const gone = deadlines.add(10, () => note('gone'));
  clock.advance(5);
  deadlines.add(10, () => note('c'));
  clock.advance(100);
  expect(fired).toEqual(['a 10', 'c 15', 'b 20', 'd 20']);
  deadlines.add(10, () => note('never'));
  deadlines.clear();
  clock.advance(100);
  expect(fired).toHaveLength(4);
  expect(clock.pending).toBe(0);
});
