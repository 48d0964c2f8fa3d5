import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { canonicalRelayUrl } from '../../machines/policy/relay-url.ts';
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
  /** What is wrong with the options or the list of relays; nothing while all is well. */
  readonly problem: RecloserError | undefined;
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

const urlOf = (relay: Relay): string => (typeof relay === 'string' ? relay : relay.url);

/** What tells two lists apart: their URLs, and the options that can be compared. */
const fingerprint = (relays: readonly Relay[]): string =>
  JSON.stringify(relays, (_, value) => (Number.isFinite(value) || typeof value !== 'number' ? value : String(value)));

/**
 * Creates a pool that lives as long as the component, and follows the list of relays. The other options are those of the first
 * time. What is published before the component is there is rejected with `POOL_CLOSED`. What is wrong with the options, or with
 * the list, is told as `problem`; of a wrong list nothing is taken over.
 */
export function useRelayPool(relays: readonly Relay[], options: Omit<CreatePoolOptions, 'relays'> = {}): RelayPool {
  const [pool, setPool] = useState<Pool>();
  const [problem, setProblem] = useState<RecloserError>();
  const latest = useRef({ relays, options });
  const applied = useRef('');
  const wanted = fingerprint(relays);
  latest.current = { relays, options: latest.current.options };

  useEffect(() => {
    const attempt = attempted(() => createPool({ ...latest.current.options, relays: latest.current.relays }));
    if ('problem' in attempt) return setProblem(attempt.problem);
    applied.current = fingerprint(latest.current.relays);
    setPool(attempt.value);
    setProblem(undefined);
    return () => {
      setPool(undefined);
      // What could not be written at the end is told by the fact `state.failed` before.
      attempt.value.close().catch(() => {});
    };
  }, []);
  useEffect(() => {
    if (!pool || applied.current === wanted) return;
    applied.current = wanted;
    const attempt = attempted(() => follow(pool, latest.current.relays));
    setProblem('problem' in attempt ? attempt.problem : undefined);
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
    (url: string): RelayHealth | undefined => status.healthMetrics[url] ?? status.healthMetrics[canonical(url)],
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
    () => ({
      pool,
      problem,
      ...status,
      publishToAll,
      publishToRelay,
      getRelayHealth,
      canConnectToRelay,
      subscribeToMessages,
    }),
    [pool, problem, status, publishToAll, publishToRelay, getRelayHealth, canConnectToRelay, subscribeToMessages],
  );
}

function present(pool: Pool | undefined): Pool {
  if (!pool)
    throw new RecloserError('POOL_CLOSED', 'The component with the pool is not there; publish from an effect.');
  return pool;
}

/** What a call gives, or what it says is wrong with what it was given. */
function attempted<Value>(act: () => Value): { readonly value: Value } | { readonly problem: RecloserError } {
  try {
    return { value: act() };
  } catch (error) {
    if (error instanceof RecloserError) return { problem: error };
    throw error;
  }
}

/** Brings the relays of a pool to a list: those that are new are added, and those that are gone are removed. */
function follow(pool: Pool, relays: readonly Relay[]): void {
  const before = Object.keys(pool.status());
  const urls = new Set(relays.map((relay) => canonical(urlOf(relay))));
  const added: string[] = [];
  try {
    for (const relay of relays) {
      const isNew = !before.includes(canonical(urlOf(relay)));
      pool.addRelay(urlOf(relay), typeof relay === 'string' ? {} : relay.options);
      if (isNew) added.push(urlOf(relay));
    }
  } catch (error) {
    // Of a list that is wrong, nothing is taken over.
    for (const url of added) pool.removeRelay(url);
    throw error;
  }
  for (const url of before) if (!urls.has(url)) pool.removeRelay(url);
}

/** The spelling that a URL has in the pool; what is none stays as it is, and is refused there. */
function canonical(url: string): string {
  try {
    return canonicalRelayUrl(url, { allowPrivate: true, allowInsecure: true });
  } catch {
    return url;
  }
}
