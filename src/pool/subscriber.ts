import { RecloserError, readable, shown } from '../../machines/policy/error.ts';
import { SUBSCRIBE_LIMITS } from '../../machines/policy/limits.ts';
import { checkKeys, checkNumber, type PoolSettings } from '../../machines/policy/settings.ts';
import type {
  PoolCommand,
  SubscribeOptions as SubscribeCommandOptions,
  SubscriptionListener,
} from '../../machines/pool/pool.events.ts';
import type { SubscriptionFact } from '../../machines/subscription/subscription.events.ts';
import { type AbortSignals, checkSignal } from '../abort-signals.ts';
import type { Clock } from '../clock.ts';
import { bytesIn } from '../frame.ts';
import { type Intake, OWN_NAME } from '../intake/intake.ts';
import { type Answer, type CountResult, newestFirst, type QueryResult, Question } from '../intake/query.ts';
import type { WhenFull } from '../intake/reader.ts';
import { LiveSubscription, type Subscription, type SubscriptionHandlers } from '../intake/subscription.ts';
import type { Kind, Scope, Sink, Wanted, WantedInput } from '../intake/wanted.ts';
import type { Codec, PreparedFilters } from '../protocol/codec.ts';
import type { NostrEvent } from '../protocol/nostr/event.ts';

type Subscribe = Extract<PoolCommand, { type: 'SUBSCRIBE' }>;

/** How `pool.subscribe` subscribes. */
export interface SubscribeOptions extends SubscribeCommandOptions, SubscriptionHandlers {
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined;
  /** Events that wait for a reader of the async iterator, at most. Default `subscribe.bufferMax` of the pool. */
  readonly bufferMax?: number | undefined;
  /**
   * What happens when more wait: the subscription is closed and its reader gets `BUFFER_FULL` after what had come (`close`),
   * or the oldest are given up and counted in `dropped` (`drop-oldest`). Default `close`.
   */
  readonly whenFull?: WhenFull | undefined;
}

/** How `pool.query`, `pool.get` and `pool.count` ask. */
export interface QueryOptions extends SubscribeCommandOptions {
  /** Milliseconds to wait for relays that are late. Default `subscribe.timeoutMs` of the pool. */
  readonly timeoutMs?: number | undefined;
  /** Settles it with what has come. */
  readonly signal?: AbortSignal | undefined;
}

export interface SubscriberNeeds {
  readonly clock: Clock;
  readonly codec: Codec;
  readonly signals: AbortSignals;
  /** Settings as they are now. */
  settings(): PoolSettings;
  readonly intake: Intake;
  /** Which relays an application means; throws `NO_RELAYS` or `INVALID_OPTION`. */
  scopeOf(relays: SubscribeCommandOptions['relays']): Scope;
  /** A fact that nobody asked for by name. */
  report(fact: SubscriptionFact): void;
  /** Tells whoever hears of everything; whether there is anybody. */
  tell(fact: SubscriptionFact): void;
  hears(): boolean;
}

/** The door of subscribing: checks what is given, and makes of it what the intake wants. */
export class Subscriber {
  readonly #needs: SubscriberNeeds;
  #named = 0;

  constructor(needs: SubscriberNeeds) {
    this.#needs = needs;
  }

  /** Throws for misuse, and for nothing else. */
  subscribe(filters: unknown, given: SubscribeOptions): Subscription {
    const { clock, intake } = this.#needs;
    const settings = this.#needs.settings();
    const options = readable('The options of subscribe', () => ({ ...given }));
    checkKeys('subscribe', options, SUBSCRIBE_KEYS);
    checkSignal(options.signal);
    for (const name of ['onEvent', 'onEose', 'onClosed'] as const) checkHandler(name, options[name]);
    const { bufferMax = settings.subscribe.bufferMax, whenFull = 'close' } = options;
    checkNumber('bufferMax', bufferMax, SUBSCRIBE_LIMITS.bufferMax);
    if (whenFull !== 'close' && whenFull !== 'drop-oldest') {
      throw new RecloserError('INVALID_OPTION', `whenFull is ${shown(whenFull)}; give 'close' or 'drop-oldest'.`);
    }
    const id = this.#nextId();
    const subscription = new LiveSubscription({
      ...options,
      id,
      clock,
      bufferMax,
      whenFull,
      signal: options.signal,
      signals: this.#needs.signals,
      end: (wanted, cause) => intake.end(wanted, cause),
    });
    const input = this.#input(id, 'live', this.#filters(filters), options, subscription);
    subscription.begin(intake.subscribe(input, settings.subscribe.storedTimeoutMs));
    return subscription;
  }

