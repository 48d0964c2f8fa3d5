import type { ActorRef, Snapshot } from 'xstate';
import type { ConnectionEnd } from '../connection/connection.events.ts';
import { backoffDelayMs } from '../policy/backoff.ts';
import { REFUSAL_TRIPS_MIN } from '../policy/limits.ts';
import { NO_READING, type Reading } from '../policy/reading.ts';
import { afterLook, connectionsWanted, type LoadSeries } from '../policy/scaling.ts';
import type { RelaySettings } from '../policy/settings.ts';
import type { ScalingFact } from './scaling.events.ts';

export interface ScalingInput {
  readonly url: string;
  /** The generation of the relay's first connection. */
  readonly generation: number;
  readonly settings: RelaySettings;
  readonly supervisor: ActorRef<Snapshot<unknown>, ScalingFact> | undefined;
}

/** What a look at the relay shows. */
export interface Look {
  /** Messages in flight or waiting, and how many one connection has room for. */
  readonly load: number;
  readonly window: number;
  /** Further connections that the pool may still have. */
  readonly spare: number;
}

export interface ScalingContext extends ScalingInput {
  readonly reading: Reading;
  readonly look: Look;
  readonly series: LoadSeries;
  /** Ids of the further connections that are there or dialled, the oldest first; those about to be closed are not. */
  readonly connections: readonly string[];
  /** Ids of those that are about to be closed: they count against what the relay may have. */
  readonly closing: readonly string[];
  /** How many there have been. */
  readonly count: number;
  readonly changedAtMs: number;
  /** Ends in a row that were not asked for, and until when there is no further attempt. */
  readonly failures: number;
  readonly barredUntilMs: number;
}

type Update = Partial<ScalingContext>;

export const initialScalingContext = (input: ScalingInput): ScalingContext => ({
  ...input,
  reading: NO_READING,
  look: { load: 0, window: 1, spare: 0 },
  series: [],
  connections: [],
  closing: [],
  count: 0,
  changedAtMs: Number.NEGATIVE_INFINITY,
  failures: 0,
  barredUntilMs: Number.NEGATIVE_INFINITY,
});

/** Whether one more connection is wanted (1), one less (-1), or neither. */
export function change(context: ScalingContext): -1 | 0 | 1 {
  const { look, series, connections, closing, settings, changedAtMs, barredUntilMs } = context;
  const { nowMs } = context.reading;
  const now = connections.length + 1;
  const { connectionsMax } = settings;
  const wanted = connectionsWanted({
    series,
    connections: now,
    connectionsMax,
    window: look.window,
    changedAtMs,
    nowMs,
  });
  const mayGrow = look.spare > 0 && nowMs >= barredUntilMs && now + closing.length < connectionsMax;
  if (wanted > now) return mayGrow ? 1 : 0;
  return wanted < now ? -1 : 0;
}

export const recordLook = ({ series, look, reading }: ScalingContext): Update => ({
  series: afterLook(series, look.load, reading.nowMs),
});

/** The number of the next connection; the relay's first is number 1. */
export const nextNumber = ({ count }: ScalingContext): number => count + 2;

const ACTOR = 'connection:';
export const actorIdOf = (connection: number): `connection:${string}` => `${ACTOR}${connection}`;
export const numberOf = (actorId: string): number => Number(actorId.slice(ACTOR.length));

export const grow = (context: ScalingContext): Update => ({
  connections: [...context.connections, actorIdOf(nextNumber(context))],
  count: context.count + 1,
  changedAtMs: context.reading.nowMs,
});

export const shrink = ({ connections, closing, reading }: ScalingContext): Update => ({
  connections: connections.slice(0, -1),
  closing: [...closing, ...connections.slice(-1)],
  changedAtMs: reading.nowMs,
});

/** A connection has ended. Where nobody asked for that, the next one waits, as for any other relay. */
export function recordEnd(context: ScalingContext, actorId: string, end: ConnectionEnd, retryAfterMs: number): Update {
  const { connections, closing, settings, reading, changedAtMs } = context;
  const left = {
    connections: connections.filter((id) => id !== actorId),
    closing: closing.filter((id) => id !== actorId),
  };
  if (end === 'drained') return { ...left, failures: 0 };
  // One that has served for a while says nothing against the next.
  const failures = reading.nowMs - changedAtMs >= settings.stableMs ? 0 : context.failures;
  const delayMs = backoffDelayMs(settings.reconnect, {
    attempt: failures + (end === 'refused' ? REFUSAL_TRIPS_MIN : 0),
    previousMs: 0,
    urgent: false,
    restarting: false,
    retryAfterMs,
    random: reading.random,
  });
  return { ...left, failures: failures + 1, barredUntilMs: reading.nowMs + delayMs };
}
