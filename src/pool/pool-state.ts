import { type RelayHistory, relayHistory } from '../../machines/policy/history.ts';
import { canonicalRelayUrl } from '../../machines/policy/relay-url.ts';
import { type RelayOptions, relaySettings } from '../../machines/policy/settings.ts';
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
  /** What was kept; nothing at the first start, and where it cannot be read. */
  readonly kept: KeptState | undefined;
  write(state: KeptState): Promise<void>;
}

/**
 * Opens what a former pool has left behind, for `createPool({ state })`. An outbox of `recloser/outbox-level` or
 * `recloser/outbox-indexeddb` is a store for it. Rejects with `OUTBOX_FAILED` where the store cannot be read; what was
 * written there and makes no sense is left out.
 */
export async function openState(store: StateStore): Promise<PoolState> {
  const text = await store.readState();
  return {
    kept: text === undefined ? undefined : parse(text),
    write: (state) => store.writeState(JSON.stringify(state)),
  };
}

function parse(text: string): KeptState | undefined {
  const state = attempt(() => JSON.parse(text, (_key, value) => (value === null ? Number.POSITIVE_INFINITY : value)));
  if (typeof state !== 'object' || !Array.isArray(state.relays)) return undefined;
  return {
    options: attempt(() => checked(state.options)) ?? {},
    relays: state.relays.flatMap((each: unknown) => attempt(() => keptRelay(each)) ?? []),
  };
}

function keptRelay(given: unknown): KeptRelay {
  const { url, options, history } = given as Record<string, unknown>;
  const read = attempt(() => relayHistory(history));
  return {
    // Whether it may be dialled, the pool decides that it is given to.
    url: canonicalRelayUrl(url, { allowPrivate: true, allowInsecure: true }),
    options: checked(options),
    ...(read ? { history: read } : {}),
  };
}

function checked(options: unknown): RelayOptions {
  relaySettings(options as RelayOptions);
  return options as RelayOptions;
}

function attempt<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
