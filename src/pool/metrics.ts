import type { ConnectionRecord } from '../../machines/policy/history.ts';
import type { StatedLimits } from '../../machines/policy/stated-limits.ts';
import { isRoutable, type RelayStatus } from '../../machines/policy/status.ts';
import type { PoolContext, RelayRecord } from '../../machines/pool/pool.context.ts';
import type { RelayContext } from '../../machines/relay/relay.context.ts';
import type { RelayEnd } from '../../machines/relay/relay.events.ts';
import type { FailoverStatistics } from '../delivery/failovers.ts';
import type { DeliveryLane } from '../delivery/publication.ts';
import type { DataPlane } from './data-plane.ts';
import type { RelayLink } from './relay-link.ts';

/** The circuit breaker's state, derived from the status of the relay. */
export type CircuitState = 'closed' | 'open' | 'half-open';

/**
 * Measurements of one relay. Totals of dials and calls count from when it was added, with `state` also by former processes;
 * those of messages and bytes begin with the process. What has not been measured yet is left out.
 */
export interface RelayMetrics {
  readonly status: RelayStatus;
  /** Circuit of the connection; of publishing events; of serving requests. */
  readonly circuit: CircuitState;
  readonly writeCircuit: CircuitState;
  readonly requestCircuit: CircuitState;
  /** End of the last session or attempt, with its reason; left out while the relay is connected, and before the first. */
  readonly lastEnd?: RelayEnd;
  /** Why it is not connected, or gets no events, in one line; left out while it serves. */
  readonly reason?: string;
  /** Attempts since the last settled session. */
  readonly retryCount: number;
  /** Milliseconds since the epoch at which the relay is dialled next. */
  readonly nextRetryAt?: number;
  readonly connectionAttempts: number;
  readonly successfulConnections: number;
  readonly failedConnections: number;
  /** Times that the relay's actor crashed and was started again. */
  readonly restarts: number;
  /** Published events that were answered, and calls that failed. */
  readonly successes: number;
  readonly failures: number;
  /** Share of calls that succeeded, from 0 to 1. */
  readonly successRate?: number;
  /** Milliseconds from sending an event to its answer: moving average, and percentiles of the last 128. */
  readonly latencyMs?: number;
  readonly latencyMsP50?: number;
  readonly latencyMsP95?: number;
  readonly latencyMsP99?: number;
  /** Milliseconds that the last ping took, and after which an answer counts as late. */
  readonly pingMs?: number;
  readonly answerTimeoutMs: number;
  /** Connections that are open: more than one only where `connectionsMax` allows it. */
  readonly openConnections: number;
  /** Events that wait for an answer, how many may at the moment, and events that wait for their turn. */
  readonly inFlight: number;
  readonly window: number;
  readonly queued: number;
  /** Subscriptions and questions that are open there, that wait for a slot, and how many slots there are at the moment. */
  readonly openRequests: number;
  readonly queuedRequests: number;
  readonly requestsMax: number;
  /** Events of it that wait to be verified. */
  readonly unverified: number;
  /** Events a second that the relay has been found to take; left out where it never refused any for their number. */
  readonly ratePerSecond?: number;
  readonly sentMessages: number;
  readonly receivedMessages: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Averages over the last ten seconds. */
  readonly sentPerSecond: number;
  readonly receivedPerSecond: number;
  readonly bytesPerSecond: number;
  /** What the relay did against the protocol, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** What it says that it takes (NIP-11), where the pool was given `information` and the relay has said so. */
  readonly limits: StatedLimits;
  /** The last NOTICE, made safe to show. */
  readonly lastNotice?: string;
  /** The last connections that were open, the oldest first; with `state`, also those of former processes. */
  readonly connections: readonly ConnectionRecord[];
}

/** Measurements of the pool. */
export interface PoolMetrics {
  /** How relays are chosen: the strategy's name, or `own` for a function. */
  readonly strategy: string;
  readonly totalRelays: number;
  readonly healthyRelays: number;
  /** Connections that are open, and relays that are dialled or on trial. */
  readonly activeConnections: number;
  readonly pendingConnections: number;
  /** Average of the relays' moving averages, in milliseconds. */
  readonly latencyMs?: number;
  readonly successRate?: number;
  readonly sentMessages: number;
  readonly receivedMessages: number;
  /** Publications that are open, those of them without their quorum, and their size in bytes. */
  readonly openPublications: number;
  readonly unconfirmedPublications: number;
  /** How many were accepted, and how they ended; those that are not told of here are open without their quorum. */
  readonly publications: {
    readonly accepted: number;
    readonly confirmed: number;
    readonly failed: number;
    readonly cancelled: number;
  };
  /** Milliseconds from accepting an event to its quorum: percentiles of the last 128. */
  readonly confirmMsP50?: number;
  readonly confirmMsP95?: number;
  readonly confirmMsP99?: number;
  readonly queueBytes: number;
  /** Copies sent because an answer was late, and how many more of them are trusted to help, from 0 to 10. */
  readonly hedges: number;
  readonly hedgeTrust: number;
  readonly failovers: FailoverStatistics;
  /** Subscriptions that are wanted, and events that were verified. */
  readonly subscriptions: number;
  readonly verifications: number;
  readonly uptimeMs: number;
  readonly relays: Readonly<Record<string, RelayMetrics>>;
}

/** Reads the decisions of a relay's chart; nothing while its actor is being replaced. */
export type ReadRelay = (url: string) => RelayContext | undefined;

