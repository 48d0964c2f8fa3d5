import { produce } from 'immer';
import { RecloserError, readable, shown } from '../policy/error.ts';
import { type RelayHistory, relayHistory } from '../policy/history.ts';
import { EJECTED_SHARE_MAX, NETWORK_DOUBT, PANIC, POOL_LIMITS } from '../policy/limits.ts';
import { NO_READING, type Reading } from '../policy/reading.ts';
import { canonicalRelayUrl } from '../policy/relay-url.ts';
import { mayRestart, recentRestarts } from '../policy/restart.ts';
import {
  checkNumber,
  type PoolOptions,
  type PoolSettings,
  poolSettings,
  type RelayOptions,
  type RelaySettings,
  relaySettings,
  runningOptions,
  runningSettings,
} from '../policy/settings.ts';
import { isRoutable, type NetworkState, type RelayStatus } from '../policy/status.ts';
import type { RelayFact } from '../relay/relay.events.ts';
import type { PoolCommand, PoolEvent } from './pool.events.ts';

/** A relay as it is given to the pool. */
export type RelayEntry =
  | string
  | {
      readonly url: string;
      readonly options?: RelayOptions;
      /** How it has been so far, where that was kept. */
      readonly history?: RelayHistory;
    };

/** What of a pool is worth keeping over a restart, but for what is measured. */
export interface KeptPool {
  /** Options that the relays were given in common while the pool ran. */
  readonly options: RelayOptions;
  readonly relays: readonly { readonly url: string; readonly options: RelayOptions }[];
}

export interface PoolInput {
  readonly relays?: readonly RelayEntry[];
  readonly options?: PoolOptions;
  /** Options that `CONFIGURE` had laid over those, in a former process. */
  readonly configured?: RelayOptions;
  /** Whether relays are dialled as soon as they are known. Default `true`. */
  readonly connect?: boolean;
}

/**
 * `new` has no actor yet; `leaving` was removed and is closing; `returning` was added again meanwhile; `abandoned`
 * crashed too often and has no actor any more.
 */
export type RelayPhase = 'new' | 'present' | 'leaving' | 'returning' | 'abandoned';

/** What the pool knows of one relay. */
export interface RelayRecord {
  readonly phase: RelayPhase;
  readonly status: RelayStatus;
  /** Whether it is degraded because it is silent. */
  readonly suspect: boolean;
  /** Whether its circuit was opened for how it answers, and has not closed since. */
  readonly ejected: boolean;
  readonly generation: number;
  /** Whether the last request was to be connected. */
  readonly wanted: boolean;
  /** True if a caller waits for this relay. */
  readonly needed: boolean;
  /** True if it has been connected at least once. */
  readonly hasServed: boolean;
  /** Why it is not connected, in one line; nothing while it is, or before the first attempt. */
  readonly reason: string | undefined;
  readonly options: RelayOptions;
  readonly settings: RelaySettings;
  /** Times of the restarts that still count, and how many there were in all. */
  readonly restartsAt: readonly number[];
  readonly restarts: number;
  /** How it was in former processes. */
  readonly history: RelayHistory | undefined;
}

export interface PoolContext {
  readonly reading: Reading;
  readonly settings: PoolSettings;
  /** Relay options that the whole pool was given, under those of each relay. */
  readonly options: RelayOptions;
  /** Those of them that came by `CONFIGURE`. */
  readonly configured: RelayOptions;
  readonly relays: Readonly<Record<string, RelayRecord>>;
  /** Whether new relays are dialled at once. */
  readonly connects: boolean;
  readonly drainMs: number;
  /** What the relays have been told: whether one more may be ejected, and what is known of our own network. */
  readonly ejectable: boolean;
  readonly network: NetworkState;
  /** Times at which relays that served were lost or fell silent, as far as they are recent. */
  readonly lostAtMs: Readonly<Record<string, number>>;
  /** Refused upgrades of relays, as far as they are recent. */
  readonly refusedUpgrades: Readonly<Record<string, RefusedUpgrade>>;
}

interface RefusedUpgrade {
  readonly httpStatus: number;
  readonly atMs: number;
}

