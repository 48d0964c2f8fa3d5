import { produce } from 'immer';
import {
  type CircuitState,
  type Clock,
  type Pool,
  type RelayMetrics,
  type RelayStatus,
  systemClock,
} from '../index.ts';

/** What applications want to know of one relay. It changes only when something of it does. */
export interface RelayHealth {
  readonly status: RelayStatus;
  readonly circuitState: CircuitState;
  readonly connectionAttempts: number;
  readonly successfulConnections: number;
  readonly failedConnections: number;
  /** Milliseconds: moving average of how long answers take. */
  readonly latencyMs?: number;
  /** Share of calls that succeeded, from 0 to 1. */
  readonly successRate?: number;
  readonly retryCount: number;
  /** Milliseconds since the epoch. */
  readonly nextRetryAt?: number;
  /** Circuit of publishing, beside that of the connection. */
  readonly writeCircuitState: CircuitState;
  /** Why it is not connected, or gets no events, in one line. */
  readonly reason?: string;
}

export interface RelayConnection {
  readonly url: string;
  readonly status: RelayStatus;
}

/** A pool as components see it: immutable, and with the same references where nothing has changed. */
export interface PoolStatus {
  readonly connections: readonly RelayConnection[];
  readonly healthMetrics: Readonly<Record<string, RelayHealth>>;
}

export const NO_STATUS: PoolStatus = Object.freeze({ connections: [], healthMetrics: {} });

/** Milliseconds between two looks at what changes without anybody saying so, and for which what is said is gathered. */
const LOOK_MS = 1_000;
const GATHER_MS = 50;

const stores = new WeakMap<Pool, PoolStore>();

/** The store of a pool: one, however many components look. */
export function storeOf(pool: Pool): PoolStore {
  const store = stores.get(pool) ?? new PoolStore(pool);
  stores.set(pool, store);
  return store;
}

/** Tells components how a pool is, in the form in which `useSyncExternalStore` wants it. */
export class PoolStore {
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  #status: PoolStatus = NO_STATUS;
  #stop: (() => void) | undefined;

  constructor(pool: Pool, clock: Clock = systemClock) {
    this.#pool = pool;
    this.#clock = clock;
    this.#look();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    this.#stop ??= this.#watch();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
    };
  };

  readonly getSnapshot = (): PoolStatus => this.#status;

  #watch(): () => void {
    const clock = this.#clock;
    let timer: unknown;
    let gathering: unknown;
    const look = (): void => {
      const before = this.#status;
      this.#look();
      if (this.#status !== before) for (const listener of [...this.#listeners]) listener();
    };
    // When many relays change at once, they are looked at once.
    const gather = (): void => {
      gathering ??= clock.setTimeout(() => {
        gathering = undefined;
        look();
      }, GATHER_MS);
    };
    const beat = (): void => {
      timer = clock.setTimeout(() => {
        look();
        beat();
      }, LOOK_MS);
    };
    const facts = this.#pool.actor.on('*', ({ type }) => {
      if (type.startsWith('relay.')) gather();
    });
    const ended = this.#pool.actor.subscribe({ complete: gather, error: gather });
    look();
    beat();
    return () => {
      facts.unsubscribe();
      ended.unsubscribe();
      clock.clearTimeout(timer);
      clock.clearTimeout(gathering);
    };
  }

  #look(): void {
    if (this.#pool.actor.getSnapshot().status !== 'active') {
      this.#status = NO_STATUS;
      return;
    }
    const { relays } = this.#pool.metrics();
    // What is the same stays the same object.
    this.#status = produce(this.#status, (draft) => {
      const health = draft.healthMetrics as Record<string, RelayHealth>;
      for (const url of Object.keys(health)) if (!(url in relays)) delete health[url];
      for (const [url, metrics] of Object.entries(relays)) {
        const next = healthOf(metrics);
        if (health[url]) assignChanged(health[url], next);
        else health[url] = next;
      }
      const connections = draft.connections as { url: string; status: RelayStatus }[];
      const urls = Object.keys(relays);
      connections.length = Math.min(connections.length, urls.length);
      urls.forEach((url, index) => {
        const status = relays[url]?.status ?? 'idle';
        const known = connections[index];
        if (known?.url === url) known.status = status;
        else connections[index] = { url, status };
      });
    });
  }
}

/** Takes over every property, and takes away those that are not there any more. */
function assignChanged(draft: object, next: object): void {
  for (const key of Object.keys(draft)) if (!(key in next)) delete draft[key as never];
  Object.assign(draft, next);
}

function healthOf(metrics: RelayMetrics): RelayHealth {
  const { status, circuit, connectionAttempts, successfulConnections, failedConnections, retryCount } = metrics;
  const { latencyMs, successRate, nextRetryAt, writeCircuit, reason } = metrics;
  return {
    status,
    circuitState: circuit,
    writeCircuitState: writeCircuit,
    connectionAttempts,
    successfulConnections,
    failedConnections,
    retryCount,
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(successRate === undefined ? {} : { successRate }),
    ...(nextRetryAt === undefined ? {} : { nextRetryAt }),
    ...(reason === undefined ? {} : { reason }),
  };
}