export function poolMetrics(context: PoolContext, plane: DataPlane, read: ReadRelay): PoolMetrics {
  const now = plane.parts.clock.now();
  const { publications } = plane.ledger;
  const relays = Object.fromEntries(
    Object.entries(context.relays).map(([url, record]) => [url, relayMetrics(url, record, plane, read(url), now)]),
  );
  const all = Object.values(relays);
  const latencies = all.flatMap((relay) => relay.latencyMs ?? []);
  const sum = (value: (relay: RelayMetrics) => number): number => all.reduce((total, each) => total + value(each), 0);
  const successes = sum((relay) => relay.successes);
  const calls = successes + sum((relay) => relay.failures);
  const { strategy } = plane.settings.balance;
  return {
    strategy: typeof strategy === 'string' ? strategy : 'own',
    totalRelays: all.length,
    healthyRelays: all.filter((relay) => relay.status === 'connected').length,
    activeConnections: plane.links.openCount,
    pendingConnections: all.filter((relay) => relay.status === 'connecting' || relay.status === 'half-open').length,
    ...given('latencyMs', latencies.length ? latencies.reduce((a, b) => a + b, 0) / latencies.length : undefined),
    ...given('successRate', calls === 0 ? undefined : successes / calls),
    sentMessages: sum((relay) => relay.sentMessages),
    receivedMessages: sum((relay) => relay.receivedMessages),
    openPublications: publications.size,
    unconfirmedPublications: publications.capacity.unconfirmed,
    publications: { ...publications.totals },
    ...given('confirmMsP50', publications.latency.percentileMs(0.5)),
    ...given('confirmMsP95', publications.latency.percentileMs(0.95)),
    ...given('confirmMsP99', publications.latency.percentileMs(0.99)),
    queueBytes: publications.capacity.bytes,
    hedges: plane.ledger.hedges.count,
    hedgeTrust: plane.ledger.hedges.trust,
    failovers: plane.ledger.failovers,
    subscriptions: plane.intake.size,
    verifications: plane.intake.verifications,
    uptimeMs: now - plane.startedAt,
    relays,
  };
}

function relayMetrics(
  url: string,
  record: RelayRecord,
  plane: DataPlane,
  chart: RelayContext | undefined,
  now: number,
): RelayMetrics {
  const link: RelayLink = plane.links.of(url);
  const lane = plane.ledger.laneOf(url);
  const feed = plane.intake.feedOf(url);
  const { latency } = link.calls;
  const waits = record.status === 'backoff' || record.status === 'open-circuit';
  return {
    status: record.status,
    circuit: circuitOf(record.status, chart),
    writeCircuit: lane?.writes.state ?? 'closed',
    requestCircuit: feed?.circuit.state ?? 'closed',
    ...given('lastEnd', isRoutable(record.status) ? undefined : chart?.end),
    ...given('reason', reasonOf(record, lane)),
    retryCount: chart?.attempts ?? 0,
    ...given('nextRetryAt', waits ? chart?.retryAtMs : undefined),
    connectionAttempts: link.dials,
    successfulConnections: link.opens,
    failedConnections: link.refusals,
    restarts: record.restarts,
    successes: link.calls.succeededTotal,
    failures: link.calls.failedTotal,
    ...given('successRate', link.calls.successRate),
    ...given('latencyMs', latency.averageMs),
    ...given('latencyMsP50', latency.percentileMs(0.5)),
    ...given('latencyMsP95', latency.percentileMs(0.95)),
    ...given('latencyMsP99', latency.percentileMs(0.99)),
    ...given('pingMs', link.calls.pingMs),
    answerTimeoutMs: link.calls.answerTimeoutMs,
    openConnections: lane?.ways.length ?? 0,
    inFlight: lane?.inFlight ?? 0,
    window: lane?.window ?? 0,
    queued: lane?.queue.size ?? 0,
    openRequests: feed?.openCount ?? 0,
    queuedRequests: feed?.queued ?? 0,
    requestsMax: feed?.slots ?? 0,
    unverified: feed?.docket.size ?? 0,
    ...given('ratePerSecond', lane?.perSecond),
    sentMessages: link.sentMessages,
    receivedMessages: link.receivedMessages,
    sentBytes: link.sentBytes,
    receivedBytes: link.receivedBytes,
    sentPerSecond: link.sendRate.perSecond(now),
    receivedPerSecond: link.receiveRate.perSecond(now),
    bytesPerSecond: link.byteRate.perSecond(now),
    faults: Object.fromEntries(link.faults),
    limits: plane.informer.limitsOf(url),
    ...given('lastNotice', link.lastNotice),
    connections: link.connections,
  };
}

/** Nothing is wrong with a relay that has never been dialled. */
function reasonOf({ status, reason }: RelayRecord, lane: DeliveryLane | undefined): string | undefined {
  if (!isRoutable(status)) return reason;
  return lane && lane.writes.state !== 'closed' ? `publishing is suspended: ${lane.writes.reason}` : undefined;
}

function circuitOf(status: RelayStatus, chart: RelayContext | undefined): CircuitState {
  if (status === 'open-circuit') return 'open';
  if (status === 'half-open' || (status === 'connecting' && chart?.trial)) return 'half-open';
  return 'closed';
}

const given = <Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } =>
  value === undefined ? {} : ({ [key]: value } as { [K in Key]: Value });