type Update = Partial<PoolContext>;
type Of<Type extends PoolCommand['type']> = Extract<PoolCommand, { type: Type }>;

/** Lays one set of relay options over another. */
const overlay = (base: RelayOptions, over: RelayOptions = {}): RelayOptions => ({
  ...base,
  ...given(over),
  reconnect: { ...base.reconnect, ...given(over.reconnect) },
  breaker: { ...base.breaker, ...given(over.breaker) },
});

/** What an application leaves undefined, it does not give. */
const given = <Options extends object>(options: Options | undefined): Partial<Options> =>
  Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined)) as Partial<Options>;

function newRecord(
  context: Pick<PoolContext, 'settings' | 'connects'>,
  options: RelayOptions = {},
  history?: RelayHistory,
): RelayRecord {
  return {
    phase: 'new',
    status: 'idle',
    suspect: false,
    ejected: false,
    generation: 0,
    // A copy: what the application gave stays the application's.
    options: overlay({}, options),
    wanted: context.connects,
    needed: false,
    hasServed: false,
    reason: undefined,
    settings: relaySettings(options, context.settings.relay),
    restartsAt: [],
    restarts: 0,
    history,
  };
}

/** Throws `INVALID_OPTION` or `INVALID_URL` for input that cannot be used. */
export function initialPoolContext(input: PoolInput): PoolContext {
  const asGiven = poolSettings(input.options);
  const { configured = {} } = input;
  const settings = { ...asGiven, relay: relaySettings(configured, asGiven.relay) };
  const {
    preset: _preset,
    publish: _publish,
    subscribe: _subscribe,
    supervisor: _supervisor,
    trust: _trust,
    balance: _balance,
    clusters: _clusters,
    ...options
  } = input.options ?? {};
  const connects = input.connect ?? true;
  const relays = (input.relays ?? []).map((entry) => (typeof entry === 'string' ? { url: entry } : entry));
  if (relays.length > settings.supervisor.relaysMax) {
    throw new RecloserError(
      'INVALID_OPTION',
      `There are ${relays.length} relays; at most ${settings.supervisor.relaysMax} fit.`,
    );
  }
  return {
    reading: NO_READING,
    settings,
    options: overlay(options, configured),
    configured: overlay({}, configured),
    relays: Object.fromEntries(
      relays.map((entry) => [
        canonicalRelayUrl(entry.url, settings.trust),
        newRecord({ settings, connects }, entry.options, entry.history && relayHistory(entry.history)),
      ]),
    ),
    connects,
    drainMs: settings.supervisor.drainMs,
    ejectable: mayEject(relays.length, 0, relays.length),
    network: 'well',
    lostAtMs: {},
    refusedUpgrades: {},
  };
}

/** The canonical form of a URL that a command names. Throws `INVALID_URL`. */
export const urlOf = (context: PoolContext, url: string): string => canonicalRelayUrl(url, context.settings.trust);

/** The relays that a command is about: the one that it names, or all. */
export const addressed = (context: PoolContext, url: string | undefined): readonly string[] =>
  url === undefined ? Object.keys(context.relays) : [urlOf(context, url)];

/**
 * Why a command cannot be carried out, or nothing. Chart and promise-facing calls ask the same question, so that both
 * doors refuse the same things.
 */
export function problemOf(context: PoolContext, command: PoolCommand): RecloserError | undefined {
  try {
    // A command can be anything; one that throws when it is read is as wrong as any other.
    readable(command.type, () => check(context, command));
    return undefined;
  } catch (error) {
    return error as RecloserError;
  }
}

