import type { Strategy } from './balance/candidate.ts';
import { STRATEGIES, type StrategyName } from './balance/strategies.ts';
import { RecloserError, shown } from './error.ts';
import {
  BALANCE_LIMITS,
  BREAKER_LIMITS,
  CONNECTION_LIMITS,
  type Limit,
  POOL_LIMITS,
  PUBLISH_LIMITS,
  RECONNECT_LIMITS,
  STANDING_LIMITS,
  SUBSCRIBE_LIMITS,
} from './limits.ts';
import { nearestName } from './nearest.ts';
import { PRESETS, type Preset } from './presets.ts';

type Numbers<Limits> = { readonly [Key in keyof Limits]: number };

export const BACKOFF_STRATEGIES = ['exponential', 'linear', 'fixed', 'decorrelated'] as const;
export type BackoffStrategy = (typeof BACKOFF_STRATEGIES)[number];

/**
 * Whether a relay may learn who we are (NIP-42): never, when it has refused something for want of it, or whenever it asks.
 */
const AUTH_POLICIES = ['never', 'when-required', 'always'] as const;
export type AuthPolicy = (typeof AUTH_POLICIES)[number];

export interface ReconnectSettings extends Numbers<typeof RECONNECT_LIMITS> {
  /** Whether a lost connection comes back by itself. Default `true`. */
  readonly enabled: boolean;
  /** How delays grow. Default `exponential`. */
  readonly strategy: BackoffStrategy;
  /** Whether delays are drawn at random, so that clients do not come back together. Default `true`. */
  readonly jitter: boolean;
}

export type BreakerSettings = Numbers<typeof BREAKER_LIMITS>;

/** Everything that one relay connection is told. */
export interface RelaySettings extends Numbers<typeof CONNECTION_LIMITS>, Numbers<typeof STANDING_LIMITS> {
  /** Where it is, for the strategy `geographic`; where nobody says, its latency does. */
  readonly region?: string;
  /** Whether signatures of what it sends are checked. Default `true`; only for a relay that is as good as oneself. */
  readonly verify: boolean;
  /** Whether the pool's signers are asked to authenticate there, over TLS or on this machine. Default `never`. */
  readonly authenticate: AuthPolicy;
  readonly reconnect: ReconnectSettings;
  readonly breaker: BreakerSettings;
}

export type PublishSettings = Numbers<typeof PUBLISH_LIMITS>;
export type SubscribeSettings = Numbers<typeof SUBSCRIBE_LIMITS>;
export type SupervisorSettings = Numbers<typeof POOL_LIMITS>;

/** How the relays are chosen that are asked, where not all are. */
export interface BalanceSettings extends Numbers<typeof BALANCE_LIMITS> {
  /** Default `two-choices`. */
  readonly strategy: StrategyName | Strategy;
  /** Preferred regions, the best first. */
  readonly regions: readonly string[];
}

/** Where relays may be. The defaults suit URLs that come from other people. */
export interface TrustSettings {
  /** Whether loopback, private and link-local addresses may be dialled. Default `false`. */
  readonly allowPrivate: boolean;
  /** Whether public relays may be dialled without TLS. Default `false`. */
  readonly allowInsecure: boolean;
}

export interface PoolSettings {
  readonly relay: RelaySettings;
  readonly publish: PublishSettings;
  readonly subscribe: SubscribeSettings;
  readonly supervisor: SupervisorSettings;
  readonly trust: TrustSettings;
  readonly balance: BalanceSettings;
  /** Relays by the name of their cluster. */
  readonly clusters: Readonly<Record<string, readonly string[]>>;
}

type Input<Settings> = { readonly [Key in keyof Settings]?: Settings[Key] | undefined };

/** Settings of one relay as an application gives them: whatever is left out keeps its default. */
export interface RelayOptions extends Input<Numbers<typeof CONNECTION_LIMITS>>, Input<Numbers<typeof STANDING_LIMITS>> {
  readonly region?: string | undefined;
  /**
   * Whether the events of this relay are verified. Where they are not, it is believed whatever it sends, the id too: a genuine
   * event of the same id is not delivered after its. Default true.
   */
  readonly verify?: boolean | undefined;
  readonly authenticate?: AuthPolicy | undefined;
  readonly reconnect?: Input<ReconnectSettings> | undefined;
  readonly breaker?: Input<BreakerSettings> | undefined;
}

