import { costMs } from '../../machines/policy/balance/cost.ts';
import { RecloserError, readable, shown } from '../../machines/policy/error.ts';
import type { RelayHistory } from '../../machines/policy/history.ts';
import { PUBLISH_LIMITS } from '../../machines/policy/limits.ts';
import { isPriority, PRIORITIES, type Priority } from '../../machines/policy/priority.ts';
import { canonicalRelayUrl } from '../../machines/policy/relay-url.ts';
import { checkNumber, type PoolSettings } from '../../machines/policy/settings.ts';
import { isRoutable } from '../../machines/policy/status.ts';
import type { KeptPool } from '../../machines/pool/pool.context.ts';
import type { PoolCommand, PoolFact, PublicationListener, PublishOptions } from '../../machines/pool/pool.events.ts';
import type { PublicationFact, RefusalCause } from '../../machines/publication/publication.events.ts';
import type { Look } from '../../machines/scaling/scaling.context.ts';
import type { HealthFact, SocketFact, SocketInput } from '../../machines/socket.ts';
import type { Clock } from '../clock.ts';
import type { LaneStanding, LaneState } from '../delivery/lane.ts';
import { Ledger } from '../delivery/ledger.ts';
import type { Outbox } from '../delivery/outbox/outbox.ts';
import type { Publication } from '../delivery/publication.ts';
import { emptyReceipt, Waiter } from '../delivery/receipt.ts';
import type { Codec, Message, PreparedEvent } from '../protocol/codec.ts';
import type { NetworkStatus } from '../transport/network-status.ts';
import type { Transport } from '../transport/transport.ts';
import { DialGate } from './dial-gate.ts';
import { keptBody, OutboxConsumer } from './outbox-consumer.ts';
import type { PoolState } from './pool-state.ts';
import { RelayLink } from './relay-link.ts';
import { Session } from './session.ts';
import { StateKeeper } from './state-keeper.ts';

/** What a pool stands on. Each has a real implementation and one for simulation. */
export interface PoolParts {
  readonly transport: Transport;
  readonly codec: Codec;
  readonly clock: Clock;
  /** At least 0 and below 1. */
  readonly random: () => number;
  /** What the platform knows of our own network. Default: nothing. */
  readonly network?: NetworkStatus;
  /** Keeps what is accepted until its quorum. Default: nothing does, and what is open is lost with the process. */
  readonly outbox?: Outbox | undefined;
  /**
   * Keeps the relays, their options and their history, from `openState`. Default: nothing does. Whoever starts the machine
   * and not `createPool` gives it what was kept: `fitting(…)`, with its options as `configured`.
   */
  readonly state?: PoolState | undefined;
}

type PlaneFact = Extract<PoolFact, { type: 'relay.failed-over' | 'outbox.failed' | 'state.failed' }>;
type Publish = Extract<PoolCommand, { type: 'PUBLISH' }>;

/** Whoever supervises: hears the facts that nobody asked for by name, and that everything is delivered. */
export interface DataPlaneOwner {
  report(fact: PublicationFact | PlaneFact): void;
  emptied(): void;
}

/**
 * Where bytes move. It owns the books of publishing and what is measured of each relay, opens the sockets that the
 * relays' charts ask for, and takes messages to where they belong. It decides nothing that a chart decides.
 */
export class DataPlane {
  readonly parts: PoolParts;
  readonly settings: PoolSettings;
  readonly ledger: Ledger;
  readonly startedAt: number;
  /** Hears every fact of every publication, whoever else does. */
  readonly listeners = new Set<(fact: PublicationFact) => void>();
  readonly #owner: DataPlaneOwner;
  readonly #links = new Map<string, RelayLink>();
  readonly gate = new DialGate(() => this.ledger.lanes.length);
  readonly #consumer: OutboxConsumer | undefined;
  readonly #keeper: StateKeeper | undefined;

