import type { Fact } from '../index.ts';
import type { Alert } from './alerts.ts';

/**
 * What is told to whoever watches: the three messages of the Stately inspection protocol (`@statelyai/inspect` 0.7), so that
 * any XState application can be shown and any receiver of that protocol understands ours, and some of our own beside them,
 * which such a receiver leaves alone.
 */
export type InspectorMessage =
  | StatelyMessage
  | HelloMessage
  | SummaryMessage
  | FactMessage
  | AlertMessage
  | OmittedMessage;

export type StatelyMessage = ActorMessage | EventMessage | SnapshotMessage;

/** Both protocols want a version as text; receivers only look whether it is there. */
const PROTOCOL_VERSION = '0.7.2';

interface OfProtocol {
  readonly _version: string;
  /** Milliseconds since the epoch, as text. */
  readonly createdAt: string;
  readonly id: null;
}

interface OfActor extends OfProtocol {
  readonly sessionId: string;
  readonly rootId: string;
}

/** An actor is there. */
export interface ActorMessage extends OfActor {
  readonly type: '@xstate.actor';
  readonly name: string;
  readonly parentId?: string;
  /** The configuration of its chart, as JSON text; left out for actors without a chart. */
  readonly definition?: string;
  readonly snapshot: ShownSnapshot;
}

/** An actor was sent an event. */
export interface EventMessage extends OfActor {
  readonly type: '@xstate.event';
  readonly event: ShownEvent;
  readonly sourceId?: string;
}

/** An actor has taken an event. */
export interface SnapshotMessage extends OfActor {
  readonly type: '@xstate.snapshot';
  readonly event: ShownEvent;
  readonly snapshot: ShownSnapshot;
}

export interface ShownEvent {
  readonly type: string;
  readonly [detail: string]: unknown;
}

export type StateValue = string | { readonly [state: string]: StateValue };

export interface ShownSnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly value?: StateValue;
  readonly context?: Readonly<Record<string, unknown>>;
}

/** What the page may do to the pool, and what the application calls itself. */
export interface HelloMessage extends OfProtocol {
  readonly type: 'recloser.hello';
  readonly name: string;
  /** Events that may be sent to the actors of charts with these ids. */
  readonly controls: Readonly<Record<string, readonly string[]>>;
  /** What can be broken at a relay, in the order of its keys. */
  readonly faults: readonly string[];
}

/** Measurements of a pool. */
interface SummaryMessage extends OfProtocol {
  readonly type: 'recloser.summary';
  readonly summary: Summary;
}

/** A fact of the pool, of those that tell nothing of what is published. */
export interface FactMessage extends OfProtocol {
  readonly type: 'recloser.fact';
  readonly fact: ShownEvent & { readonly type: Fact['type'] };
}

/** A measurement is beyond its bound, or is not any more. */
export interface AlertMessage extends OfProtocol {
  readonly type: 'recloser.alert';
  readonly alert: Alert;
}

/** So many messages were left out, because there were too many. */
interface OmittedMessage extends OfProtocol {
  readonly type: 'recloser.omitted';
  readonly count: number;
}

/** What the page's header and its table of relays show. Times are milliseconds. */
export interface Summary {
  readonly strategy: string;
  readonly published: number;
  readonly confirmed: number;
  readonly failed: number;
  /** Accepted events that are stored nowhere, where somebody can look. */
  readonly lost?: number;
  readonly inFlight: number;
  readonly queued: number;
  readonly p50?: number;
  readonly p95?: number;
  readonly p99?: number;
  readonly subscriptions: number;
  readonly failovers: number;
  readonly failoverP50?: number;
  readonly failoverP99?: number;
  readonly relays: readonly RelaySummary[];
}

export interface RelaySummary {
  readonly url: string;
  readonly status: string;
  /** How long it has been in that state. */
  readonly since: number;
  /** The moving average; left out while it cannot be measured, because the relay does not serve. */
  readonly latency?: number;
  readonly p50?: number;
  readonly p95?: number;
  readonly p99?: number;
  /** Shares from 0 to 1: of calls that succeeded, and of what is sent to all relays. */
  readonly success?: number;
  readonly share: number;
  readonly inFlight: number;
  readonly queued: number;
  /** Until it is dialled next. */
  readonly next?: number;
  /** Why it is not connected, or gets no events. */
  readonly reason?: string;
}

