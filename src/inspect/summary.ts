import type { PoolMetrics, RelayMetrics } from '../index.ts';
import type { RelaySummary, Summary } from './messages.ts';
import { withoutQuery } from './redact.ts';

/** What a summary says beyond the metrics. */
export interface Beyond {
  readonly nowMs: number;
  /** When each relay came to be as it is. */
  readonly since: ReadonlyMap<string, number>;
  readonly lost: number | undefined;
}

/** Metrics in short: what a page shows ten times a second. */
export function summaryOf(metrics: PoolMetrics, { nowMs, since, lost }: Beyond): Summary {
  const relays = Object.entries(metrics.relays);
  const perSecond = relays.reduce((sum, [, relay]) => sum + relay.sentPerSecond, 0);
  const { publications, failovers } = metrics;
  return {
    strategy: metrics.strategy,
    published: publications.accepted,
    confirmed: publications.confirmed,
    failed: publications.failed,
    ...rounded('lost', lost),
    inFlight: relays.reduce((sum, [, { inFlight }]) => sum + inFlight, 0),
    queued: relays.reduce((sum, [, { queued }]) => sum + queued, 0),
    ...rounded('p50', metrics.confirmMsP50),
    ...rounded('p95', metrics.confirmMsP95),
    ...rounded('p99', metrics.confirmMsP99),
    subscriptions: metrics.subscriptions,
    failovers: failovers.failovers,
    ...rounded('failoverP50', failovers.msP50),
    ...rounded('failoverP99', failovers.msP99),
    relays: relays.map(([url, relay]) =>
      relaySummary(url, relay, nowMs, since.get(url) ?? openedAt(relay) ?? nowMs, perSecond),
    ),
  };
}

function relaySummary(
  url: string,
  relay: RelayMetrics,
  nowMs: number,
  sinceMs: number,
  perSecond: number,
): RelaySummary {
  const serves = relay.status === 'connected' || relay.status === 'degraded';
  return {
    url: withoutQuery(url),
    status: relay.status,
    since: Math.max(0, Math.round(nowMs - sinceMs)),
    ...rounded('latency', serves ? relay.latencyMs : undefined),
    ...rounded('p50', relay.latencyMsP50),
    ...rounded('p95', relay.latencyMsP95),
    ...rounded('p99', relay.latencyMsP99),
    ...rounded('success', relay.successRate, 1_000),
    share: perSecond === 0 ? 0 : Math.round((relay.sentPerSecond / perSecond) * 1_000) / 1_000,
    inFlight: relay.inFlight,
    queued: relay.queued,
    ...rounded('next', relay.nextRetryAt === undefined ? undefined : Math.max(0, relay.nextRetryAt - nowMs)),
    ...(relay.reason === undefined ? {} : { reason: relay.reason }),
  };
}

/** Of a relay that serves, when its connection was opened: as long as it is known to have been as it is. */
const openedAt = ({ status, connections }: RelayMetrics): number | undefined =>
  status === 'connected' ? connections.at(-1)?.openedAtMs : undefined;

const rounded = <Key extends string>(key: Key, value: number | undefined, per = 10): { [K in Key]?: number } =>
  value === undefined ? {} : ({ [key]: Math.round(value * per) / per } as { [K in Key]: number });