/** Settings of a pool as an application gives them; relay settings given here are the default of every relay. */
export interface PoolOptions extends RelayOptions {
  /** Options that go together; what is given beside it lies over it. Default `production`. */
  readonly preset?: Preset | undefined;
  readonly publish?: Input<PublishSettings> | undefined;
  readonly subscribe?: Input<SubscribeSettings> | undefined;
  readonly supervisor?: Input<SupervisorSettings> | undefined;
  readonly trust?: Input<TrustSettings> | undefined;
  /** How relays are chosen: a name, a function, or more. */
  readonly balance?: StrategyName | Strategy | Input<BalanceSettings> | undefined;
  /** Names for groups of relays, to publish to with `relays: { cluster, copies }`. */
  readonly clusters?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** Options of a pool that can be changed while it runs. */
export type RunningOptions = RelayOptions & Pick<PoolOptions, (typeof RUNNING_KEYS)[number]>;

const RUNNING_KEYS = ['balance', 'publish', 'clusters'] as const;

const numbersOf = <Limits extends Record<string, Limit>>(limits: Limits): Numbers<Limits> =>
  Object.fromEntries(Object.entries(limits).map(([key, limit]) => [key, limit.default])) as Numbers<Limits>;

export const DEFAULT_RELAY_SETTINGS: RelaySettings = {
  ...numbersOf(CONNECTION_LIMITS),
  ...numbersOf(STANDING_LIMITS),
  verify: true,
  authenticate: 'never',
  reconnect: { enabled: true, strategy: 'exponential', jitter: true, ...numbersOf(RECONNECT_LIMITS) },
  breaker: numbersOf(BREAKER_LIMITS),
};

const DEFAULT_PUBLISH_SETTINGS: PublishSettings = numbersOf(PUBLISH_LIMITS);

const DEFAULTS: PoolSettings = {
  relay: DEFAULT_RELAY_SETTINGS,
  publish: DEFAULT_PUBLISH_SETTINGS,
  subscribe: numbersOf(SUBSCRIBE_LIMITS),
  supervisor: numbersOf(POOL_LIMITS),
  trust: { allowPrivate: false, allowInsecure: false },
  balance: { strategy: 'two-choices', regions: [], ...numbersOf(BALANCE_LIMITS) },
  clusters: {},
};

function refuse(name: string, value: unknown, wanted: string): never {
  throw new RecloserError('INVALID_OPTION', `${name} is ${shown(value)}; give ${wanted}.`);
}

/** Checks one number against its limit and returns it. */
export function checkNumber(name: string, value: unknown, limit: Limit): number {
  if (limit.unlimited && value === Number.POSITIVE_INFINITY) return value;
  const fits = typeof value === 'number' && value >= limit.min && value <= limit.max;
  if (!fits || (limit.whole && !Number.isInteger(value))) {
    const kind = limit.whole ? 'a whole number' : 'a number';
    refuse(name, value, `${kind} from ${limit.min} to ${limit.max}${limit.unlimited ? ', or Infinity' : ''}`);
  }
  return value as number;
}

/**
 * Checks that an object has no other keys than these; throws `INVALID_OPTION` that names the nearest one. `where` says whose
 * options they are, such as `publish`; it is empty for those of a relay or a pool.
 */
export function checkKeys(where: string, given: object, known: readonly string[]): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const name = where ? `${where}.${key}` : key;
    const nearest = nearestName(key, known);
    const hint =
      nearest === undefined
        ? `Known are ${known.join(', ')}`
        : `Did you mean ${nearest}? Known are ${known.join(', ')}`;
    throw new RecloserError('INVALID_OPTION', `There is no option ${shown(name)}. ${hint}.`);
  }
}

function record(name: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(name, value, 'an object');
  checkKeys(name, value, known);
  return value as Record<string, unknown>;
}

function numbers<Limits extends Record<string, Limit>>(
  name: string,
  given: Record<string, unknown>,
  limits: Limits,
  base: Numbers<Limits>,
): Numbers<Limits> {
  const result: Record<string, number> = { ...base };
  for (const [key, limit] of Object.entries(limits)) {
    if (given[key] !== undefined) result[key] = checkNumber(name ? `${name}.${key}` : key, given[key], limit);
  }
  return result as Numbers<Limits>;
}

