import {
  type BreakerWindow,
  EMPTY_BREAKER_WINDOW,
  openDelayMs,
  recordFailure,
  recordSuccesses,
  type TripTrigger,
  tripTrigger,
} from '../policy/breaker.ts';
import { WRITE_CIRCUIT } from '../policy/limits.ts';
import type { BreakerSettings } from '../policy/settings.ts';
import type { CircuitEvent } from './circuit.events.ts';

export interface CircuitContext {
  readonly settings: BreakerSettings;
  readonly window: BreakerWindow;
  /** Rule that opened the circuit last, or `trial` if a trial failed. */
  readonly cause: TripTrigger | 'trial';
  /** Times in a row that the circuit has opened. */
  readonly trips: number;
  /** Length of the wait that is running, or ran last, and its end. */
  readonly delayMs: number;
  readonly retryAtMs: number;
  /** Start of the last trial, and of the time since when the circuit is closed. */
  readonly triedAtMs: number;
  readonly closedAtMs: number;
}

export interface CircuitInput {
  readonly settings: BreakerSettings;
}

type Update = Partial<CircuitContext>;

export const initialCircuitContext = ({ settings }: CircuitInput): CircuitContext => ({
  settings,
  window: EMPTY_BREAKER_WINDOW,
  cause: 'consecutive',
  trips: 0,
  delayMs: 0,
  retryAtMs: 0,
  triedAtMs: Number.NEGATIVE_INFINITY,
  closedAtMs: Number.NEGATIVE_INFINITY,
});

function windowAfter({ window, settings }: CircuitContext, event: CircuitEvent): BreakerWindow {
  return event.type === 'outcome.failed' ? recordFailure(window, settings, event.at, event.successesAt) : window;
}

/** Returns true if this failure opens the circuit. */
export const trips = (context: CircuitContext, event: CircuitEvent): boolean =>
  tripTrigger(windowAfter(context, event), context.settings) !== undefined;

/** Returns true if enough time has passed since the last trial for an early one. */
export const mayTryEarly = (context: CircuitContext, event: CircuitEvent): boolean =>
  event.type === 'TRY' && event.at - context.triedAtMs >= WRITE_CIRCUIT.earlyTrialMs;

export const recordOutcome = (context: CircuitContext, event: CircuitEvent): Update => ({
  window: windowAfter(context, event),
});

/** The circuit opens: draws the wait until the next trial. */
export function open(context: CircuitContext, event: CircuitEvent, isTrial: boolean): Update {
  if (event.type !== 'outcome.failed') return {};
  const { settings, closedAtMs } = context;
  const window = windowAfter(context, event);
  const isForgiven = !isTrial && event.at - closedAtMs >= WRITE_CIRCUIT.forgivenMs;
  const former = isForgiven ? 0 : context.trips;
  const delayMs = openDelayMs(settings, former, 0, event.random);
  return {
    window,
    cause: isTrial ? 'trial' : (tripTrigger(window, settings) ?? 'consecutive'),
    trips: former + 1,
    delayMs,
    retryAtMs: event.at + delayMs,
  };
}

export const beginTrial = (_context: CircuitContext, event: CircuitEvent): Update => ({ triedAtMs: event.at });

/** The trial succeeded: the failures before it are over. */
export const close = ({ settings }: CircuitContext, event: CircuitEvent): Update => ({
  window: recordSuccesses(EMPTY_BREAKER_WINDOW, settings, event.at, [event.at]),
  closedAtMs: event.at,
});
