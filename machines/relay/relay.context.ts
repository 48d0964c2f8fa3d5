import type { ActorRef, Snapshot } from 'xstate';
import { backoffDelayMs } from '../policy/backoff.ts';
import {
  type BreakerWindow,
  EMPTY_BREAKER_WINDOW,
  openDelayMs,
  recordFailure,
  recordSuccesses,
  tripTrigger,
} from '../policy/breaker.ts';
import { type CloseMeaning, type CloseReport, closeMeaning } from '../policy/close.ts';
import { REFUSAL_TRIPS_MIN } from '../policy/limits.ts';
import { NO_READING, type Reading } from '../policy/reading.ts';
import { DEFAULT_RELAY_SETTINGS, type RelaySettings } from '../policy/settings.ts';
import type { CircuitCause, RelayFact } from './relay.events.ts';

/** Whoever hears what a relay reports. */
export type RelaySupervisor = ActorRef<Snapshot<unknown>, RelayFact>;

export interface RelayInput {
  /** Canonical URL. */
  readonly url: string;
  readonly settings?: RelaySettings;
  /** Whether nothing else serves at the moment. Default `true`. */
  readonly urgent?: boolean;
  /** Generation that the first session counts on from; a restarted relay goes on where the crashed one stopped. */
  readonly generation?: number;
  readonly supervisor?: RelaySupervisor;
}

/** How the last session or attempt ended. */
interface Loss {
  readonly meaning: CloseMeaning;
  readonly retryAfterMs: number;
}

export interface RelayContext {
  readonly url: string;
  readonly supervisor: RelaySupervisor | undefined;
  readonly settings: RelaySettings;
  readonly reading: Reading;
  /** Counts sockets; tags everything that belongs to one. */
  readonly generation: number;
  /** Whether the last request was to be connected. */
  readonly wanted: boolean;
  readonly stopping: boolean;
  readonly urgent: boolean;
  /** This session was dialled out of an open circuit and has to prove itself. */
  readonly trial: boolean;
  /** This session has received a frame. */
  readonly proven: boolean;
  /** This session has served long enough for its end to be nobody's failure. */
  readonly settled: boolean;
  /** Some session has served. */
  readonly served: boolean;
  /** Losses and failed attempts since the last settled session. */
  readonly attempts: number;
  /** Refusals in a row. */
  readonly refusals: number;
  /** Open circuits that have not been forgiven. */
  readonly trips: number;
  /** Probes in a row that succeeded in this session. */
  readonly probes: number;
  readonly window: BreakerWindow;
  readonly loss: Loss;
  /** Where it waited last since it settled: what a request to connect has to go back to. */
  readonly rest: 'backoff' | 'open-circuit' | undefined;
  /** The delay that is running, or ran last, and when it ends. */
  readonly delayMs: number;
  readonly retryAtMs: number;
}

type Update = Partial<RelayContext>;

const NO_LOSS: Loss = { meaning: 'lost', retryAfterMs: 0 };

export function initialRelayContext(input: RelayInput): RelayContext {
  return {
    url: input.url,
    supervisor: input.supervisor,
    settings: input.settings ?? DEFAULT_RELAY_SETTINGS,
    reading: NO_READING,
    generation: input.generation ?? 0,
    wanted: false,
    stopping: false,
    urgent: input.urgent ?? true,
    trial: false,
    proven: false,
    settled: false,
    served: false,
    attempts: 0,
    refusals: 0,
    trips: 0,
    probes: 0,
    window: EMPTY_BREAKER_WINDOW,
    loss: NO_LOSS,
    rest: undefined,
    delayMs: 0,
    retryAtMs: 0,
  };
}

export const beginSession = (context: RelayContext): Update => ({
  generation: context.generation + 1,
  proven: false,
  settled: false,
  probes: 0,
});