function flag(name: string, value: unknown, base: boolean): boolean {
  if (value === undefined) return base;
  return typeof value === 'boolean' ? value : refuse(name, value, 'true or false');
}

function authPolicy(value: unknown, base: AuthPolicy): AuthPolicy {
  if (value === undefined) return base;
  const known = AUTH_POLICIES.find((each) => each === value);
  return known ?? refuse('authenticate', value, `one of ${AUTH_POLICIES.join(', ')}`);
}

function text(name: string, value: unknown): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= 64) return value;
  return refuse(name, value, 'a name of at most 64 characters');
}

function texts(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value)) return refuse(name, value, 'a list of strings');
  return value.map((each) => (typeof each === 'string' ? each : refuse(name, each, 'strings')));
}

function balanceSettings(given: unknown, base: BalanceSettings): BalanceSettings {
  const isShort = typeof given === 'string' || typeof given === 'function';
  const input = isShort
    ? { strategy: given }
    : record('balance', given, [...keysOf(BALANCE_LIMITS), 'strategy', 'regions']);
  const { strategy = base.strategy, regions = base.regions } = input as Partial<BalanceSettings>;
  if (typeof strategy !== 'function' && !Object.hasOwn(STRATEGIES, strategy)) {
    refuse('balance.strategy', strategy, `a function, or one of ${Object.keys(STRATEGIES).join(', ')}`);
  }
  return {
    ...numbers('balance', input as Record<string, unknown>, BALANCE_LIMITS, base),
    strategy,
    regions: texts('balance.regions', regions),
  };
}

function clusterSettings(given: unknown): PoolSettings['clusters'] {
  if (given === undefined) return {};
  if (typeof given !== 'object' || given === null || Array.isArray(given)) refuse('clusters', given, 'an object');
  return Object.fromEntries(
    Object.entries(given as object).map(([name, urls]) => [name, texts(`clusters.${name}`, urls)]),
  );
}

function ordered(low: string, lowValue: number, high: string, highValue: number): void {
  if (lowValue > highValue) refuse(low, lowValue, `at most ${high}, which is ${highValue}`);
}

const keysOf = (...limits: readonly Record<string, Limit>[]): string[] => limits.flatMap((each) => Object.keys(each));

function reconnectSettings(given: unknown, base: ReconnectSettings): ReconnectSettings {
  const input = record('reconnect', given, [...keysOf(RECONNECT_LIMITS), 'enabled', 'strategy', 'jitter']);
  const strategy = input.strategy ?? base.strategy;
  if (!BACKOFF_STRATEGIES.includes(strategy as BackoffStrategy)) {
    refuse('reconnect.strategy', strategy, `one of ${BACKOFF_STRATEGIES.join(', ')}`);
  }
  const settings: ReconnectSettings = {
    ...numbers('reconnect', input, RECONNECT_LIMITS, base),
    enabled: flag('reconnect.enabled', input.enabled, base.enabled),
    jitter: flag('reconnect.jitter', input.jitter, base.jitter),
    strategy: strategy as BackoffStrategy,
  };
  ordered('reconnect.initialDelayMs', settings.initialDelayMs, 'reconnect.maxDelayMs', settings.maxDelayMs);
  ordered('reconnect.minDelayMs', settings.minDelayMs, 'reconnect.maxDelayMs', settings.maxDelayMs);
  return settings;
}

function breakerSettings(given: unknown, base: BreakerSettings): BreakerSettings {
  const settings = numbers('breaker', record('breaker', given, keysOf(BREAKER_LIMITS)), BREAKER_LIMITS, base);
  ordered('breaker.openMs', settings.openMs, 'breaker.openMaxMs', settings.openMaxMs);
  return settings;
}

const RELAY_LIMITS = { ...CONNECTION_LIMITS, ...STANDING_LIMITS };
const RELAY_KEYS = [...keysOf(RELAY_LIMITS), 'region', 'verify', 'authenticate', 'reconnect', 'breaker'];