function check(context: PoolContext, command: PoolCommand): void {
  switch (command.type) {
    case 'ADD_RELAY': {
      const url = urlOf(context, command.url);
      relaySettings(command.options, context.settings.relay);
      const { relaysMax } = context.settings.supervisor;
      if (!(url in context.relays) && Object.keys(context.relays).length >= relaysMax) {
        throw new RecloserError(
          'INVALID_OPTION',
          `The pool has ${relaysMax} relays, as many as fit; remove one first.`,
        );
      }
      return;
    }
    case 'CONFIGURE_RELAY':
      relaySettings(command.options, known(context, command.url).settings);
      return;
    case 'CONFIGURE': {
      const { relay } = runningOptions(command.options);
      runningSettings(command.options, context.settings);
      for (const record of Object.values(context.relays)) {
        relaySettings(overlay(relay, record.options), context.settings.relay);
      }
      return;
    }
    case 'REMOVE_RELAY':
      known(context, command.url);
      return;
    case 'CONNECT':
    case 'DISCONNECT':
      if (command.url !== undefined) known(context, command.url);
      return;
    case 'DRAIN':
      if (command.timeoutMs !== undefined) checkNumber('timeoutMs', command.timeoutMs, POOL_LIMITS.drainMs);
      return;
    default:
  }
}

function known(context: PoolContext, url: string): RelayRecord {
  const record = context.relays[urlOf(context, url)];
  if (!record) throw new RecloserError('NO_RELAYS', `Relay ${shown(url)} is not in the pool; add it first.`);
  return record;
}

/** Edits one relay's record; a relay that is not there any more is left alone. */
function edit(context: PoolContext, url: string, change: (record: RelayRecord) => Partial<RelayRecord>): Update {
  return {
    relays: produce(context.relays, (draft) => {
      const record = draft[url];
      if (record) draft[url] = { ...record, ...change(record as RelayRecord) } as typeof record;
    }),
  };
}

export function addRelay(context: PoolContext, command: Of<'ADD_RELAY'>): Update {
  const url = urlOf(context, command.url);
  const record = context.relays[url];
  if (record?.phase === 'present') {
    return configureRelay(context, { type: 'CONFIGURE_RELAY', url, options: command.options ?? {} });
  }
  const fresh = newRecord(context, command.options);
  const added =
    record?.phase === 'leaving' || record?.phase === 'returning'
      ? ({ ...fresh, phase: 'returning', generation: record.generation } as const)
      : fresh;
  return { relays: { ...context.relays, [url]: added } };
}

/** The relays that wait for an actor. */
export const newRelays = (context: PoolContext): readonly string[] =>
  Object.keys(context.relays).filter((url) => context.relays[url]?.phase === 'new');

export const markSpawned = (context: PoolContext): Update => ({
  relays: produce(context.relays, (draft) => {
    for (const record of Object.values(draft)) if (record.phase === 'new') record.phase = 'present';
  }),
});

/** Whether there is an actor to talk to. */
export const hasActor = (record: RelayRecord | undefined): record is RelayRecord =>
  record !== undefined && record.phase !== 'new' && record.phase !== 'abandoned' && record.status !== 'stopped';

export const removeRelay = (context: PoolContext, url: string): Update =>
  edit(context, url, () => ({ phase: 'leaving' }));

/** The relay actor has ended. */
export function forgetRelay(context: PoolContext, url: string): Update {
  const { [url]: _gone, ...relays } = context.relays;
  return { relays };
}

/** The relay actor has ended, and the relay was added again meanwhile: it waits for a new one. */
export const renewRelay = (context: PoolContext, url: string): Update =>
  edit(context, url, () => ({ phase: 'new', status: 'idle' }));

/** What was asked for last: to be connected, or not. */
export function recordWish(context: PoolContext, command: Of<'CONNECT'> | Of<'DISCONNECT'>): Update {
  const wanted = command.type === 'CONNECT';
  const named = addressed(context, command.url);
  return {
    relays: produce(context.relays, (draft) => {
      for (const url of named) if (draft[url]) draft[url].wanted = wanted;
    }),
  };
}

export function configureRelay(context: PoolContext, command: Of<'CONFIGURE_RELAY'>): Update {
  return edit(context, urlOf(context, command.url), (record) => ({
    options: overlay(record.options, command.options),
    settings: relaySettings(command.options, record.settings),
  }));
}

/** Changes what relays have in common; what a relay was given for itself stays. */
export function configure(context: PoolContext, command: Of<'CONFIGURE'>): Update {
  const settings = runningSettings(command.options, context.settings);
  const { relay } = settings;
  const options = runningOptions(command.options).relay;
  return {
    settings,
    options: overlay(context.options, options),
    configured: overlay(context.configured, options),
    relays: produce(context.relays, (draft) => {
      for (const record of Object.values(draft)) {
        record.settings = relaySettings(record.options as RelayOptions, relay);
      }
    }),
  };
}

