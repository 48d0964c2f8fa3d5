import { type RelayHistory, relayHistory } from '../../machines/policy/history.ts';
import { canonicalRelayUrl } from '../../machines/policy/relay-url.ts';
import { type PoolSettings, type RelayOptions, relaySettings } from '../../machines/policy/settings.ts';
import type { KeptPool } from '../../machines/pool/pool.context.ts';
import type { StateStore } from '../delivery/outbox/state-store.ts';

/** A relay of a former process: its options, and how it has been. */
export interface KeptRelay {
  readonly url: string;
  readonly options: RelayOptions;
  readonly history?: RelayHistory;
}

/** What a pool goes on with: its relays, and the options that they were given in common while it ran. */
export interface KeptState extends KeptPool {
  readonly relays: readonly KeptRelay[];
}

/** What outlasts a pool. */
export interface PoolState {
  /** What was kept last; nothing at the first start, and where it cannot be read. */
  readonly kept: KeptState | undefined;
  /**
   * What of it can be used with these settings. What cannot, such as a private relay where those are not allowed, is left
   * out and kept all the same.
   */
  fitting(settings: PoolSettings): KeptState | undefined;
  write(state: KeptState): Promise<void>;
}

/**
 * Opens what a former pool has left behind, for `createPool({ state })`. An outbox of `recloser/outbox-level` or
 * `recloser/outbox-indexeddb` is a store for it. Rejects with `OUTBOX_FAILED` where the store cannot be read; what was
 * written there and makes no sense is left out.
 */
export async function openState(store: StateStore): Promise<PoolState> {
  const text = await store.readState();
  return new StoredState(store, text === undefined ? undefined : parse(text));
}

class StoredState implements PoolState {
  kept: KeptState | undefined;
  readonly #store: StateStore;
  #unfit: readonly KeptRelay[] = [];

  constructor(store: StateStore, kept: KeptState | undefined) {
    this.#store = store;
    this.kept = kept;
  }

  fitting(settings: PoolSettings): KeptState | undefined {
    if (!this.kept) return undefined;
    const { options, relays } = this.kept;
    const common = attempt(() => relaySettings(options, settings.relay));
    const base = common ?? settings.relay;
    const fit = relays
      .filter((relay) =>
        attempt(() => [canonicalRelayUrl(relay.url, settings.trust), relaySettings(relay.options, base)]),
      )
      .slice(0, settings.supervisor.relaysMax);
    this.#unfit = relays.filter((relay) => !fit.includes(relay));
    return { options: common ? options : {}, relays: fit };
  }

  async write({ options, relays }: KeptState): Promise<void> {
    const urls = new Set(relays.map(({ url }) => url));
    const state = { options, relays: [...relays, ...this.#unfit.filter(({ url }) => !urls.has(url))] };
    await this.#store.writeState(JSON.stringify(state));
    this.kept = state;
  }
}

function parse(text: string): KeptState | undefined {
  const state = attempt(() => JSON.parse(text, (_key, value) => (value === null ? Number.POSITIVE_INFINITY : value)));
  if (!isObject(state) || !Array.isArray(state.relays)) return undefined;
  const relays = state.relays.flatMap((each: unknown) => attempt(() => keptRelay(each)) ?? []);
  // Where none of them can be read, nothing was kept.
  if (relays.length === 0 && state.relays.length > 0) return undefined;
  return { options: isObject(state.options) ? state.options : {}, relays };
}

function keptRelay(given: unknown): KeptRelay {
  const { url, options, history } = given as Record<string, unknown>;
  const read = attempt(() => relayHistory(history));
  return {
    // Whether it may be dialled, and with these options, depends on the pool.
    url: canonicalRelayUrl(url, { allowPrivate: true, allowInsecure: true }),
    options: isObject(options) ? options : {},
    ...(read ? { history: read } : {}),
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function attempt<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
