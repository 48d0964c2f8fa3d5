import type { Plan } from './plan.ts';
import { type Violation, World } from './world.ts';

/** What came of one simulation. */
export interface Outcome {
  readonly violation: Violation | undefined;
  /** Simulated milliseconds. */
  readonly simulatedMs: number;
  readonly steps: number;
  /** What happened now and then, and how often. */
  readonly marks: ReadonlyMap<string, number>;
}

const MINUTE = 60_000;
/** Promises that may have to settle one after the other when nothing else happens any more. */
const PROMISES = 50;

/** Runs a plan: first everything goes wrong and nothing must break, then everything is well and must recover. */
export async function simulate(plan: Plan, trace?: (line: string) => void): Promise<Outcome> {
  const world = new World(plan, trace);
  const start = world.now;
  let steps = 0;
  for (const op of plan.ops) world.clock.setTimeout(() => world.carryOut(op), op.at);

  /** Promises settle between steps; where nobody waits for one, there is no need to let them. */
  const settle = async (): Promise<void> => {
    for (let promise = 0; promise < world.promises; promise += 1) await null;
  };

  /** Goes on until the condition holds; false when the time is up, or something broke. */
  const goOn = async (forMs: number, until: () => boolean = () => false): Promise<boolean> => {
    const deadline = world.now + forMs;
    while (world.violation === undefined) {
      if (until()) return true;
      if ((world.clock.nextInMs ?? Number.POSITIVE_INFINITY) > deadline - world.now) return false;
      world.step();
      steps += 1;
      await settle();
    }
    return false;
  };

  await goOn(plan.chaosMs);
  if (world.violation === undefined) {
    world.heal();
    await settle();
    await goOn(world.recoveryMs, () => world.isEverybodyConnected);
    if (world.violation === undefined) world.finale();
    const isCalm = (): boolean =>
      world.areBooksEmpty && world.isDiskEmpty && world.isEverybodyConnected && world.isReadingDone;
    await goOn(world.calmingMs, isCalm);
    await null;
    if (world.violation === undefined) world.calmed();
  }
  if (world.violation === undefined) {
    world.close(1_000);
    await goOn(5 * MINUTE, () => world.isGone);
    for (let turn = 0; turn < PROMISES && !world.isGone; turn += 1) await null;
    if (world.violation === undefined && !world.isGone) world.fail('S24', 'the pool never closed');
  }
  return { violation: world.violation, simulatedMs: world.now - start, steps, marks: world.marks };
}
