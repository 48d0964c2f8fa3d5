import type { Fact, FactOf, Pool } from '../../src/index.ts';
import type { FaultableRelay } from '../../src/testing/index.ts';

/** Milliseconds after which a test that waits for a fact gives up. It is a deadline, not a wait. */
const DEADLINE_MS = 20_000;

/** Settles with the next fact of a type that passes the test; fails at the deadline, naming what came instead. */
export function nextFact<Type extends Fact['type']>(
  pool: Pool,
  type: Type,
  test: (fact: FactOf<Type>) => boolean = () => true,
): Promise<FactOf<Type>> {
  return new Promise((resolve, reject) => {
    const seen: string[] = [];
    const deadline = setTimeout(
      () => done(() => reject(new Error(`no ${type} came; but ${seen.join(', ')}`))),
      DEADLINE_MS,
    );
    const stop = pool.on('*', (fact) => {
      seen.push(fact.type);
      if (fact.type === type && test(fact as FactOf<Type>)) done(() => resolve(fact as FactOf<Type>));
    });
    const done = (settle: () => void): void => {
      clearTimeout(deadline);
      stop();
      settle();
    };
  });
}

/** Settles when the condition holds, looking whenever a frame arrives at a relay. */
export async function untilAt(relay: FaultableRelay, condition: () => boolean): Promise<void> {
  if (condition()) return;
  await new Promise<void>((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error('it never came to pass at the relay')), DEADLINE_MS);
    const look = (): void => {
      // What the frame leads to is done after it is told.
      setImmediate(() => {
        if (!condition()) return;
        clearTimeout(deadline);
        relay.events.off('frame', look).off('ping', look);
        resolve();
      });
    };
    relay.events.on('frame', look).on('ping', look);
  });
}

/** Settles when the condition holds, looking whenever something is said. */
export async function until(pool: Pool, condition: () => boolean): Promise<void> {
  if (condition()) return;
  await new Promise<void>((resolve, reject) => {
    const deadline = setTimeout(() => {
      stop();
      reject(new Error(`it never came to pass; ${JSON.stringify(pool.status())}`));
    }, DEADLINE_MS);
    const stop = pool.on('*', () => {
      if (!condition()) return;
      clearTimeout(deadline);
      stop();
      resolve();
    });
  });
}
