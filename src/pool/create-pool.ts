import { type ActorRefFrom, type AnyActor, createActor, type InspectionEvent, type Observer } from 'xstate';
import { platformNetwork, platformTransport } from '#platform';
import { RecloserError, readable, shown } from '../../machines/policy/error.ts';
import { POOL_LIMITS } from '../../machines/policy/limits.ts';
import {
  checkKeys,
  checkNumber,
  type PoolOptions as PoolSettingOptions,
  poolSettings,
  type RelayOptions,
  type RunningOptions,
} from '../../machines/policy/settings.ts';
import type { RelayStatus } from '../../machines/policy/status.ts';
import {
  actorIdOf,
  initialPoolContext,
  type PoolContext,
  type PoolInput,
  problemOf,
  type RelayEntry,
  urlOf,
} from '../../machines/pool/pool.context.ts';
import type { PoolCommand, PublishOptions as PublishCommandOptions } from '../../machines/pool/pool.events.ts';
import type { RelayContext } from '../../machines/relay/relay.context.ts';
import { checkSignal } from '../abort-signals.ts';
import type { Signer } from '../auth/signer.ts';
import { steadyClock, systemClock } from '../clock.ts';
import { MOMENTS, type Moment, type Receipt, Waiter } from '../delivery/receipt.ts';
import type { CountResult, QueryResult } from '../intake/query.ts';
import type { Subscription } from '../intake/subscription.ts';
import { nostrCodec } from '../protocol/nostr/codec.ts';
import type { NostrEvent } from '../protocol/nostr/event.ts';
import type { NostrFilter } from '../protocol/nostr/filter.ts';
import { nostrVerifier } from '../protocol/nostr/verifier.ts';
import type { Step } from '../steps.ts';
import type { DataPlane } from './data-plane.ts';
import { checkListener, type Fact, FactEmitter, type FactOf } from './facts.ts';
import { type PoolMetrics, poolMetrics, type RelayMetrics } from './metrics.ts';
import { checkParts, type PoolParts } from './parts.ts';
import { dataPlaneOf, providePoolMachine } from './pool-machine.ts';
import type { QueryOptions, SubscribeOptions } from './subscriber.ts';

/** The parts that a pool has unless it is given others. */
const DEFAULT_PARTS = {
  transport: platformTransport,
  codec: nostrCodec,
  clock: systemClock,
  random: Math.random,
  verifier: nostrVerifier,
  network: platformNetwork,
} satisfies PoolParts;

/**
 * The pool's chart with its parts: `createActor(poolMachine, { input: { relays } }).start()` is a working pool, also as
 * a child of another machine.
 */
export const poolMachine = providePoolMachine(DEFAULT_PARTS);

export type PoolActor = ActorRefFrom<typeof poolMachine>;

export interface CreatePoolOptions extends PoolSettingOptions, Partial<PoolParts> {
  /** The relays to begin with. With `state`, those of the first start; later ones go on with what was kept. */
  readonly relays?: readonly RelayEntry[] | undefined;
  /** Whether relays are dialled as soon as they are known. Default `true`. */
  readonly connect?: boolean | undefined;
  /** An XState inspection observer, such as one of `@statelyai/inspect`. */
  readonly inspect?: Observer<InspectionEvent> | ((event: InspectionEvent) => void) | undefined;
}

/** How one event is published through `pool.publish`. */
export interface PublishOptions extends PublishCommandOptions {
  /** The moment at which the promise settles. Default `quorum`. */
  readonly until?: Moment | undefined;
  /** Withdraws this caller. The publication ends when nobody is left who wants it. */
  readonly signal?: AbortSignal | undefined;
}