  constructor(parts: PoolParts, settings: PoolSettings, owner: DataPlaneOwner) {
    this.parts = parts;
    this.settings = settings;
    this.#owner = owner;
    this.startedAt = parts.clock.now();
    this.ledger = new Ledger(settings.publish, {
      clock: parts.clock,
      random: parts.random,
      canonical: (url) => canonicalRelayUrl(url, settings.trust),
      hears: (publication) => this.#hears(publication),
      report: (publication, fact) => this.#report(publication, fact),
      answered: (lane, latencyMs) => this.linkOf(lane.url).calls.succeeded(latencyMs, parts.clock.now()),
      failed: (lane) => this.linkOf(lane.url).calls.failed(parts.clock.now()),
      paced: (lane) => this.linkOf(lane.url).calls.paced(parts.clock.now()),
      answerTimes: (url) => {
        const { usualMs, answerTimeoutMs: timeoutMs } = this.linkOf(url).calls;
        return { usualMs, timeoutMs };
      },
      balance: settings.balance,
      clusters: settings.clusters,
      costMs: (url, burden) => {
        const { cost, pingMs } = this.linkOf(url).calls;
        return costMs({ cost, pingMs, ...burden }, parts.clock.now());
      },
      measured: (url) => {
        const { cost, pingMs, latency } = this.linkOf(url).calls;
        return { latencyMs: latency.averageMs ?? pingMs, success: cost.success };
      },
      failedOver: ({ atMs: _at, ...failover }) => owner.report({ type: 'relay.failed-over', ...failover }),
      durability: parts.outbox?.durability ?? 'none',
      undelivered: (publication, lease) => this.#consumer?.undelivered(publication, lease),
      emptied: () => owner.emptied(),
    });
    this.#consumer = parts.outbox && this.#consume(parts.outbox);
    this.#keeper =
      parts.state &&
      new StateKeeper({
        state: parts.state,
        clock: parts.clock,
        historyOf: (url) => this.linkOf(url).history,
        failed: (problem) => owner.report({ type: 'state.failed', problem }),
      });
  }

  linkOf(url: string, history?: RelayHistory): RelayLink {
    let link = this.#links.get(url);
    if (!link) {
      link = new RelayLink(url, this.settings.publish.ackTimeoutMs, history);
      this.#links.set(url, link);
    }
    return link;
  }

  openLane(url: string, standing: LaneStanding, history: RelayHistory | undefined): void {
    this.linkOf(url, history);
    this.ledger.openLane(url);
    this.ledger.tuneLane(url, standing);
  }

  closeLane(url: string): void {
    this.ledger.closeLane(url);
    this.#forget(url);
  }

