import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import {
  type CreatePoolOptions,
  createPool,
  type Pool,
  type PublishOptions,
  type Receipt,
  RecloserError,
  type RelayOptions,
} from '../index.ts';
import type { PoolStatus, RelayHealth } from './pool-store.ts';
import { usePoolStatus } from './use-pool-status.ts';

/** A frame as it came, and the relay that sent it. */
export interface RelayMessage {
  readonly url: string;
  readonly message: string | Uint8Array;
}

/** A pool in a component: how its relays are, and what can be done with it. */
export interface RelayPool extends PoolStatus {
  /** The pool itself, once the component is there; nothing while it is rendered on a server. */
  readonly pool: Pool | undefined;
  /** As `Pool.publish`, to all relays. */
  publishToAll(event: unknown, options?: PublishOptions): Promise<Receipt>;
  /** As `Pool.publish`, to one relay. */
  publishToRelay(url: string, event: unknown, options?: PublishOptions): Promise<Receipt>;
  /** How a relay is; nothing where it is not in the pool. */
  getRelayHealth(url: string): RelayHealth | undefined;
  /** Whether a relay may be dialled now: its circuit is not open, and it was not given up. */
  canConnectToRelay(url: string): boolean;
  /** Hears every frame of every relay, until the returned function is called. */
  subscribeToMessages(listener: (message: RelayMessage) => void): () => void;
}

/** A relay of the pool: its URL, or with options of its own. */
export type Relay = string | { readonly url: string; readonly options?: RelayOptions };

/**
 * Creates a pool that lives as long as the component, and follows the list of relays. The other options are those of the first
 * time. What is published before the component is there is rejected with `POOL_CLOSED`.
 */
export function useRelayPool(relays: readonly Relay[], options: Omit<CreatePoolOptions, 'relays'> = {}): RelayPool {
  const [pool, setPool] = useState<Pool>();
  const first = useRef({ relays, options });
  const wanted = JSON.stringify(relays);
  const applied = useRef(wanted);

  useEffect(() => {
    const created = createPool({ ...first.current.options, relays: first.current.relays });
    setPool(created);
    return () => {
      setPool(undefined);
      void created.close();
    };
  }, []);
  useEffect(() => {
    if (!pool || applied.current === wanted) return;
    applied.current = wanted;
    follow(pool, JSON.parse(wanted) as Relay[]);
    first.current = { ...first.current, relays: JSON.parse(wanted) as Relay[] };
  }, [pool, wanted]);

  const status = usePoolStatus(pool);
  const publishToAll = useCallback(
    async (event: unknown, given: PublishOptions = {}) => present(pool).publish(event, { ...given, relays: 'all' }),
    [pool],
  );
  const publishToRelay = useCallback(
    async (url: string, event: unknown, given: PublishOptions = {}) =>
      present(pool).publish(event, { ...given, relays: [url] }),
    [pool],
  );
  const subscribeToMessages = useCallback(
    (listener: (message: RelayMessage) => void) =>
      pool?.on('relay.frame', ({ url, frame }) => listener({ url, message: frame })) ?? (() => {}),
    [pool],
  );
  const getRelayHealth = useCallback(
    (url: string): RelayHealth | undefined => status.healthMetrics[url] ?? status.healthMetrics[`${url}/`],
    [status],
  );
  const canConnectToRelay = useCallback(
    (url: string): boolean => {
      const health = getRelayHealth(url);
      return health !== undefined && health.circuitState !== 'open' && health.status !== 'locked-out';
    },
    [getRelayHealth],
  );
  return useMemo(
    () => ({ pool, ...status, publishToAll, publishToRelay, getRelayHealth, canConnectToRelay, subscribeToMessages }),
    [pool, status, publishToAll, publishToRelay, getRelayHealth, canConnectToRelay, subscribeToMessages],
  );
}

function present(pool: Pool | undefined): Pool {
  if (!pool)
    throw new RecloserError('POOL_CLOSED', 'The component with the pool is not there; publish from an effect.');
  return pool;
}

/** Brings the relays of a pool to a list: those that are new are added, and those that are gone are removed. */
function follow(pool: Pool, relays: readonly Relay[]): void {
  const before = new Set(Object.keys(pool.status()));
  for (const relay of relays) {
    const { url, options } = typeof relay === 'string' ? { url: relay, options: {} } : relay;
    pool.addRelay(url, options);
  }
  const urls = new Set(relays.map((relay) => canonical(typeof relay === 'string' ? relay : relay.url)));
  for (const url of before) if (!urls.has(canonical(url))) pool.removeRelay(url);
}

/** The spelling that a URL has in the pool. */
const canonical = (url: string): string => new URL(url).href;
