import { describe, expect, test } from 'vitest';
import { FORGERY_BUDGET, VERIFY } from '../../machines/policy/limits.ts';
import { Docket, Verification } from '../../src/intake/verification.ts';
import type { Verifier } from '../../src/protocol/verifier.ts';
import { VirtualClock } from '../../src/testing/index.ts';

/** Takes for genuine what does not say otherwise. */
const isGenuine = (event: unknown): boolean => !String(event).startsWith('forged');

function verifying(verifier: Partial<Verifier> = {}) {
  const clock = new VirtualClock(1_000);
  const said: string[] = [];
  const problems: string[] = [];
  const verification = new Verification({
    clock,
    isSame: (one, other) => one === other,
    failed: (problem) => problems.push(problem),
    held: () => {},
    verifier: {
      name: 'test',
      batchMax: 1,
      parallel: 1,
      verify: (events) => events.map(isGenuine),
      ...verifier,
    },
  });
  const submit = (docket: Docket, id: string, event: string) =>
    verification.submit(docket, id, event, (verdict) => said.push(`${event} ${verdict}`));
  return { clock, verification, submit, said, problems };
}

/** Lets promises settle. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await null;
};

describe('verification', () => {
  test('keeps the order of each relay, with what has to come after', () => {
    const { clock, verification, submit, said } = verifying();
    const docket = new Docket();
    submit(docket, '1', 'first');
    submit(docket, '2', 'forged second');
    verification.after(docket, () => said.push('the end'));
    submit(docket, '3', 'third');
    expect(said).toEqual([]);
    clock.advance(10);
    expect(said).toEqual(['first genuine', 'forged second forged', 'the end', 'third genuine']);
    verification.after(docket, () => said.push('at once'));
    expect(said.at(-1)).toBe('at once');
    expect(docket.size).toBe(0);
  });

  test('verifies the same event of several relays once, and a tampered copy by itself', () => {
    const { clock, verification, submit, said } = verifying();
    const dockets = [new Docket(), new Docket(), new Docket()] as const;
    submit(dockets[0], '1', 'same');
    submit(dockets[1], '1', 'same');
    submit(dockets[2], '1', 'forged copy');
    clock.advance(10);
    expect(said.sort()).toEqual(['forged copy forged', 'same genuine', 'same genuine']);
    expect(verification.count).toBe(2);
    submit(dockets[0], '1', 'same');
    expect(said).toHaveLength(4);
    submit(dockets[0], '1', 'forged again');
    expect(said).toHaveLength(4);
    clock.advance(10);
    expect(said.at(-1)).toBe('forged again forged');
  });

  test('wastes only so much time on a relay that forges, while others go on', () => {
    const { clock, verification, submit, said } = verifying();
    const [forger, honest] = [new Docket(), new Docket()];
    for (let index = 0; index < 2_000; index += 1) submit(forger, `forged ${index}`, `forged ${index}`);
    submit(forger, 'last', 'genuine last');
    clock.advance(1_000);
    const { burst, perSecond } = FORGERY_BUDGET;
    expect(verification.count).toBeGreaterThanOrEqual(burst);
    expect(verification.count).toBeLessThanOrEqual(burst + perSecond + 1);
    for (let index = 0; index < 100; index += 1) submit(honest, `genuine ${index}`, `genuine ${index}`);
    clock.advance(100);
    expect(said.filter((each) => each.startsWith('genuine'))).toHaveLength(100);
    // Its order is kept, and what is genuine comes in the end.
    clock.advance(((2_000 - burst) / perSecond) * 1_000 + 1_000);
    expect(said.at(-1)).toBe('genuine last genuine');
    verification.end();
    expect(clock.pending).toBe(0);
  });

  test('what an honest relay sends does not wait behind one that forges, whoever sent it first', () => {
    const { clock, verification, submit, said } = verifying();
    const [forger, honest] = [new Docket(), new Docket()];
    for (let index = 0; index < 2_000; index += 1) submit(forger, `forged ${index}`, `forged ${index}`);
    submit(forger, 'before', 'before');
    submit(honest, 'before', 'before');
    clock.advance(1_000);
    expect(said.filter((each) => each === 'before genuine')).toHaveLength(1);
    expect(forger.isHeld).toBe(true);
    submit(forger, 'during', 'during');
    submit(honest, 'during', 'during');
    clock.advance(10);
    expect(said.filter((each) => each === 'during genuine')).toHaveLength(1);
    expect(honest.size).toBe(0);
    verification.end();
  });

  test('relays that send the same forged events share no more time than each has', () => {
    const { clock, verification, submit } = verifying();
    const dockets = [new Docket(), new Docket()];
    for (let index = 0; index < 2_000; index += 1) {
      for (const docket of dockets) submit(docket, `forged ${index}`, `forged ${index}`);
    }
    clock.advance(1_000);
    expect(verification.count).toBeLessThanOrEqual(FORGERY_BUDGET.burst + FORGERY_BUDGET.perSecond + 1);
    verification.end();
  });

  test('does not believe later what once failed', () => {
    const { clock, submit, said } = verifying();
    const docket = new Docket();
    submit(docket, '1', 'forged');
    clock.advance(10);
    submit(docket, '1', 'forged');
    clock.advance(10);
    expect(said).toEqual(['forged forged', 'forged forged']);
  });

  test('gives relays turns, so that a flood of one holds up nobody else', () => {
    const order: string[] = [];
    const { clock, submit } = verifying({
      verify: (events) => {
        order.push(...(events as string[]));
        return events.map(isGenuine);
      },
    });
    const [flood, quiet] = [new Docket(), new Docket()];
    for (let index = 0; index < 100; index += 1) submit(flood, `f${index}`, `forged ${index}`);
    submit(quiet, 'q', 'quiet');
    clock.advance(10);
    expect(order.indexOf('quiet')).toBeLessThanOrEqual(1);
  });

  test('gives the loop back after some milliseconds', () => {
    const clock = new VirtualClock(0);
    let nowMs = 0;
    const verification = new Verification({
      clock: { ...clock, now: () => nowMs, setTimeout: (...given) => clock.setTimeout(...given) },
      isSame: (one, other) => one === other,
      failed: () => {},
      held: () => {},
      verifier: {
        name: 'slow',
        batchMax: 1,
        parallel: 1,
        verify: () => {
          nowMs += 3;
          return [true];
        },
      },
    });
    const docket = new Docket();
    for (let index = 0; index < 10; index += 1) verification.submit(docket, `${index}`, index, () => {});
    clock.step();
    expect(nowMs).toBeLessThanOrEqual(VERIFY.sliceMs + 3);
    expect(docket.size).toBe(10 - nowMs / 3);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
    ['gives too few verdicts', () => []],
    ['answers never', () => new Promise<boolean[]>(() => {})],
  ] as const)('a verifier that %s says nothing of the event, and is asked on', async (_how, fail) => {
    let calls = 0;
    const { clock, submit, said, problems } = verifying({
      verify: (events) => {
        calls += 1;
        return calls === 1 ? fail() : events.map(isGenuine);
      },
    });
    const docket = new Docket();
    submit(docket, '1', 'first');
    clock.advance(10);
    await settle();
    clock.advance(VERIFY.timeoutMs);
    await settle();
    submit(docket, '2', 'second');
    clock.advance(10);
    expect(said).toEqual(['first failed', 'second genuine']);
    expect(problems).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test('asks no more questions at once than the verifier takes', async () => {
    const open: ((verdicts: boolean[]) => void)[] = [];
    const { clock, submit, said } = verifying({
      batchMax: 2,
      parallel: 2,
      verify: () => new Promise((resolve) => open.push(resolve)),
    });
    const docket = new Docket();
    for (let index = 0; index < 6; index += 1) submit(docket, `${index}`, `event ${index}`);
    clock.advance(10);
    expect(open).toHaveLength(2);
    open[1]?.([true, true]);
    await settle();
    expect(said).toEqual([]);
    clock.advance(10);
    expect(open).toHaveLength(3);
    open[0]?.([true, true]);
    await settle();
    expect(said).toHaveLength(4);
  });

  test('is late with what waits, and not with what is forged too often to be looked at', async () => {
    const { clock, submit } = verifying();
    const [honest, forging] = [new Docket(), new Docket()];
    submit(honest, 'one', 'one');
    clock.advance(10);
    expect(honest.lateness(clock.now()).judged).toBe(1);
    const { lateMs } = honest.lateness(clock.now());
    clock.advance(1_000);
    expect(honest.lateness(clock.now())).toEqual({ lateMs, judged: 1 });
    for (let count = 0; count < 2 * FORGERY_BUDGET.burst; count += 1) submit(forging, `${count}`, `forged ${count}`);
    clock.advance(1_000);
    const { lateMs: before } = forging.lateness(clock.now());
    clock.advance(1_000);
    expect(forging.isHeld).toBe(true);
    expect(forging.lateness(clock.now()).lateMs - before).toBeLessThan(100);
  });

  test('leaves nothing behind at its end', async () => {
    const { clock, verification, submit, said } = verifying({ verify: () => new Promise<boolean[]>(() => {}) });
    const docket = new Docket();
    submit(docket, '1', 'first');
    clock.advance(10);
    submit(docket, '2', 'second');
    verification.end();
    clock.advance(2 * VERIFY.timeoutMs);
    await settle();
    expect(said).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