/** A pool of relays. Everything that it does, its actor does; the methods say the same in promises. */
export interface Pool extends AsyncDisposable {
  /** The supervisor actor: send it `PUBLISH`, listen to its facts, inspect it. */
  readonly actor: PoolActor;
  /**
   * Publishes an event. What happens on the network is in the receipt; the promise rejects with a `RecloserError` only
   * for misuse: `INVALID_EVENT`, `NO_RELAYS`, `INVALID_QUORUM`, `INVALID_OPTION`, `POOL_CLOSED`.
   */
  publish(event: unknown, options?: PublishOptions): Promise<Receipt>;
  /** Stops publishing the event with this id, for all who want it. */
  cancel(id: string): void;
  /**
   * Subscribes until it is closed, whatever relays come and go. Throws a `RecloserError` for misuse: `INVALID_FILTER`,
   * `INVALID_OPTION`, `NO_RELAYS`, `TOO_MANY_SUBSCRIPTIONS`, `POOL_CLOSED`.
   */
  subscribe(filters: NostrFilter | readonly NostrFilter[], options?: SubscribeOptions): Subscription;
  /**
   * Asks for what is stored, and settles when every relay that can be reached has sent it, or after `timeoutMs` with what
   * has come. Rejects for misuse only, as `subscribe` does. More than `subscribe.bufferMax` events of the pool's options are
   * not waited for.
   */
  query(filters: NostrFilter | readonly NostrFilter[], options?: QueryOptions): Promise<QueryResult>;
  /** The newest event that fits; with `ids`, the first that comes. Nothing where none was found in time. */
  get(filter: NostrFilter, options?: QueryOptions): Promise<NostrEvent | undefined>;
  /** Asks how many events each relay has (NIP-45). */
  count(filters: NostrFilter | readonly NostrFilter[], options?: QueryOptions): Promise<CountResult>;
  /** Adds a relay, or changes the options of one that is there. Throws `INVALID_URL` or `INVALID_OPTION`. */
  addRelay(url: string, options?: RelayOptions): void;
  /** Removes a relay; what was on its way there goes elsewhere. Throws `NO_RELAYS` when it is not in the pool. */
  removeRelay(url: string): void;
  /** Changes options of one relay, on its live connection. */
  configureRelay(url: string, options: RelayOptions): void;
  /**
   * Changes the options that relays have in common, on their live connections, and `balance`, `publish` or `clusters` of the
   * pool. Throws `INVALID_OPTION`.
   */
  configure(options: RunningOptions): void;
  /** Dials one relay or all: also one that was given up. */
  connect(url?: string): void;
  /** Closes one connection or all gracefully, and stays away. */
  disconnect(url?: string): void;
  /** The status of every relay, by URL. */
  status(): Readonly<Record<string, RelayStatus>>;
  metrics(): PoolMetrics;
  /** Measurements of one relay; nothing when it is not in the pool. */
  relayMetrics(url: string): RelayMetrics | undefined;
  /** Listens to facts of one type, or to all with `*`; returns the function that ends it. */
  on<Type extends Fact['type']>(type: Type, listener: (fact: FactOf<Type>) => void): () => void;
  on(type: '*', listener: (fact: Fact) => void): () => void;
  /**
   * Accepts nothing more, waits up to `drainMs` (default 5 s) for what is on its way to relays that can be reached, gives up
   * the rest, and closes every connection. Settles when nothing is left running; safe to call twice. With `state` it rejects with
   * `OUTBOX_FAILED` where the last of that could not be written, and all is closed nevertheless.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** Creates a pool and starts it. Throws `INVALID_OPTION` or `INVALID_URL` with what to give instead. */
export function createPool(options: CreatePoolOptions = {}): Pool {
  return new ActorPool(options);
}

const TOLD_DIRECTLY = ['publication.', 'delivery.', 'subscription.'] as const;

class ActorPool implements Pool {
  readonly actor: PoolActor;
  readonly #facts = new FactEmitter();
  readonly #closed: Promise<void>;
  /** Outlives the actor: an outbox may still have to be told how it ended. */
  readonly #ended: DataPlane | undefined;

