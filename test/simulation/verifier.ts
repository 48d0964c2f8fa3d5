import type { NostrEvent, Verifier } from '../../src/index.ts';
import type { Dice, SimulatedHost } from '../../src/testing/index.ts';
import type { Plan } from './plan.ts';

/** Longest time that a verifier takes elsewhere, in milliseconds. */
const SLOW_MS = 300;

/**
 * Knows what is genuine because it knows all that was ever made. It works at once or elsewhere, and one that is flaky throws,
 * rejects, is silent or miscounts now and then while things go wrong.
 */
export function simulatedVerifier(
  kind: NonNullable<Plan['verifier']>,
  host: SimulatedHost,
  dice: Dice,
  isGenuine: (event: NostrEvent) => boolean,
  isHealed: () => boolean,
): Verifier {
  const judge = (events: readonly unknown[]): boolean[] => events.map((event) => isGenuine(event as NostrEvent));
  if (kind === 'prompt') return { name: 'prompt', batchMax: 1, parallel: 1, verify: judge };
  const timers = new Set<unknown>();
  return {
    name: kind,
    batchMax: 5,
    parallel: 2,
    verify(events) {
      const luck = kind === 'flaky' && !isHealed() ? dice() : 1;
      if (luck < 0.03) throw new Error('no verifier today');
      return new Promise((resolve, reject) => {
        if (luck < 0.04) return;
        const timer = host.clock.setTimeout(
          () => {
            timers.delete(timer);
            if (luck < 0.06) reject(new Error('it broke'));
            else if (luck < 0.08) resolve([]);
            else resolve(judge(events));
          },
          Math.ceil(dice() * SLOW_MS),
        );
        timers.add(timer);
      });
    },
    close() {
      for (const timer of timers) host.clock.clearTimeout(timer);
    },
  };
}
