import type { PublishSettings } from './settings.ts';

// Beyond this exponent every delay has long reached its cap.
const EXPONENT_MAX = 32;

/** Milliseconds before a message is sent again on a connection that lives: U(d/2, d), doubling with every try. */
export function resendDelayMs(settings: PublishSettings, tries: number, random: number): number {
  const exponent = Math.min(Math.max(0, tries - 1), EXPONENT_MAX);
  const delay = Math.min(settings.resendDelayMaxMs, settings.resendDelayMs * 2 ** exponent);
  return delay / 2 + random * (delay / 2);
}