  constructor(options: CreatePoolOptions) {
    const { input, parts, inspect } = readable('What createPool is given', () => read(options));
    const machine = providePoolMachine(parts);
    const actor = createActor(machine, { input, clock: parts.clock, ...(inspect ? { inspect } : {}) });
    this.actor = actor as PoolActor;
    actor.on('*', (fact) => {
      // Publications and subscriptions tell their listeners directly.
      if (!TOLD_DIRECTLY.some((prefix) => fact.type.startsWith(prefix))) this.#facts.emit(fact);
    });
    this.#closed = new Promise((resolve) => {
      const fail = (): void => {
        // XState does not stop the actors of one that throws, so its sockets and timers are let go of here.
        dataPlaneOf(actor)?.dispose();
        resolve();
      };
      actor.subscribe({ complete: resolve, error: fail });
    });
    actor.start();
    this.#ended = dataPlaneOf(actor);
  }

  publish(event: unknown, options: PublishOptions = {}): Promise<Receipt> {
    const snapshot = this.actor.getSnapshot();
    const plane = dataPlaneOf(this.actor);
    if (!plane || snapshot.status !== 'active') return Promise.reject(poolClosed());
    let waiter: Waiter;
    let published: PublishCommandOptions;
    try {
      ({ waiter, published } = readable('The options of publish', () => {
        const { until: _until, signal: _signal, ...rest } = options;
        return { waiter: waiterFor(options), published: rest };
      }));
    } catch (error) {
      return Promise.reject(error);
    }
    const command = { type: 'PUBLISH', event, options: published, waiter } as const;
    // What the chart answers to a PUBLISH depends on its state alone, so the state is asked: an event to the actor
    // would cost more than all that the publication itself does.
    if (snapshot.hasTag('accepting')) plane.publisher.accept(command);
    else plane.publisher.refuse(command);
    return waiter.promise;
  }

  subscribe(filters: NostrFilter | readonly NostrFilter[], options: SubscribeOptions = {}): Subscription {
    return this.#accepting().subscriber.subscribe(filters, options);
  }

  async query(filters: NostrFilter | readonly NostrFilter[], options: QueryOptions = {}): Promise<QueryResult> {
    return this.#accepting().subscriber.query(filters, options);
  }

  async get(filter: NostrFilter, options: QueryOptions = {}): Promise<NostrEvent | undefined> {
    return this.#accepting().subscriber.get(filter, options);
  }

  async count(filters: NostrFilter | readonly NostrFilter[], options: QueryOptions = {}): Promise<CountResult> {
    return this.#accepting().subscriber.count(filters, options);
  }

  cancel(id: string): void {
    this.#send({ type: 'CANCEL', id });
  }

  addRelay(url: string, options: RelayOptions = {}): void {
    this.#send({ type: 'ADD_RELAY', url, options });
  }

  removeRelay(url: string): void {
    this.#send({ type: 'REMOVE_RELAY', url });
  }

  configureRelay(url: string, options: RelayOptions): void {
    this.#send({ type: 'CONFIGURE_RELAY', url, options });
  }

  configure(options: RunningOptions): void {
    this.#send({ type: 'CONFIGURE', options });
  }

  connect(url?: string): void {
    this.#send({ type: 'CONNECT', ...(url === undefined ? {} : { url }) });
  }

  disconnect(url?: string): void {
    this.#send({ type: 'DISCONNECT', ...(url === undefined ? {} : { url }) });
  }

  status(): Readonly<Record<string, RelayStatus>> {
    return Object.fromEntries(Object.entries(this.#context.relays).map(([url, { status }]) => [url, status]));
  }

  metrics(): PoolMetrics {
    return poolMetrics(this.#context, this.#plane(), (url) => this.#chartOf(url));
  }

  relayMetrics(url: string): RelayMetrics | undefined {
    return this.metrics().relays[urlOf(this.#context, url)];
  }

  on(type: string, listener: (fact: never) => void): () => void {
    checkListener(type, listener);
    const stop = this.#facts.on(type, listener as (fact: Fact) => void);
    this.#listen();
    return () => {
      stop();
      this.#listen();
    };
  }

  async close(options: { readonly drainMs?: number } = {}): Promise<void> {
    const { drainMs } = readable('The options of close', () => {
      checkKeys('close', options, ['drainMs']);
      return options;
    });
    if (drainMs !== undefined) checkNumber('drainMs', drainMs, POOL_LIMITS.drainMs);
    if (this.actor.getSnapshot().status === 'active') {
      this.actor.send({ type: 'DRAIN', ...(drainMs === undefined ? {} : { timeoutMs: drainMs }) });
    }
    await this.#closed;
    try {
      await this.#ended?.end();
    } finally {
      this.#facts.clear();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #context(): PoolContext {
    return this.actor.getSnapshot().context;
  }

  #send(command: PoolCommand): void {
    this.#plane();
    const problem = problemOf(this.#context, command);
    if (problem) throw problem;
    this.actor.send(command);
  }

  #plane(): DataPlane {
    const plane = dataPlaneOf(this.actor);
    if (!plane || this.actor.getSnapshot().status !== 'active') {
      throw poolClosed();
    }
    return plane;
  }

  #chartOf(url: string): RelayContext | undefined {
    const relay = this.actor.getSnapshot().children[actorIdOf(url)] as AnyActor | undefined;
    return relay?.getSnapshot().context;
  }

  /** The plane, while the pool takes something on. */
  #accepting(): DataPlane {
    const plane = this.#plane();
    if (!this.actor.getSnapshot().hasTag('accepting')) throw poolClosed();
    return plane;
  }

  // Facts about publications, subscriptions and frames are made only while somebody listens to them.
  #listen(): void {
    const plane = dataPlaneOf(this.actor);
    if (this.#facts.hears(TOLD_DIRECTLY)) plane?.listeners.add(this.#emit);
    else plane?.listeners.delete(this.#emit);
    if (this.#facts.hearsOf('relay.frame')) plane?.overhearers.add(this.#emit);
    else plane?.overhearers.delete(this.#emit);
    if (plane) plane.steps.listener = this.#facts.hearsOf('record.stepped') ? this.#emitStep : undefined;
  }

  readonly #emitStep = (step: Step): void => this.#facts.emit({ type: 'record.stepped', ...step });
  readonly #emit = (fact: Fact): void => this.#facts.emit(fact);
}

interface Given {
  readonly input: PoolInput;
  readonly parts: PoolParts;
  readonly inspect: CreatePoolOptions['inspect'];
}

/** Takes the options apart and checks them, so that the caller hears of it and not the chart alone. */
function read(options: CreatePoolOptions): Given {
  const {
    relays,
    connect,
    inspect,
    transport,
    codec,
    clock,
    random,
    verifier,
    reconciler,
    information,
    signers,
    network,
    outbox,
    state,
    ...settings
  } = options;
  checkParts(options);
  const parts = {
    transport: transport ?? DEFAULT_PARTS.transport,
    codec: codec ?? DEFAULT_PARTS.codec,
    // One clock for the charts' delays and the data plane.
    clock: steadyClock(clock ?? DEFAULT_PARTS.clock),
    random: random ?? DEFAULT_PARTS.random,
    verifier: verifier ?? DEFAULT_PARTS.verifier,
    reconciler,
    information,
    signers: signersOf(signers),
    network: network ?? DEFAULT_PARTS.network,
    outbox,
    state,
  };
  const kept = state?.fitting(poolSettings(settings));
  const known = kept?.relays ?? relays;
  const input = {
    options: settings,
    ...(kept ? { configured: kept.options } : {}),
    ...(known === undefined ? {} : { relays: known }),
    ...(connect === undefined ? {} : { connect }),
  };
  initialPoolContext(input);
  return { input, parts, inspect };
}

function signersOf(signers: unknown): readonly Signer[] {
  if (signers === undefined) return [];
  if (Array.isArray(signers) && signers.every((each) => typeof each === 'function')) return [...signers];
  throw new RecloserError('INVALID_OPTION', `signers is ${shown(signers)}; give a list of functions.`);
}

const poolClosed = (): RecloserError => new RecloserError('POOL_CLOSED', 'The pool is closed; create another one.');

function waiterFor(options: PublishOptions): Waiter {
  const { until = 'quorum', signal } = options;
  if (!MOMENTS.includes(until)) {
    throw new RecloserError('INVALID_OPTION', `until is ${shown(until)}; give one of ${MOMENTS.join(', ')}.`);
  }
  checkSignal(signal);
  return new Waiter(until, signal);
}