/** What is kept of the pool: the relays that it shall have, and what was changed while it ran. */
export const keptPool = ({ configured, relays }: PoolContext): KeptPool => ({
  options: configured,
  relays: Object.entries(relays).flatMap(([url, { phase, options }]) =>
    phase === 'leaving' ? [] : [{ url, options }],
  ),
});

export function trackStatus(context: PoolContext, fact: Extract<RelayFact, { type: 'relay.status-changed' }>): Update {
  const { status, generation, suspect = false, ejected = false, reason } = fact;
  return edit(context, fact.url, (record) => ({
    status,
    generation,
    suspect,
    ejected,
    reason: isRoutable(status) ? undefined : (reason ?? record.reason),
    hasServed: record.hasServed || isRoutable(status),
  }));
}

/** A caller waits for this relay, or no longer does. */
export const recordNeed = (context: PoolContext, url: string, needed: boolean): Update =>
  edit(context, url, () => ({ needed }));

export function recordRestart(context: PoolContext, url: string): Update {
  const { reading, settings } = context;
  return edit(context, url, (record) => ({
    restartsAt: [...recentRestarts(record.restartsAt, settings.supervisor, reading.nowMs), reading.nowMs],
    restarts: record.restarts + 1,
    phase: 'present',
    status: 'idle',
    suspect: false,
    ejected: false,
  }));
}

export const abandonRelay = (context: PoolContext, url: string): Update =>
  edit(context, url, () => ({ phase: 'abandoned', status: 'stopped', suspect: false, ejected: false }));

/** Whether a crashed relay actor is started again. */
export function mayRestartRelay(context: PoolContext, url: string): boolean {
  const record = context.relays[url];
  const wanted = record?.phase === 'present' || record?.phase === 'returning';
  return wanted && mayRestart(record.restartsAt, context.settings.supervisor, context.reading.nowMs);
}

export const hasRoutable = (context: PoolContext): boolean =>
  Object.values(context.relays).some((record) => isRoutable(record.status));

/** Whether every relay has been tried and none is on its way. */
export const isEveryRelayDown = (context: PoolContext): boolean =>
  Object.values(context.relays).every(({ status }) => isDown(status));

const isDown = (status: RelayStatus): boolean =>
  status === 'backoff' ||
  status === 'open-circuit' ||
  status === 'paused' ||
  status === 'locked-out' ||
  status === 'stopped';

/** How many relays are meant to serve, do, and are kept from it for how they answer. */
export function census(context: PoolContext): { total: number; routable: number; ejected: number } {
  let total = 0;
  let routable = 0;
  let ejected = 0;
  for (const record of Object.values(context.relays)) {
    if (!record.wanted || record.phase === 'leaving') continue;
    total += 1;
    if (isRoutable(record.status)) routable += 1;
    if (record.ejected) ejected += 1;
  }
  return { total, routable, ejected };
}

/** Whether so few relays serve that the pool does not choose any more. */
export function isStrained(context: PoolContext): boolean {
  const { total, routable } = census(context);
  return total >= PANIC.relaysMin && routable / total < PANIC.share;
}

/** Whether somebody is still dialled who has never been heard of. */
export const isStarting = (context: PoolContext): boolean =>
  Object.values(context.relays).some(({ status, wanted }) => wanted && !isDown(status) && !isRoutable(status));

/** Whether one more relay may be put aside for how it answers: never the last that serves, nor more than a share. */
const mayEject = (total: number, ejected: number, routable: number): boolean =>
  routable >= 2 && (ejected + 1) / total <= EJECTED_SHARE_MAX;

export function isEjectionAllowed(context: PoolContext): boolean {
  const { total, routable, ejected } = census(context);
  return mayEject(total, ejected, routable);
}

type LossFact = Extract<RelayFact, { type: 'relay.suspected' | 'relay.disconnected' }>;

