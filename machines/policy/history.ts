import { RecloserError, shown } from './error.ts';
import { CONNECTIONS_KEPT } from './limits.ts';

/** One connection that was open. Times are milliseconds since the epoch. */
export interface ConnectionRecord {
  readonly openedAtMs: number;
  /** Nothing while it is open, and where the process ended first. */
  readonly closedAtMs?: number;
  /** The close code and reason, where the connection was closed and not let go of. */
  readonly code?: number;
  readonly reason?: string;
}

/** How a relay has been over all its connections, also those of former processes. */
export interface RelayHistory {
  readonly dials: number;
  readonly opens: number;
  readonly refusals: number;
  /** Calls that succeeded and failed. */
  readonly successes: number;
  readonly failures: number;
  /** Milliseconds that the last ping took. */
  readonly pingMs?: number;
  /** The last connections, the oldest first. */
  readonly connections: readonly ConnectionRecord[];
}

const COUNTS = ['dials', 'opens', 'refusals', 'successes', 'failures'] as const;

function refuse(name: string, value: unknown, wanted: string): never {
  throw new RecloserError('INVALID_OPTION', `history.${name} is ${shown(value)}; give ${wanted}.`);
}

function amount(name: string, value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
    ? value
    : refuse(name, value, 'a number from 0');
}

function connection(given: unknown): ConnectionRecord {
  if (typeof given !== 'object' || given === null) return refuse('connections', given, 'a list of objects');
  const { openedAtMs, closedAtMs, code, reason } = given as Record<string, unknown>;
  return {
    openedAtMs: amount('openedAtMs', openedAtMs),
    ...(closedAtMs === undefined ? {} : { closedAtMs: amount('closedAtMs', closedAtMs) }),
    ...(code === undefined ? {} : { code: amount('code', code) }),
    ...(typeof reason === 'string' ? { reason: reason.slice(0, 123) } : {}),
  };
}

/** Checks what a relay's history was kept as, and returns it; throws `INVALID_OPTION` with what to give instead. */
export function relayHistory(given: unknown): RelayHistory {
  if (typeof given !== 'object' || given === null) return refuse('', given, 'an object');
  const { pingMs, connections = [], ...counts } = given as Record<string, unknown>;
  if (!Array.isArray(connections)) return refuse('connections', connections, 'a list');
  const read = Object.fromEntries(COUNTS.map((name) => [name, amount(name, counts[name])]));
  return {
    ...(read as Record<(typeof COUNTS)[number], number>),
    ...(pingMs === undefined ? {} : { pingMs: amount('pingMs', pingMs) }),
    connections: connections.slice(-CONNECTIONS_KEPT).map(connection),
  };
}
