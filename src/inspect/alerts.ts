import { type AlertState, alertAfter, QUIET } from '../../machines/policy/alert.ts';
import { type Clock, type Pool, type PoolMetrics, RecloserError, type RelayMetrics, systemClock } from '../index.ts';

type NumberOf<Metrics> = {
  [Key in keyof Metrics]-?: NonNullable<Metrics[Key]> extends number ? Key & string : never;
}[keyof Metrics];

/** A number of the metrics: of the pool, of its failovers, or of every relay. */
export type AlertMetric =
  | NumberOf<PoolMetrics>
  | 'failovers.msP50'
  | 'failovers.msP99'
  | `relay.${NumberOf<RelayMetrics>}`;

/** What shall be told of. */
export interface AlertRule {
  /** What it is called when it is told. */
  readonly name: string;
  readonly metric: AlertMetric;
  /** At least one of them. */
  readonly above?: number | undefined;
  readonly below?: number | undefined;
  /** Milliseconds that it has to be so. Default 5000. */
  readonly forMs?: number | undefined;
}

/** A rule was broken, or holds again. */
export interface Alert {
  readonly name: string;
  readonly raised: boolean;
  /** Left out where it ended because its relay has left. */
  readonly value?: number;
  /** The relay, for metrics of relays. */
  readonly relay?: string;
}

export interface AlertOptions {
  /** Milliseconds between two looks. Default 1000. */
  readonly everyMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

const FOR_MS = 5_000;
const EVERY_MS = 1_000;

/** What a rule looks at: of one relay, or of the pool. */
type Value = readonly [relay: string | undefined, value: number | undefined];

function valuesOf({ metric }: AlertRule, metrics: PoolMetrics): readonly Value[] {
  if (metric.startsWith('relay.')) {
    const key = metric.slice('relay.'.length) as NumberOf<RelayMetrics>;
    return Object.entries(metrics.relays).map(([url, relay]) => [url, relay[key]]);
  }
  if (metric === 'failovers.msP50') return [[undefined, metrics.failovers.msP50]];
  if (metric === 'failovers.msP99') return [[undefined, metrics.failovers.msP99]];
  return [[undefined, metrics[metric as NumberOf<PoolMetrics>]]];
}

/** Throws `INVALID_OPTION` for a rule that could never be broken. */
export function checkRules(rules: readonly AlertRule[]): void {
  for (const { name, above, below, forMs = 0 } of rules) {
    const bounds = [above, below].filter((bound) => bound !== undefined);
    if (bounds.length > 0 && [...bounds, forMs].every(Number.isFinite)) continue;
    const problem = `The rule ${JSON.stringify(name)} has no bound; give above, below or both, as numbers.`;
    throw new RecloserError('INVALID_OPTION', problem);
  }
}

/**
 * Tells when a measurement of a pool is beyond its bound for as long as a rule says, and when it is not any more, until the returned
 * function is called or the pool has closed. Throws `INVALID_OPTION` for a rule without a bound.
 */
export function watchThresholds(
  pool: Pool,
  rules: readonly AlertRule[],
  onAlert: (alert: Alert) => void,
  options: AlertOptions = {},
): () => void {
  checkRules(rules);
  const { clock = systemClock, everyMs = EVERY_MS } = options;
  let states = new Map<string, AlertState>();
  let timer: unknown;
  const look = (): void => {
    const metrics = pool.metrics();
    const now = clock.now();
    const next = new Map<string, AlertState>();
    rules.forEach((rule, index) => {
      for (const [relay, value] of valuesOf(rule, metrics)) {
        const key = `${index} ${relay ?? ''}`;
        const before = states.get(key) ?? QUIET;
        const after = alertAfter({ ...rule, forMs: rule.forMs ?? FOR_MS }, before, value, now);
        next.set(key, after);
        if (after.isRaised === before.isRaised || value === undefined) continue;
        onAlert({ name: rule.name, raised: after.isRaised, value, ...(relay === undefined ? {} : { relay }) });
      }
    });
    // What is not in the pool any more has nothing to be told of.
    for (const [key, { isRaised }] of states) {
      if (!isRaised || next.has(key)) continue;
      const [index = '', relay = ''] = key.split(' ');
      onAlert({ name: rules[Number(index)]?.name ?? '', raised: false, relay });
    }
    states = next;
  };
  const beat = (): void => {
    timer = clock.setTimeout(() => {
      if (pool.actor.getSnapshot().status !== 'active') return;
      beat();
      look();
    }, everyMs);
  };
  beat();
  return () => clock.clearTimeout(timer);
}
