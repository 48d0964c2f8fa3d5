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
import {
  type CloseMeaning,
  type CloseReport,
  closeMeaning,
  endReason,
  isAmbiguous,
  isRefusedUpgrade,
} from '../policy/close.ts';
import { AMBIGUOUS_CLOSES_MAX, NETWORK_DOUBT, REFUSAL_TRIPS_MIN, URGENT_OPEN_MS } from '../policy/limits.ts';
import { NO_READING, type Reading } from '../policy/reading.ts';
import { DEFAULT_RELAY_SETTINGS, type RelaySettings } from '../policy/settings.ts';
import { isOverslept } from '../policy/silence.ts';
import type { NetworkState } from '../policy/status.ts';
import type { CircuitCause, RelayEnd, RelayFact } from './relay.events.ts';

/** Whoever hears what a relay reports. */
export type RelaySupervisor = ActorRef<Snapshot<unknown>, RelayFact>;

export interface RelayInput {
  /** Canonical URL. */
  readonly url: string;
  readonly settings?: RelaySettings;
  /** True if too few relays serve, or a caller waits for this one. Default `true`. */
  readonly urgent?: boolean;
  /** Default `true`, and `well`. */
  readonly ejectable?: boolean;
  readonly network?: NetworkState;
  /** Generation that the first session counts on from; a restarted relay goes on where the crashed one stopped. */
  readonly generation?: number;
  readonly supervisor?: RelaySupervisor;
}

/** Verdict on the end of the last session or attempt. */
interface Loss {
  readonly meaning: CloseMeaning;
  readonly retryAfterMs: number;
  /** Not held against the relay: our network was in doubt, or the process was asleep. */
  readonly excused: boolean;
  /** An HTTP response refused the upgrade, which a portal or proxy in between can do as well. */
  readonly refusedUpgrade: boolean;
}

/** Closes in a row with one ambiguous code, each before its session had settled. */
interface AmbiguousCloses {
  readonly code: number;
  readonly count: number;
}

/** What a loss changes, as it was before: whoever learns that our own network was to blame goes back to it. */
type Standing = Pick<RelayContext, 'attempts' | 'refusals' | 'ambiguous' | 'trips' | 'trial' | 'ejected' | 'window'>;

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
  /** Whether the circuit may open for how the relay answers. */
  readonly ejectable: boolean;
  /** It had failed too often already when it was allowed to: only its next failure counts, or several would go at once. */
  readonly spared: boolean;
  readonly network: NetworkState;
  /** The circuit was opened for how the relay answered, and has not closed since. */
  readonly ejected: boolean;
  /** The calls of this session went badly enough for it to be degraded. */
  readonly unwell: boolean;
  /** When the deadline of this state began to run: a dial, or a trial. */
  readonly sinceMs: number;
  /** When the last session ended, and what stood before; nothing where it had not served. */
  readonly lostAtMs: number;
  readonly before: Standing | undefined;
  /** This session was dialled out of an open circuit and has to prove itself. */
  readonly trial: boolean;
  /** Whether somebody watches if it needs further connections. */
  readonly isScaling: boolean;
  /** The socket of this session has opened. */
  readonly opened: boolean;
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
  readonly ambiguous: AmbiguousCloses;
  /** Open circuits that have not been forgiven. */
  readonly trips: number;
  /** Probes in a row that succeeded in this session. */
  readonly probes: number;
  readonly window: BreakerWindow;
  readonly loss: Loss;
  /** End of the last session or attempt; nothing before the first. */
  readonly end: RelayEnd | undefined;
  /** Where it waited last since it settled: what a request to connect has to go back to. */
  readonly rest: 'backoff' | 'open-circuit' | undefined;
  /** The delay that is running, or ran last, and when it ends. */
  readonly delayMs: number;
  readonly retryAtMs: number;
}

type Update = Partial<RelayContext>;

const NO_LOSS: Loss = { meaning: 'lost', retryAfterMs: 0, excused: false, refusedUpgrade: false };
const NO_AMBIGUOUS_CLOSES: AmbiguousCloses = { code: 0, count: 0 };

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
    ejectable: input.ejectable ?? true,
    spared: false,
    network: input.network ?? 'well',
    ejected: false,
    unwell: false,
    sinceMs: 0,
    lostAtMs: 0,
    before: undefined,
    trial: false,
    isScaling: false,
    opened: false,
    proven: false,
    settled: false,
    served: false,
    attempts: 0,
    refusals: 0,
    ambiguous: NO_AMBIGUOUS_CLOSES,
    trips: 0,
    probes: 0,
    window: EMPTY_BREAKER_WINDOW,
    loss: NO_LOSS,
    end: undefined,
    rest: undefined,
    delayMs: 0,
    retryAtMs: 0,
  };
}