  /** What is measured of a relay is kept while it is in the pool, or has a connection. */
  #forget(url: string): void {
    const link = this.#links.get(url);
    if (link && !link.session && link.further.size === 0 && !this.ledger.laneOf(url)) this.#links.delete(url);
  }

  updateLane(url: string, state: LaneState, generation: number): void {
    const session = this.#links.get(url)?.session;
    // What is told of a relay may be older than the session that it has by now.
    if (session?.generation === generation && isRoutable(state.status)) session.passTrial();
    this.ledger.updateLane(url, state);
  }

  /** These are the relays that a pool after this one shall have. */
  keepRelays(kept: KeptPool): void {
    this.#keeper?.keep(kept);
  }

  /** Whether our own network is in doubt, so that fewer relays are dialled at one time. */
  set isNetworkInDoubt(inDoubt: boolean) {
    this.gate.isInDoubt = inDoubt;
  }

  /** Lets go of the sockets of a relay whose actor has crashed and cannot do so itself. */
  dropConnections(url: string): void {
    const link = this.#links.get(url);
    for (const session of [...(link?.further.values() ?? [])]) session.end();
    link?.session?.end();
  }

  /** The same for one further connection. */
  dropConnection(url: string, connection: number): void {
    this.#links.get(url)?.further.get(connection)?.end();
  }

  /** How much there is to do at a relay, and how many further connections there may be in all. */
  lookAt(url: string): Look {
    const further = [...this.#links.values()].reduce((sum, link) => sum + link.further.size, 0);
    return {
      load: this.ledger.laneOf(url)?.demand ?? 0,
      window: this.settings.publish.window,
      spare: this.settings.supervisor.furtherConnectionsMax - further,
    };
  }

  openSession(input: SocketInput, tell: (fact: SocketFact | HealthFact) => void): Session {
    const { parts, settings } = this;
    const { connection } = input;
    const isFurther = connection > 1;
    const link = this.linkOf(input.url);
    if (!isFurther) link.session?.end();
    const lane = this.ledger.laneOf(input.url);
    const session: Session = new Session(input, {
      clock: parts.clock,
      transport: parts.transport,
      codec: parts.codec,
      allowPrivate: settings.trust.allowPrivate,
      link,
      gate: this.gate,
      tell,
      owedSince: (afterMs) => this.ledger.laneOf(input.url)?.owedSince(session, afterMs),
      attach: (opened) => this.ledger.attach(input.url, opened, isFurther),
      serve: (opened) => this.ledger.serve(input.url, opened),
      rest: (opened) => this.ledger.rest(input.url, opened),
      drain: (opened, drained) => this.ledger.laneOf(input.url)?.drain(opened, drained),
      detach: (ended) => {
        if (link.session === ended) link.session = undefined;
        if (link.further.get(connection) === ended) link.further.delete(connection);
        // A relay that was removed and added again has another lane by now.
        if (lane && this.ledger.laneOf(input.url) === lane) this.ledger.detach(input.url, ended);
        else this.#forget(input.url);
      },
      receive: (message) => this.#receive(link, message),
    });
    if (isFurther) link.further.set(connection, session);
    else link.session = session;
    return session;
  }

  /** Accepts a PUBLISH, or answers why not. Never throws. */
  accept(command: Publish): void {
    let taken: Publish = { type: 'PUBLISH', event: undefined };
    try {
      // Read once: a command from an application can be anything.
      taken = readable('PUBLISH', () => ({ ...command }));
      this.#accept(
        taken,
        readable('The options of a publish', () => optionsOf(taken.options)),
      );
    } catch (error) {
      this.#reject(taken, error);
    }
  }

  /** Answers a PUBLISH that came too late. */
  refuse(command: Publish): void {
    this.#refuse(command, idOf(command.event), 'closing', 'the pool is closing');
  }

  /** Takes nothing more on, and tells when nothing is on its way any more. */
  drain(): void {
    this.#consumer?.drain();
    this.ledger.drain();
  }

  /** Gives up what is open. */
  giveUp(): void {
    // Before the connections are closed, which is no part of how the relays have been.
    this.#keeper?.close();
    this.ledger.close();
  }

  /** Settles when nothing is left to be done after the pool has stopped: its outbox has been told everything. */
  async end(): Promise<void> {
    await this.#consumer?.end();
    await this.#keeper?.end();
  }

  dispose(): void {
    this.giveUp();
    void this.#consumer?.end();
    for (const url of [...this.#links.keys()]) this.dropConnections(url);
    this.#links.clear();
  }

  #accept(command: Publish, options: PublishOptions): void {
    const { replyTo } = command;
    const waiter = command.waiter instanceof Waiter ? command.waiter : undefined;
    const consumer = this.#consumer;
    const event = this.parts.codec.prepare(command.event);
    this.#checkSize(event);
    const { timeoutMs, expiresMs } = this.#deadlines(options);
    if (waiter?.signal?.aborted) return waiter.resolve(emptyReceipt(event.id, 'cancelled'));
    if (this.ledger.publications.isSuperseded(event)) {
      return this.#refuse(command, event.id, 'superseded', 'a newer version of the event is being published');
    }
    const priority = priorityOf(options);
    checkKey(options.affinityKey);
    const body = consumer && readable('The options of a publish', () => keptBody(event, options));
    if (!this.ledger.publications.makeRoomFor(event, priority)) {
      return this.#refuse(command, event.id, 'backpressure', 'too much is open already; wait for receipts');
    }
    this.ledger.publish({
      event,
      options,
      waiter,
      timeoutMs,
      expiresMs,
      listener: replyTo ? (fact) => reply(replyTo, fact) : waiter ? undefined : (fact) => this.#owner.report(fact),
      ...(consumer && body !== undefined ? { keep: () => consumer.keep(event.id, body, priority) } : {}),
    });
  }

  #consume(outbox: Outbox): OutboxConsumer {
    const { ledger } = this;
    return new OutboxConsumer({
      outbox,
      publications: ledger.publications,
      settings: this.settings.publish,
      clock: this.parts.clock,
      random: this.parts.random,
      publish: (event, options, lease) =>
        ledger.publish({
          event,
          options,
          ...this.#deadlines(options),
          waiter: undefined,
          listener: (fact) => this.#owner.report(fact),
          lease,
        }),
      refused: (id, cause, problem) => {
        ledger.publications.refuse(id, emptyReceipt(id, 'refused', { cause, problem }), {
          type: 'publication.refused',
          id,
          cause,
          problem,
        });
      },
      undeliverable: (id, problem) => {
        this.#refuse({}, id, 'undeliverable', problem);
      },
      failed: (problem) => this.#owner.report({ type: 'outbox.failed', problem }),
    });
  }

  #deadlines(options: PublishOptions): { timeoutMs: number; expiresMs: number } {
    const { publish } = this.settings;
    const timeoutMs = options.timeoutMs ?? publish.timeoutMs;
    const expiresMs = options.expiresMs ?? Math.max(publish.expiresMs, timeoutMs);
    checkNumber('timeoutMs', timeoutMs, PUBLISH_LIMITS.timeoutMs);
    checkNumber('expiresMs', expiresMs, PUBLISH_LIMITS.expiresMs);
    return { timeoutMs: Math.min(timeoutMs, expiresMs), expiresMs };
  }

  #checkSize({ frame }: PreparedEvent): void {
    const { frameBytesMax } = this.settings.relay;
    // A character takes at most three bytes of UTF-8, so most events need not be measured.
    if (frame.length * 3 <= frameBytesMax) return;
    const bytes = new TextEncoder().encode(frame).length;
    if (bytes > frameBytesMax) {
      throw new RecloserError('INVALID_EVENT', `The event takes ${bytes} bytes; frameBytesMax is ${frameBytesMax}.`);
    }
  }

  #refuse(
    { waiter, replyTo }: Pick<Publish, 'waiter' | 'replyTo'>,
    id: string,
    cause: RefusalCause,
    problem: string,
  ): void {
    const fact: PublicationFact = { type: 'publication.refused', id, cause, problem };
    if (waiter instanceof Waiter) waiter.resolve(emptyReceipt(id, 'refused', { cause, problem }));
    else if (replyTo) reply(replyTo, fact);
    else this.#owner.report(fact);
    this.#tellListeners(fact);
  }

  #reject(command: Publish, error: unknown): void {
    if (command.waiter instanceof Waiter) return command.waiter.reject(error);
    this.#refuse(command, idOf(command.event), 'invalid', error instanceof Error ? error.message : String(error));
  }

  #receive(link: RelayLink, message: Message): void {
    switch (message.type) {
      case 'answer': {
        const lane = this.ledger.laneOf(link.url);
        if (!lane || !this.ledger.answer(lane, message)) link.fault('unexpected-answer');
        return;
      }
      case 'notice':
        link.lastNotice = message.text;
        return;
      case 'malformed':
        return link.malformed(message.problem, this.parts.clock.now());
      // Nobody signs in here, and a challenge is no fault.
      case 'challenge':
        return;
      default:
        return link.fault(`unexpected-${message.type}`);
    }
  }

  #hears(publication: Publication): boolean {
    return publication.listeners !== undefined || this.listeners.size > 0;
  }

  #report(publication: Publication, fact: PublicationFact): void {
    for (const listener of publication.listeners ?? []) listener(fact);
    this.#tellListeners(fact);
  }

  #tellListeners(fact: PublicationFact): void {
    for (const listener of this.listeners) listener(fact);
  }
}

