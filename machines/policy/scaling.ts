import { SCALING } from './limits.ts';
import { percentile } from './percentile.ts';

/** What was in flight or waited at one relay, at one time. */
interface LoadSample {
  readonly atMs: number;
  readonly load: number;
}

/** The load of the last minute, the oldest first. */
export type LoadSeries = readonly LoadSample[];

/** Takes in one more look. */
export const afterLook = (series: LoadSeries, load: number, nowMs: number): LoadSeries => [
  ...series.filter(({ atMs }) => nowMs - atMs < SCALING.downWithinMs),
  { atMs: nowMs, load },
];

export interface ScalingInput {
  readonly series: LoadSeries;
  /** Connections that are there or dialled, but for those about to be closed; and as many as may be. */
  readonly connections: number;
  readonly connectionsMax: number;
  /** Messages that one connection has room for. */
  readonly window: number;
  /** When that number last changed, and now. */
  readonly changedAtMs: number;
  readonly nowMs: number;
}

/**
 * How many connections the load asks for: by Little's law it is what is under way at one time. One more where the
 * 95th percentile of the last looks takes more than most of their room, and one less where a minute's highest load would leave half of the
 * room of the others free. It grows within seconds and shrinks after a minute, or it would do both all the time.
 */
export function connectionsWanted(input: ScalingInput): number {
  const { series, connections, connectionsMax, window, changedAtMs, nowMs } = input;
  if (connections > connectionsMax) return connectionsMax;
  const room = window * SCALING.upShare;
  const looks = SCALING.upWithinMs / SCALING.lookMs;
  const recent = series.filter(({ atMs }) => nowMs - atMs < SCALING.upWithinMs).map(({ load }) => load);
  // Looks that there have not been yet found nothing.
  const filled = [...recent, ...Array(Math.max(0, looks - recent.length)).fill(0)].sort((a, b) => a - b);
  const busy = percentile(filled, SCALING.upRank);
  if (busy > room * connections && nowMs - changedAtMs >= SCALING.upApartMs) {
    return Math.min(connectionsMax, Math.ceil(busy / room));
  }
  const highest = Math.max(0, ...series.map(({ load }) => load));
  const isQuiet = highest < SCALING.downShare * (connections - 1) * window;
  return connections > 1 && isQuiet && nowMs - changedAtMs >= SCALING.downWithinMs ? connections - 1 : connections;
}