export const beginSession = (context: RelayContext): Update => ({
  generation: context.generation + 1,
  opened: false,
  proven: false,
  settled: false,
  unwell: false,
  spared: false,
  probes: 0,
  before: undefined,
});

/** The deadline of a dial or a trial begins to run. */
export const beginDeadline = ({ reading }: RelayContext): Update => ({ sinceMs: reading.nowMs });

const standingOf = ({ attempts, refusals, ambiguous, trips, trial, ejected, window }: RelayContext): Standing => ({
  attempts,
  refusals,
  ambiguous,
  trips,
  trial,
  ejected,
  window,
});

/** Counts closes with an ambiguous code. Only those before a session has settled say something about the relay. */
function ambiguousAfter({ ambiguous, settled }: RelayContext, report: CloseReport): AmbiguousCloses {
  if (settled || !isAmbiguous(report)) return NO_AMBIGUOUS_CLOSES;
  return { code: report.code, count: report.code === ambiguous.code ? ambiguous.count + 1 : 1 };
}

/**
 * An attempt or a session ended. It counts as a failure unless it had served, or the relay gave another reason; and always
 * if the relay broke the protocol, or it could do so for ever, once in a while.
 *
 * While our own network is in doubt, losses and refused upgrades are excused: a portal or a proxy answers for all relays.
 */
export function recordLoss(
  context: RelayContext,
  report: CloseReport,
  successesAt: readonly number[],
  isFailure = !context.settled || report.brokeProtocol === true,
): Update {
  const { settings, reading, network } = context;
  const ambiguous = ambiguousAfter(context, report);
  const refusedUpgrade = isRefusedUpgrade(report);
  const reported = ambiguous.count >= AMBIGUOUS_CLOSES_MAX ? 'refused' : closeMeaning(report);
  const excused = network !== 'well' && (reported === 'lost' || refusedUpgrade);
  const meaning = excused ? 'lost' : reported;
  const record = meaning === 'lost' && isFailure && !excused ? recordFailure : recordSuccesses;
  return {
    // A failed dial lengthens the next wait, whoever is to blame; an excused loss of a session does not.
    attempts: excused && context.opened ? context.attempts : context.attempts + 1,
    refusals: meaning === 'refused' ? context.refusals + 1 : excused ? context.refusals : 0,
    ambiguous,
    loss: { meaning, retryAfterMs: report.retryAfterMs ?? 0, excused, refusedUpgrade },
    end: endOf(report, reading.nowMs),
    window: record(context.window, settings.breaker, reading.nowMs, successesAt),
    lostAtMs: reading.nowMs,
    before: context.opened || refusedUpgrade ? standingOf(context) : undefined,
  };
}

const endOf = (report: CloseReport, atMs: number): RelayEnd => ({
  reason: endReason(report),
  code: report.code,
  ...(report.errorCode === undefined ? {} : { errorCode: report.errorCode }),
  ...(report.httpStatus === undefined ? {} : { httpStatus: report.httpStatus }),
  atMs,
});

/** A deadline has passed: a failure, unless we slept through it. */
export function recordDeadline(context: RelayContext, report: CloseReport, limitMs: number): Update {
  const overslept = isOverslept(context.reading.nowMs - context.sinceMs - limitMs);
  const end = endOf(report, context.reading.nowMs);
  return overslept ? { loss: { ...NO_LOSS, excused: true }, end } : recordLoss(context, report, [], true);
}

/** The pool says whether the circuit may open for how the relay answers. */
export const setEjectable = (context: RelayContext, ejectable: boolean): Update => ({
  ejectable,
  spared: ejectable && (context.spared || (!context.ejectable && isTripped(context))),
});

/** A call on a live session failed; the session goes on. */
export const recordCallFailure = (context: RelayContext, successesAt: readonly number[]): Update => ({
  spared: false,
  window: recordFailure(context.window, context.settings.breaker, context.reading.nowMs, successesAt),
});

/** The breaker ended a session that was alive, so there is no close report. */
export const recordTrip = (context: RelayContext): Update => ({
  attempts: context.attempts + 1,
  loss: NO_LOSS,
  end: { reason: 'too many calls failed', code: 1000, atMs: context.reading.nowMs },
  ejected: true,
});