/** An attempt or a session ended. It counts as a failure unless it had served, or the relay gave another reason. */
export function recordLoss(context: RelayContext, report: CloseReport, successesAt: readonly number[]): Update {
  const { settings, reading, settled } = context;
  const meaning = closeMeaning(report);
  const record = meaning === 'lost' && !settled ? recordFailure : recordSuccesses;
  return {
    attempts: context.attempts + 1,
    refusals: meaning === 'refused' ? context.refusals + 1 : 0,
    loss: { meaning, retryAfterMs: report.retryAfterMs ?? 0 },
    window: record(context.window, settings.breaker, reading.nowMs, successesAt),
  };
}

/** A call on a live session failed; the session goes on. */
export const recordCallFailure = (context: RelayContext, successesAt: readonly number[]): Update => ({
  window: recordFailure(context.window, context.settings.breaker, context.reading.nowMs, successesAt),
});

/** The breaker ended a session that was alive: no close report says anything about it. */
export const recordTrip = (context: RelayContext): Update => ({ attempts: context.attempts + 1, loss: NO_LOSS });

export const isTripped = (context: RelayContext): boolean =>
  tripTrigger(context.window, context.settings.breaker) !== undefined;

/** Why the circuit opens now, if it does. */
export function circuitCause(context: RelayContext): CircuitCause | undefined {
  if (context.loss.meaning === 'refused') return 'refused';
  if (context.trial) return 'trial';
  return tripTrigger(context.window, context.settings.breaker);
}

export function scheduleRetry(context: RelayContext): Update {
  const { settings, reading, loss } = context;
  const delayMs = backoffDelayMs(settings.reconnect, {
    attempt: Math.max(0, context.attempts - 1),
    previousMs: context.delayMs,
    urgent: context.urgent,
    restarting: loss.meaning === 'restarting',
    retryAfterMs: loss.retryAfterMs,
    random: reading.random,
  });
  return { rest: 'backoff', delayMs, retryAtMs: reading.nowMs + delayMs };
}

/** Draws the delay anew, now that nothing else serves; the wait never becomes longer by it. */
export function hastenRetry(context: RelayContext): Update {
  const { nowMs } = context.reading;
  const remainingMs = Math.max(0, context.retryAtMs - nowMs);
  const drawnMs = scheduleRetry(context).delayMs ?? remainingMs;
  const delayMs = Math.min(remainingMs, drawnMs);
  return { delayMs, retryAtMs: nowMs + delayMs };
}

export function scheduleTrial(context: RelayContext): Update {
  const { settings, reading, loss } = context;
  const trips = loss.meaning === 'refused' ? Math.max(context.trips, REFUSAL_TRIPS_MIN) : context.trips;
  const delayMs = openDelayMs(settings.breaker, trips, loss.retryAfterMs, reading.random);
  return { rest: 'open-circuit', trips: trips + 1, delayMs, retryAtMs: reading.nowMs + delayMs };
}

/** Goes back to a wait that a request had ended: for what is left of it, or for as long again when it is over. */
export function resumeRest(context: RelayContext): Update {
  const { nowMs } = context.reading;
  const remainingMs = context.retryAtMs - nowMs;
  if (remainingMs > 0) return { delayMs: remainingMs };
  if (context.rest === 'backoff') return scheduleRetry(context);
  const { trips: _counted, ...wait } = scheduleTrial({ ...context, trips: Math.max(0, context.trips - 1) });
  return wait;
}

/** The probes succeeded: what the breaker remembers is over. Trips stay, and are forgiven one by one. */
export const closeCircuit = (): Update => ({
  trial: false,
  window: EMPTY_BREAKER_WINDOW,
  loss: NO_LOSS,
  rest: undefined,
});

/** The session has served long enough: past attempts are over. */
export const settle = (context: RelayContext): Update => ({
  settled: true,
  attempts: 0,
  refusals: 0,
  loss: NO_LOSS,
  rest: undefined,
  window: { ...context.window, failuresInRow: 0 },
});

/** Somebody asked for a relay that had been given up: it starts afresh. */
export const pardon = (): Update => ({
  trial: false,
  attempts: 0,
  refusals: 0,
  trips: 0,
  window: EMPTY_BREAKER_WINDOW,
  loss: NO_LOSS,
  rest: undefined,
});
