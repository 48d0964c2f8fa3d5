import { RESTART_DELAY_MS, RETRY_AFTER_MS_MAX } from './limits.ts';
import type { ReconnectSettings } from './settings.ts';

/** What a delay depends on. */
export interface BackoffInput {
  /** Attempts that have failed before this delay, counted from 0. */
  readonly attempt: number;
  /** The delay before this one in milliseconds; 0 when there was none. */
  readonly previousMs: number;
  /** Whether nothing else serves, so that this relay is wanted soon. */
  readonly urgent: boolean;
  /** Whether the relay said that it restarts or is busy (close code 1012 or 1013, HTTP 429 or 503). */
  readonly restarting: boolean;
  /** Milliseconds that the relay asked for, or 0. */
  readonly retryAfterMs: number;
  /** A random number, at least 0 and below 1. */
  readonly random: number;
}

// Beyond this exponent every delay has long reached its cap; the bound keeps the power finite.
const EXPONENT_MAX = 64;

/**
 * Milliseconds until the next attempt. Jitter comes after the cap, so that clients that have all reached it are still
 * spread: U(d/8, d), after the AWS note "Exponential backoff and jitter" with a floor that keeps early retries apart.
 * A relay that says it restarts is left alone for U(5 s, 30 s) first; a Retry-After is obeyed up to ten minutes.
 */
export function backoffDelayMs(settings: ReconnectSettings, input: BackoffInput): number {
  const drawn = Math.max(settings.minDelayMs, drawDelayMs(settings, input));
  if (input.retryAfterMs <= 0) return drawn;
  const asked = Math.min(input.retryAfterMs, RETRY_AFTER_MS_MAX);
  return Math.max(drawn, asked) + input.random * 0.1 * asked;
}

function drawDelayMs(settings: ReconnectSettings, input: BackoffInput): number {
  const { random } = input;
  if (input.restarting && input.attempt === 0) {
    return RESTART_DELAY_MS.min + random * (RESTART_DELAY_MS.max - RESTART_DELAY_MS.min);
  }
  const relaxation = input.urgent ? 1 : settings.relaxation;
  const base = settings.initialDelayMs * relaxation;
  const cap = settings.maxDelayMs * Math.min(2, relaxation);
  if (settings.strategy === 'decorrelated') {
    const high = Math.min(cap, Math.max(base, input.previousMs * 3));
    const low = Math.min(base, high / 3);
    return low + random * (high - low);
  }
  const delay = Math.min(cap, base * growth(settings, input.attempt));
  return settings.jitter ? delay / 8 + random * delay * (7 / 8) : delay;
}

function growth(settings: ReconnectSettings, attempt: number): number {
  if (settings.strategy === 'fixed') return 1;
  if (settings.strategy === 'linear') return attempt + 1;
  return settings.multiplier ** Math.min(attempt, EXPONENT_MAX);
}