export const isTripped = (context: RelayContext): boolean =>
  tripTrigger(context.window, context.settings.breaker) !== undefined;

/** Whether it has to prove itself: it comes out of an open circuit, or would go into one. */
export const isOnTrial = (context: RelayContext): boolean => context.trial || isTripped(context);

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
    urgent: context.urgent || loss.excused,
    restarting: loss.meaning === 'restarting',
    retryAfterMs: loss.retryAfterMs,
    random: reading.random,
  });
  return { rest: 'backoff', delayMs, retryAtMs: reading.nowMs + delayMs };
}

/** Draws the delay anew, now that too few others serve; the wait never becomes longer by it. */
export const hastenRetry = (context: RelayContext): Update => hastened(context, scheduleRetry(context).delayMs);
export const hastenTrial = (context: RelayContext): Update => hastened(context, scheduleTrial(context).delayMs);

function hastened({ reading, retryAtMs }: RelayContext, drawnMs = 0): Update {
  const delayMs = Math.min(Math.max(0, retryAtMs - reading.nowMs), drawnMs);
  return { delayMs, retryAtMs: reading.nowMs + delayMs };
}

/** The network is back: whatever this relay waited for is over, and all of them do not come back in one moment. */
export const scheduleReturn = (context: RelayContext): Update =>
  scheduleRetry({ ...context, attempts: 0, loss: { ...context.loss, excused: true } });

/** What seemed to be this relay's failure was our own network's: it is taken back, and the relay is tried again soon. */
export function excuse(context: RelayContext): Update {
  const standing = { ...context.before, loss: { ...NO_LOSS, excused: true }, before: undefined };
  return { ...standing, ...scheduleRetry({ ...context, ...standing }) };
}

/** Returns true if the last loss is so recent that it is part of what makes our own network doubtful at `nowMs`. */
export function isExcusable({ before, lostAtMs, loss }: RelayContext, nowMs: number): boolean {
  const withinMs = loss.refusedUpgrade ? NETWORK_DOUBT.refusedWithinMs : NETWORK_DOUBT.withinMs;
  return before !== undefined && (loss.meaning === 'lost' || loss.refusedUpgrade) && nowMs - lostAtMs <= withinMs;
}

/** Returns true if a portal, a proxy or a lost network can have caused the end of the last session or attempt. */
export const cameOfNetwork = ({ ejected, loss }: RelayContext): boolean =>
  !ejected && (loss.meaning === 'lost' || loss.refusedUpgrade);

/** Forgets what our network has caused: lock-outs and waits end, and all relays do not come back in one moment. */
export const pardonNetwork = (context: RelayContext): Update => ({
  ...scheduleReturn(context),
  attempts: 0,
  refusals: 0,
  ambiguous: NO_AMBIGUOUS_CLOSES,
  before: undefined,
  loss: { ...NO_LOSS, excused: true },
});

export function scheduleTrial(context: RelayContext): Update {
  const { settings, reading, loss, trips: counted } = context;
  const isRefused = loss.meaning === 'refused';
  const trips = isRefused ? Math.max(counted, REFUSAL_TRIPS_MIN) : counted;
  const longestMs = context.urgent && !isRefused ? URGENT_OPEN_MS : Number.POSITIVE_INFINITY;
  const delayMs = openDelayMs(settings.breaker, trips, loss.retryAfterMs, reading.random, longestMs);
  return { rest: 'open-circuit', trips: trips + (loss.excused ? 0 : 1), delayMs, retryAtMs: reading.nowMs + delayMs };
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
  ejected: false,
  window: EMPTY_BREAKER_WINDOW,
  loss: NO_LOSS,
  rest: undefined,
});

/** The calls have gone well for long enough: what the breaker held against them is over. */
export const markWell = (): Update => ({ unwell: false, window: EMPTY_BREAKER_WINDOW });

/** The session has served long enough: past attempts are over. */
export const settle = (context: RelayContext): Update => ({
  settled: true,
  attempts: 0,
  refusals: 0,
  ambiguous: NO_AMBIGUOUS_CLOSES,
  loss: NO_LOSS,
  rest: undefined,
  window: { ...context.window, failuresInRow: 0 },
});

/** Somebody asked for a relay that had been given up: it starts afresh. */
export const pardon = (): Update => ({
  trial: false,
  ejected: false,
  attempts: 0,
  refusals: 0,
  ambiguous: NO_AMBIGUOUS_CLOSES,
  trips: 0,
  window: EMPTY_BREAKER_WINDOW,
  loss: NO_LOSS,
  rest: undefined,
});
