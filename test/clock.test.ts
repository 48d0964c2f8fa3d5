import { expect, test } from 'vitest';
import { steadyClock } from '../src/clock.ts';
import { SimulatedHost, SimulatedNetwork, VirtualClock } from '../src/testing/index.ts';

/** A machine whose clock can be set, and the steady clock over it. */
function machine() {
  const world = new VirtualClock(1_000_000);
  const host = new SimulatedHost(world, new SimulatedNetwork({ clock: world }).transport);
  return { world, host, steady: steadyClock(host.clock) };
}

test('a steady clock goes on from where it was when another is set back', () => {
  const { world, host, steady } = machine();
  expect(steady.now()).toBe(1_000_000);
  host.jump(-3_600_000);
  expect(steady.now()).toBe(1_000_000);
  world.advance(500);
  expect(steady.now()).toBe(1_000_500);
});

test('a steady clock has passed at least the delay of a timer when it fires', () => {
  const { world, host, steady } = machine();
  let firedAt = 0;
  steady.setTimeout(() => {
    firedAt = steady.now();
  }, 30_000);
  world.advance(20_000);
  // Nobody has looked since the start, so nobody knows how much of it was real.
  host.jump(-3_600_000);
  world.advance(10_000);
  expect(firedAt).toBe(1_030_000);
});

test('a steady clock follows a jump forwards, which may have been a sleep', () => {
  const { host, steady } = machine();
  host.jump(60_000);
  expect(steady.now()).toBe(1_060_000);
  host.jump(-60_000);
  expect(steady.now()).toBe(1_060_000);
});

test('a clock knows how long the process slept by timers that are late, before whatever is set after it', () => {
  const { host, world } = machine();
  const clock = steadyClock(host.clock);
  clock.setTimeout(() => {}, 1_000);
  world.advance(100);
  host.jump(60_000);
  // Nothing was due for the first 900 ms of it.
  expect(clock.sleptMs?.()).toBe(59_100);
  clock.setTimeout(() => {}, 500);
  world.advance(1_000);
  expect(clock.sleptMs?.()).toBe(59_100);
});

test('a clock with no timer has nothing to be late for', () => {
  const { host } = machine();
  const clock = steadyClock(host.clock);
  host.jump(60_000);
  expect(clock.sleptMs?.()).toBe(0);
});

test('a clock that is steady is left as it is', () => {
  const { steady } = machine();
  expect(steadyClock(steady)).toBe(steady);
});
