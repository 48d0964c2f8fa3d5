import { styleText } from 'node:util';
import type { RelayStatus } from '../../machines/policy/status.ts';
import { lookOf } from '../looks.ts';
import type { PoolMetrics } from '../pool/metrics.ts';

type Style = Parameters<typeof styleText>[0];

/** A terminal's colour for every status. */
const STYLES: Readonly<Record<RelayStatus, Style>> = {
  idle: 'gray',
  connecting: 'blue',
  connected: 'green',
  degraded: 'yellow',
  'half-open': 'magenta',
  closing: 'gray',
  backoff: 'cyan',
  paused: 'gray',
  'open-circuit': 'red',
  'locked-out': 'red',
  stopped: 'gray',
};

const milliseconds = (value: number | undefined): string =>
  value === undefined ? '–' : value.toFixed(value < 10 ? 1 : 0);

function row(url: string, relay: PoolMetrics['relays'][string], now: number, colours: boolean): string {
  const { glyph } = lookOf(relay.status);
  const style = STYLES[relay.status];
  const next = relay.nextRetryAt === undefined ? '' : `${Math.max(0, (relay.nextRetryAt - now) / 1_000).toFixed(1)} s`;
  return [
    `${colours ? styleText(style, glyph) : glyph} ${relay.status.padEnd(13)}`,
    url.slice(0, 36).padEnd(37),
    milliseconds(relay.latencyMsP50).padStart(6),
    milliseconds(relay.latencyMsP99).padStart(6),
    String(relay.inFlight).padStart(11),
    String(relay.queued).padStart(8),
    String(relay.successes).padStart(7),
    next.padStart(7),
    relay.reason === undefined ? '' : `  ${relay.reason.slice(0, 60)}`,
  ].join('');
}

/** The state of a pool as lines of text: one per relay, under a heading. */
export function relayTable(metrics: PoolMetrics, now: number, colours: boolean): readonly string[] {
  const heading = `  ${'state'.padEnd(13)}${'relay'.padEnd(37)}${'p50'.padStart(6)}${'p99'.padStart(6)}${'in flight'.padStart(11)}${'queued'.padStart(8)}${'acked'.padStart(7)}${'next'.padStart(7)}  why`;
  return [heading, ...Object.entries(metrics.relays).map(([url, relay]) => row(url, relay, now, colours))];
}

/** The same in one line, for where nothing can be drawn over. */
export function relayLine(metrics: PoolMetrics): string {
  return Object.values(metrics.relays)
    .map(({ status, successes }) => `${lookOf(status).glyph} ${status} ${successes}`)
    .join('  ');
}