/** Returns the relays that served and were lost or fell silent a moment ago, including this one. */
function recentLosses({ lostAtMs, relays }: PoolContext, { url, atMs }: LossFact): readonly string[] {
  const recent = Object.entries(lostAtMs).flatMap(([each, at]) => (atMs - at <= NETWORK_DOUBT.withinMs ? [each] : []));
  const served = relays[url] !== undefined && isRoutable(relays[url].status);
  return served && !recent.includes(url) ? [...recent, url] : recent;
}

/** Returns the refused upgrades within the window, including the one that this fact reports. */
function recentRefusals({ refusedUpgrades }: PoolContext, fact: LossFact): PoolContext['refusedUpgrades'] {
  const { url, atMs } = fact;
  const isRecent = ([, refusal]: readonly [string, RefusedUpgrade]): boolean =>
    atMs - refusal.atMs <= NETWORK_DOUBT.refusedWithinMs;
  const recent = Object.fromEntries(Object.entries(refusedUpgrades).filter(isRecent));
  const httpStatus = fact.type === 'relay.disconnected' ? fact.httpStatus : undefined;
  return httpStatus === undefined ? recent : { ...recent, [url]: { httpStatus, atMs } };
}

/**
 * Returns true if half of the relays, two at least, refuse the upgrade with one status: a portal, a proxy or a redeployment
 * answers for them. A relay that has never served may simply reject this client, so it counts only while no relay has served.
 */
function isRefusedInCrowd(context: PoolContext, fact: LossFact): boolean {
  if (fact.type !== 'relay.disconnected' || fact.httpStatus === undefined) return false;
  const { relays } = context;
  const members = Object.entries(relays).filter(([, { wanted, phase }]) => wanted && phase !== 'leaving');
  const haveServed = members.filter(([, { hasServed }]) => hasServed);
  const counted = haveServed.length > 0 ? haveServed : members;
  const refusals = recentRefusals(context, fact);
  const same = counted.filter(([url]) => refusals[url]?.httpStatus === fact.httpStatus).length;
  return same >= Math.max(NETWORK_DOUBT.relaysMin, NETWORK_DOUBT.share * counted.length);
}

/** Returns true if so many relays have failed within a moment that our own network is to blame. */
export function makesNetworkDoubtful(context: PoolContext, fact: LossFact): boolean {
  if (isRefusedInCrowd(context, fact)) return true;
  const lost = recentLosses(context, fact);
  const served = new Set(lost);
  for (const [url, { status }] of Object.entries(context.relays)) if (isRoutable(status)) served.add(url);
  return lost.length >= Math.max(NETWORK_DOUBT.relaysMin, NETWORK_DOUBT.share * served.size);
}

export const recordNetworkLoss = (context: PoolContext, fact: LossFact): Update => ({
  lostAtMs: Object.fromEntries(
    recentLosses(context, fact).map((url) => [
      url,
      url === fact.url ? fact.atMs : (context.lostAtMs[url] ?? fact.atMs),
    ]),
  ),
  refusedUpgrades: recentRefusals(context, fact),
});

export function forgetNetworkLoss({ lostAtMs }: PoolContext, url: string): Update {
  const { [url]: lost, ...others } = lostAtMs;
  return lost === undefined ? {} : { lostAtMs: others };
}

const RELAY_ID = 'relay:' as const;

/** The id of a relay's actor within the pool. */
export const actorIdOf = (url: string): `relay:${string}` => `${RELAY_ID}${url}`;

/** The relay whose actor has this id; nothing for the pool's other actors. */
const urlOfActor = (actorId: string): string | undefined =>
  actorId.startsWith(RELAY_ID) ? actorId.slice(RELAY_ID.length) : undefined;

/** The relay that an event is about, where it is about one. */
export function subjectOf(context: PoolContext, event: PoolEvent): string | undefined {
  if ('actorId' in event) return urlOfActor(event.actorId);
  if (!('url' in event) || event.url === undefined) return undefined;
  // Facts name relays as the pool knows them; commands as the application writes them.
  return event.type.startsWith('relay.') ? event.url : urlOf(context, event.url);
}
