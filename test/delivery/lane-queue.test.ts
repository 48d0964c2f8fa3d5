import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PRIORITIES, type Priority } from '../../machines/policy/priority.ts';
import { LaneQueue } from '../../src/delivery/lane-queue.ts';

interface Item {
  readonly priority: Priority;
  readonly name: string;
}

const never = (): boolean => false;

test('of thirteen turns, high has eight, normal four and low one; within one, the first to come is the first to go', () => {
  const queue = new LaneQueue<Item>();
  for (let index = 0; index < 40; index += 1) {
    for (const priority of ['low', 'normal', 'high'] as const) queue.add({ priority, name: `${priority} ${index}` });
  }
  for (let round = 0; round < 3; round += 1) {
    const names = Array.from({ length: 13 }, () => queue.next(never)?.name ?? '');
    const of = (priority: Priority): string[] => names.filter((name) => name.startsWith(priority));
    const first = (count: number, priority: Priority): string[] =>
      Array.from({ length: count }, (_, index) => `${priority} ${round * count + index}`);
    expect(of('high')).toEqual(first(8, 'high'));
    expect(of('normal')).toEqual(first(4, 'normal'));
    expect(of('low')).toEqual(first(1, 'low'));
  }
});

test('whatever comes and goes, critical is next, nobody waits longer than a round, and nothing is lost', () => {
  const arrivals = fc.array(fc.array(fc.constantFrom(...PRIORITIES), { maxLength: 3 }), { maxLength: 60 });
  fc.assert(
    fc.property(arrivals, (steps) => {
      const queue = new LaneQueue<Item>();
      const waiting = new Map<Item, number>();
      let count = 0;
      const take = (): void => {
        const item = queue.next(never);
        expect(item === undefined).toBe(waiting.size === 0);
        if (!item) return;
        waiting.delete(item);
        const critical = [...waiting.keys()].some(({ priority }) => priority === 'critical');
        if (critical) expect(item.priority).toBe('critical');
        if (item.priority === 'critical') return;
        // Turns of others while somebody was the first of its priority.
        const firsts = new Map<Priority, Item>();
        for (const each of waiting.keys()) if (!firsts.has(each.priority)) firsts.set(each.priority, each);
        for (const [priority, first] of firsts) {
          if (priority === item.priority) waiting.set(first, 0);
          else waiting.set(first, (waiting.get(first) ?? 0) + 1);
          expect(waiting.get(first)).toBeLessThanOrEqual(24);
        }
      };
      for (const arriving of steps) {
        for (const priority of arriving) {
          count += 1;
          const item = { priority, name: String(count) };
          queue.add(item);
          waiting.set(item, 0);
        }
        take();
      }
      while (waiting.size > 0) take();
      expect(queue.size).toBe(0);
    }),
  );
});

test('what is held back keeps its place and holds nobody back', () => {
  const queue = new LaneQueue<Item>();
  const [held, free, low] = [
    { priority: 'high', name: 'held' },
    { priority: 'high', name: 'free' },
    { priority: 'low', name: 'low' },
  ] as const;
  for (const item of [held, free, low]) queue.add(item);
  const isHeld = (item: Item): boolean => item === held;
  expect([queue.next(isHeld), queue.next(isHeld), queue.next(isHeld)]).toEqual([free, low, undefined]);
  expect(queue.next(never)).toBe(held);
});

test('where the oldest is too late, the newest goes first, but for what is held back', () => {
  const late = new Set<string>();
  const queue = new LaneQueue<Item>(({ name }) => late.has(name));
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => ({ priority: 'low' as const, name }));
  for (const item of [a, b, c, d]) queue.add(item as Item);
  const normal: Item = { priority: 'normal', name: 'normal' };
  queue.add(normal);
  late.add('b');
  const next = (): string | undefined => queue.next((item) => item === d)?.name;
  expect([next(), next(), next(), next()]).toEqual(['normal', 'a', 'c', 'b']);
});

test('what is put first goes before what matters as much, and only once', () => {
  const queue = new LaneQueue<Item>();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ priority: 'normal' as const, name }));
  for (const item of [a, b]) queue.add(item as Item);
  queue.putFirst([c, b] as Item[]);
  expect(queue.size).toBe(3);
  expect([queue.next(never), queue.next(never), queue.next(never)]).toEqual([c, b, a]);
  expect(queue.delete(a as Item)).toBe(false);
});