/** Lays `options` over `base` and checks the result; throws `INVALID_OPTION` with what to give instead. */
export function relaySettings(options?: RelayOptions, base: RelaySettings = DEFAULT_RELAY_SETTINGS): RelaySettings {
  const input = record('', options, RELAY_KEYS);
  const region = input.region === undefined ? base.region : text('region', input.region);
  return {
    ...numbers('', input, RELAY_LIMITS, base),
    ...(region === undefined ? {} : { region }),
    verify: flag('verify', input.verify, base.verify),
    authenticate: authPolicy(input.authenticate, base.authenticate),
    reconnect: reconnectSettings(input.reconnect, base.reconnect),
    breaker: breakerSettings(input.breaker, base.breaker),
  };
}

/** Lays `options` over `base` and checks the result; throws `INVALID_OPTION` with what to give instead. */
function publishSettings(options: unknown, base: PublishSettings = DEFAULT_PUBLISH_SETTINGS): PublishSettings {
  return numbers('publish', record('publish', options, keysOf(PUBLISH_LIMITS)), PUBLISH_LIMITS, base);
}

function subscribeSettings(options: unknown, base: SubscribeSettings): SubscribeSettings {
  const input = record('subscribe', options, keysOf(SUBSCRIBE_LIMITS));
  const settings = numbers('subscribe', input, SUBSCRIBE_LIMITS, base);
  ordered('subscribe.retryDelayMs', settings.retryDelayMs, 'subscribe.retryDelayMaxMs', settings.retryDelayMaxMs);
  return settings;
}

/** Lays `options` over their preset and checks the result; throws `INVALID_OPTION` with what to give instead. */
export function poolSettings(options?: PoolOptions): PoolSettings {
  const { preset = 'production', ...given } = record('', options, ['preset', ...POOL_KEYS]);
  if (typeof preset !== 'string' || !Object.hasOwn(PRESETS, preset)) {
    refuse('preset', preset, `one of ${Object.keys(PRESETS).join(', ')}`);
  }
  return overlaid(given, overlaid(KNOWN_PRESETS[preset as Preset] as Record<string, unknown>, DEFAULTS));
}

// Said here, so that a preset can only have options that there are.
const KNOWN_PRESETS: Readonly<Record<Preset, Omit<PoolOptions, 'preset'>>> = PRESETS;
const POOL_KEYS = [...RELAY_KEYS, 'publish', 'subscribe', 'supervisor', 'trust', 'balance', 'clusters'];

/** Separates the options that relays have in common from those of the pool. Throws `INVALID_OPTION` for unknown names. */
export function runningOptions(options: RunningOptions): {
  readonly relay: RelayOptions;
  readonly pool: Pick<PoolOptions, (typeof RUNNING_KEYS)[number]>;
} {
  const { balance, publish, clusters, ...relay } = record('', options, [...RELAY_KEYS, ...RUNNING_KEYS]);
  return { relay, pool: { balance, publish, clusters } as PoolOptions };
}

/** Lays options over the settings of a running pool; throws `INVALID_OPTION` with what to give instead. */
export function runningSettings(options: RunningOptions, base: PoolSettings): PoolSettings {
  const { relay, pool } = runningOptions(options);
  return {
    ...base,
    relay: relaySettings(relay, base.relay),
    balance: pool.balance === undefined ? base.balance : balanceSettings(pool.balance, base.balance),
    publish: publishSettings(pool.publish, base.publish),
    clusters: pool.clusters === undefined ? base.clusters : clusterSettings(pool.clusters),
  };
}

function overlaid(given: Record<string, unknown>, base: PoolSettings): PoolSettings {
  const { publish, subscribe, supervisor, trust, balance, clusters, ...relay } = given;
  const trusted = record('trust', trust, ['allowPrivate', 'allowInsecure']);
  return {
    relay: relaySettings(relay, base.relay),
    publish: publishSettings(publish, base.publish),
    subscribe: subscribeSettings(subscribe, base.subscribe),
    supervisor: numbers(
      'supervisor',
      record('supervisor', supervisor, keysOf(POOL_LIMITS)),
      POOL_LIMITS,
      base.supervisor,
    ),
    trust: {
      allowPrivate: flag('trust.allowPrivate', trusted.allowPrivate, base.trust.allowPrivate),
      allowInsecure: flag('trust.allowInsecure', trusted.allowInsecure, base.trust.allowInsecure),
    },
    balance: balanceSettings(balance, base.balance),
    clusters: clusters === undefined ? base.clusters : clusterSettings(clusters),
  };
}