  async query(filters: unknown, given: QueryOptions): Promise<QueryResult> {
    const options = readOptions(given);
    const { received, complete, relays } = await this.#ask('once', filters, options);
    return { events: newestFirst(this.#latest(received, options)), complete, relays };
  }

  async get(filter: unknown, given: QueryOptions): Promise<NostrEvent | undefined> {
    const options = readOptions(given);
    const [first] = this.#filters(filter).list as readonly { ids?: unknown }[];
    const wanted = { ...first, limit: 1 };
    const { received } = await this.#ask('once', wanted, options, first?.ids !== undefined);
    return newestFirst(received)[0];
  }

  async count(filters: unknown, given: QueryOptions): Promise<CountResult> {
    const { counts, complete, relays } = await this.#ask('count', filters, readOptions(given));
    const each = Object.values(counts).map(({ count }) => count);
    return { count: each.length > 0 ? Math.max(...each) : undefined, complete, counts, relays };
  }

  /** Accepts a SUBSCRIBE, or answers why not. Never throws. */
  accept(command: Subscribe): void {
    let taken: Subscribe = { type: 'SUBSCRIBE', id: '', filters: undefined };
    try {
      taken = readable('SUBSCRIBE', () => ({ ...command }));
      const { id, filters, replyTo } = taken;
      if (typeof id !== 'string' || id.length === 0 || id.length > 64 || id.startsWith(OWN_NAME)) {
        const wanted = `a name of at most 64 characters that does not begin with ${OWN_NAME}`;
        throw new RecloserError('INVALID_OPTION', `id is ${shown(id)}; give ${wanted}.`);
      }
      const options = readable('The options of SUBSCRIBE', () => optionsOf(taken.options));
      const input = this.#input(id, 'live', this.#filters(filters), options, this.#sinkOf(id, replyTo));
      const { intake } = this.#needs;
      const settings = this.#needs.settings();
      intake.subscribe(input, settings.subscribe.storedTimeoutMs, () =>
        this.#tell(replyTo, { type: 'subscription.accepted', id }),
      );
    } catch (error) {
      this.#refuse(taken, error instanceof Error ? error.message : String(error));
    }
  }

  /** Answers a SUBSCRIBE that came too late. */
  refuse(command: Subscribe): void {
    this.#refuse(command, 'the pool is closing');
  }

  end(id: unknown): void {
    const wanted = typeof id === 'string' ? this.#needs.intake.wantedOf(id) : undefined;
    if (wanted) this.#needs.intake.end(wanted, 'closed');
  }

  #ask(kind: Kind, filters: unknown, options: QueryOptions, isFirstEnough = false): Promise<Answer> {
    const { intake, signals } = this.#needs;
    const settings = this.#needs.settings();
    const { signal, timeoutMs = settings.subscribe.timeoutMs } = options;
    checkSignal(signal);
    checkNumber('timeoutMs', timeoutMs, SUBSCRIBE_LIMITS.timeoutMs);
    const prepared = this.#filters(filters);
    return new Promise((resolve, reject) => {
      let wanted: Wanted | undefined;
      let isEnough = signal?.aborted === true;
      let release = (): void => {};
      const stop = (): void => {
        isEnough = true;
        if (wanted) intake.end(wanted, 'closed');
      };
      const question = new Question({
        eventsMax: settings.subscribe.bufferMax,
        isFirstEnough,
        enough: stop,
        settled: (answer) => {
          release();
          resolve(answer);
        },
      });
      try {
        wanted = intake.subscribe(this.#input(this.#nextId(), kind, prepared, options, question), timeoutMs);
      } catch (error) {
        return reject(error);
      }
      if (isEnough) return stop();
      if (signal && !wanted.isOver) release = signals.onAbort(signal, stop);
    });
  }

  /** Of versions of one thing, the newest: an older one may have come first. */
  #latest(events: readonly NostrEvent[], { versions = 'newest' }: QueryOptions): readonly NostrEvent[] {
    if (versions === 'all') return events;
    const { codec } = this.#needs;
    const newest = new Map<string, NostrEvent>();
    // What came later of one thing is newer, or it would not have come.
    for (const event of events) newest.set(codec.versionOf(event)?.key ?? event.id, event);
    return [...newest.values()];
  }

  #nextId(): string {
    this.#named += 1;
    return `${OWN_NAME}${this.#named}`;
  }