/** What a page asks of the server. Anything else is no request. */
export type PageRequest =
  | { readonly type: 'recloser.control'; readonly sessionId: string; readonly event: string }
  | { readonly type: 'recloser.break'; readonly url: string; readonly fault: string };

/** What every message has in common, at a time. */
export const stamped = (nowMs: number): OfProtocol => ({
  _version: PROTOCOL_VERSION,
  createdAt: String(Math.round(nowMs)),
  id: null,
});

/** When a message was made, in milliseconds since the epoch. */
export const timeOf = ({ createdAt }: InspectorMessage): number => Number(createdAt);

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= 1_024;
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isOptional = (value: unknown, test: (value: unknown) => boolean): boolean =>
  value === undefined || value === null || test(value);
const isEvent = (value: unknown): boolean => isRecord(value) && isText(value.type);

function isSnapshot(value: unknown): boolean {
  return isRecord(value) && isText(value.status) && isOptional(value.value, isValue);
}

/** Charts are nested a few levels deep; what claims more is no state. */
function isValue(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return true;
  return depth < 12 && isRecord(value) && Object.values(value).every((each) => isValue(each, depth + 1));
}

/** Whether something from outside is a message of the Stately protocol that can be shown. */
export function isStatelyMessage(value: unknown): value is StatelyMessage {
  if (!isRecord(value)) return false;
  const { type, _version, createdAt, sessionId, rootId, name, definition, parentId, snapshot, event } = value;
  if (!isText(_version) || !isText(sessionId) || !isText(rootId) || !Number.isFinite(Number(createdAt))) return false;
  if (!isText(createdAt) && typeof createdAt !== 'number') return false;
  switch (type) {
    case '@xstate.actor':
      return (
        isOptional(name, isText) &&
        isOptional(definition, (given) => typeof given === 'string') &&
        isOptional(parentId, isText) &&
        isOptional(snapshot, isSnapshot)
      );
    case '@xstate.event':
      return isEvent(event);
    case '@xstate.snapshot':
      return isOptional(event, isEvent) && isSnapshot(snapshot);
    default:
      return false;
  }
}

/** Whether something from outside is a message of either protocol. Ours only come from a server or a recording of ours. */
export function isInspectorMessage(value: unknown): value is InspectorMessage {
  if (isStatelyMessage(value)) return true;
  if (!isRecord(value) || !isText(value._version) || !isText(value.createdAt)) return false;
  if (!Number.isFinite(Number(value.createdAt))) return false;
  switch (value.type) {
    case 'recloser.hello':
      return isText(value.name) && isControls(value.controls) && isTexts(value.faults);
    case 'recloser.summary':
      return isRecord(value.summary) && isSummary(value.summary);
    case 'recloser.fact':
      return isEvent(value.fact);
    case 'recloser.alert':
      return isRecord(value.alert) && isAlert(value.alert);
    case 'recloser.omitted':
      return Number.isFinite(value.count);
    default:
      return false;
  }
}

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isControls = (value: unknown): boolean => isRecord(value) && Object.values(value).every(isTexts);
const isMaybeNumber = (value: unknown): boolean => isOptional(value, Number.isFinite);
const haveNumbers = (value: Record<string, unknown>, needed: readonly string[], possible: readonly string[]): boolean =>
  needed.every((key) => Number.isFinite(value[key])) && possible.every((key) => isMaybeNumber(value[key]));

const isAlert = ({ name, raised, value, relay }: Record<string, unknown>): boolean =>
  isText(name) && typeof raised === 'boolean' && isMaybeNumber(value) && isOptional(relay, isText);

const COUNTS = ['published', 'confirmed', 'failed', 'inFlight', 'queued', 'subscriptions', 'failovers'] as const;
const PERCENTILES = ['p50', 'p95', 'p99'] as const;

const isSummary = (value: Record<string, unknown>): boolean =>
  isText(value.strategy) &&
  haveNumbers(value, COUNTS, [...PERCENTILES, 'lost', 'failoverP50', 'failoverP99']) &&
  Array.isArray(value.relays) &&
  value.relays.every(isRelaySummary);

const isRelaySummary = (value: unknown): boolean =>
  isRecord(value) &&
  isText(value.url) &&
  isText(value.status) &&
  isOptional(value.reason, isText) &&
  haveNumbers(value, ['since', 'share', 'inFlight', 'queued'], [...PERCENTILES, 'latency', 'success', 'next']);