function priorityOf({ priority = 'normal' }: PublishOptions): Priority {
  if (isPriority(priority)) return priority;
  throw new RecloserError('INVALID_OPTION', `priority is ${shown(priority)}; give one of ${PRIORITIES.join(', ')}.`);
}

function checkKey(key: unknown): void {
  if (key === undefined || typeof key === 'string') return;
  throw new RecloserError('INVALID_OPTION', `affinityKey is ${shown(key)}; give a string.`);
}

function optionsOf(options: unknown): PublishOptions {
  if (options === undefined) return {};
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return { ...options };
  throw new RecloserError('INVALID_OPTION', `The options of a publish are ${shown(options)}; give an object.`);
}

/** The id that something claims to have, for telling that it is none. Whatever it is, it may throw. */
function idOf(event: unknown): string {
  try {
    const id = typeof event === 'object' && event !== null && 'id' in event ? event.id : undefined;
    return typeof id === 'string' ? id.slice(0, 64) : '';
  } catch {
    return '';
  }
}

/** Whoever asked for a reply may have stopped, or may never have been an actor. */
function reply(replyTo: PublicationListener, fact: PublicationFact): void {
  try {
    replyTo.send(fact);
  } catch {
    // There is nobody else to tell: the reply was addressed to them alone.
  }
}