  #filters(given: unknown): PreparedFilters {
    const { codec } = this.#needs;
    const filters = codec.filters(given);
    const { frameBytesMax } = this.#needs.settings().relay;
    const bytes = bytesIn(codec.subscribe('r'.padEnd(16), filters.list));
    if (bytes > frameBytesMax) {
      throw new RecloserError('INVALID_FILTER', `The filters take ${bytes} bytes; frameBytesMax is ${frameBytesMax}.`);
    }
    return filters;
  }

  #input(
    id: string,
    kind: Kind,
    filters: PreparedFilters,
    { relays, affinityKey = id, versions = 'newest' }: SubscribeCommandOptions,
    sink: Sink,
  ): WantedInput {
    if (typeof affinityKey !== 'string') {
      throw new RecloserError('INVALID_OPTION', `affinityKey is ${shown(affinityKey)}; give a string.`);
    }
    if (versions !== 'newest' && versions !== 'all') {
      throw new RecloserError('INVALID_OPTION', `versions is ${shown(versions)}; give 'newest' or 'all'.`);
    }
    const scope = readable('relays', () => this.#needs.scopeOf(relays));
    return {
      id,
      kind,
      filters,
      scope,
      affinityKey,
      newestOnly: versions === 'newest',
      sink: this.#overheard(id, sink),
    };
  }

  /** Whoever hears of everything hears of this as well. */
  #overheard(id: string, sink: Sink): Sink {
    const { tell, hears } = this.#needs;
    return {
      event: (received) => {
        sink.event(received);
        if (hears()) tell({ type: 'subscription.event', id, ...received });
      },
      stored: (complete) => {
        sink.stored(complete);
        if (hears()) tell({ type: 'subscription.eose', id, complete });
      },
      changed: (relay, standing) => {
        sink.changed(relay, standing);
        if (hears()) tell(changedFact(id, relay, standing));
      },
      counted: (relay, count, approximate) => sink.counted(relay, count, approximate),
      closed: (cause) => {
        sink.closed(cause);
        if (hears()) tell({ type: 'subscription.closed', id, cause });
      },
    };
  }

  #sinkOf(id: string, replyTo: SubscriptionListener | undefined): Sink {
    const say = replyTo ? (fact: SubscriptionFact) => reply(replyTo, fact) : this.#needs.report;
    return {
      event: (received) => say({ type: 'subscription.event', id, ...received }),
      stored: (complete) => say({ type: 'subscription.eose', id, complete }),
      changed: (relay, standing) => say(changedFact(id, relay, standing)),
      counted: () => {},
      closed: (cause) => say({ type: 'subscription.closed', id, cause }),
    };
  }

  #tell(replyTo: SubscriptionListener | undefined, fact: SubscriptionFact): void {
    if (replyTo) reply(replyTo, fact);
    else this.#needs.report(fact);
    this.#needs.tell(fact);
  }

  #refuse({ id, replyTo }: Subscribe, problem: string): void {
    const name = typeof id === 'string' ? id.slice(0, 64) : '';
    this.#tell(replyTo, { type: 'subscription.refused', id: name, problem });
  }
}

function changedFact(id: string, relay: string, standing: Parameters<Sink['changed']>[1]): SubscriptionFact {
  const { state, refusal, trouble } = standing;
  const why = { ...(refusal ? { refusal } : {}), ...(trouble ? { trouble } : {}) };
  return { type: 'subscription.status-changed', id, relay, state, ...why };
}

const COMMAND_KEYS = ['relays', 'affinityKey', 'versions'] as const;
const QUERY_KEYS = [...COMMAND_KEYS, 'timeoutMs', 'signal'] as const;
const SUBSCRIBE_KEYS = [...COMMAND_KEYS, 'signal', 'bufferMax', 'whenFull', 'onEvent', 'onEose', 'onClosed'] as const;

function checkHandler(name: string, handler: unknown): void {
  if (handler === undefined || typeof handler === 'function') return;
  throw new RecloserError('INVALID_OPTION', `${name} is ${shown(handler)}; give a function.`);
}

/** Read once: what is checked is what counts. */
function readOptions(given: QueryOptions): QueryOptions {
  const options = readable('The options of a query', () => ({ ...given }));
  checkKeys('query', options, QUERY_KEYS);
  return options;
}

function optionsOf(options: unknown): SubscribeCommandOptions {
  if (options === undefined) return {};
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) {
    checkKeys('subscribe', options, COMMAND_KEYS);
    return { ...options };
  }
  throw new RecloserError('INVALID_OPTION', `The options of SUBSCRIBE are ${shown(options)}; give an object.`);
}

/** Whoever asked for a reply may have stopped, or may never have been an actor. */
function reply(replyTo: SubscriptionListener, fact: SubscriptionFact): void {
  try {
    replyTo.send(fact);
  } catch {
    // There is nobody else to tell: the reply was addressed to them alone.
  }
}
