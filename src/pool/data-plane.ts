import { costMs } from '../../machines/policy/balance/cost.ts';
import type { RelayHistory } from '../../machines/policy/history.ts';
import { canonicalRelayUrl } from '../../machines/policy/relay-url.ts';
import type { PoolSettings, RelaySettings } from '../../machines/policy/settings.ts';
import { limitedBy } from '../../machines/policy/stated-limits.ts';
import { isRoutable } from '../../machines/policy/status.ts';
import type { KeptPool } from '../../machines/pool/pool.context.ts';
import type { PoolFact } from '../../machines/pool/pool.events.ts';
import type { PublicationFact } from '../../machines/publication/publication.events.ts';
import type { Look } from '../../machines/scaling/scaling.context.ts';
import type { SubscriptionFact } from '../../machines/subscription/subscription.events.ts';
import { Authenticator } from '../auth/authenticator.ts';
import type { LaneState } from '../delivery/lane.ts';
import { Ledger } from '../delivery/ledger.ts';
import type { Publication } from '../delivery/publication.ts';
import { Intake } from '../intake/intake.ts';
import type { Message } from '../protocol/codec.ts';
import { Steps } from '../steps.ts';
import type { FrameFact } from './facts.ts';
import { Informer } from './informer.ts';
import { Links } from './links.ts';
import type { PoolParts } from './parts.ts';
import { Publisher } from './publisher.ts';
import type { RelayLink } from './relay-link.ts';
import { StateKeeper } from './state-keeper.ts';
import { Subscriber } from './subscriber.ts';

type PlaneFact = Extract<
  PoolFact,
  {
    type:
      | 'relay.failed-over'
      | 'relay.auth-requested'
      | 'relay.authenticated'
      | 'relay.auth-failed'
      | 'relay.informed'
      | 'outbox.failed'
      | 'state.failed'
      | 'verifier.failed';
  }
>;

/** Whoever supervises: hears the facts that nobody asked for by name, and that everything is delivered. */
export interface DataPlaneOwner {
  report(fact: PublicationFact | SubscriptionFact | PlaneFact): void;
  emptied(): void;
}

/**
 * Where bytes move: the books of publishing, what is received, what is measured of each relay, and the sockets that the
 * relays' charts ask for. It takes messages to where they belong, and decides nothing that a chart decides.
 */
export class DataPlane {
  readonly parts: PoolParts;
  readonly settings: PoolSettings;
  readonly ledger: Ledger;
  readonly intake: Intake;
  readonly links: Links;
  readonly authenticator: Authenticator;
  readonly publisher: Publisher;
  readonly subscriber: Subscriber;
  readonly startedAt: number;
  /** Hears every fact of every publication and subscription, whoever else does. */
  readonly listeners = new Set<(fact: PublicationFact | SubscriptionFact) => void>();
  /** Where every step of a chart that runs as data is told. */
  readonly steps = new Steps();
  /** Hears every frame. */
  readonly overhearers = new Set<(fact: FrameFact) => void>();
  readonly #keeper: StateKeeper | undefined;
  /** What the application says of each relay. */
  readonly #settings = new Map<string, RelaySettings>();
  readonly informer: Informer;

  constructor(parts: PoolParts, settings: PoolSettings, owner: DataPlaneOwner) {
    this.parts = parts;
    this.settings = settings;
    this.startedAt = parts.clock.now();
    const { clock, random, codec } = parts;
    const callsOf = (url: string) => this.links.of(url).calls;
    const authentication = {
      mayAuthenticate: (url: string) => this.authenticator.mayAuthenticate(url),
      authenticate: (url: string) => {
        this.authenticator.authenticate(url);
        for (const session of this.links.of(url).further.values()) session.rest();
      },
    };
    this.ledger = new Ledger(settings.publish, {
      clock,
      random,
      steps: this.steps,
      canonical: (url) => canonicalRelayUrl(url, settings.trust),
      hears: (publication) => this.#hears(publication),
      report: (publication, fact) => this.#report(publication, fact),
      answered: (lane, latencyMs, at) => callsOf(lane.url).succeeded(latencyMs, at),
      failed: (lane) => callsOf(lane.url).failed(clock.now()),
      paced: (lane) => callsOf(lane.url).paced(clock.now()),
      answerTimes: (url) => {
        const { usualMs, answerTimeoutMs: timeoutMs } = callsOf(url);
        return { usualMs, timeoutMs };
      },
      balance: settings.balance,
      clusters: settings.clusters,
      costMs: (url, burden) => {
        const { cost, pingMs } = callsOf(url);
        return costMs({ cost, pingMs, ...burden }, clock.now());
      },
      measured: (url) => {
        const { cost, pingMs, latency } = callsOf(url);
        return { latencyMs: latency.averageMs ?? pingMs, success: cost.success };
      },
      failedOver: ({ atMs: _at, ...failover }) => owner.report({ type: 'relay.failed-over', ...failover }),
      ...authentication,
      durability: parts.outbox?.durability ?? 'none',
      undelivered: (publication, lease) => this.publisher.undelivered(publication, lease),
      emptied: () => owner.emptied(),
    });
    this.intake = new Intake({
      clock,
      random,
      codec,
      steps: this.steps,
      settings: settings.subscribe,
      verifier: parts.verifier,
      reconciler: parts.reconciler,
      choose: (urls, key) => this.ledger.choose(urls, key),
      answered: (url) => callsOf(url).succeeded(undefined, clock.now()),
      failed: (url) => callsOf(url).failed(clock.now()),
      charge: (url, kind) => this.links.of(url).malformed(kind, clock.now()),
      count: (url, kind) => this.links.of(url).fault(kind),
      ...authentication,
      verifierFailed: (problem) => owner.report({ type: 'verifier.failed', problem }),
    });
    this.authenticator = new Authenticator({
      clock,
      codec,
      steps: this.steps,
      signers: parts.signers ?? [],
      policyOf: (url) => this.#settings.get(url)?.authenticate ?? 'never',
      settled: (url, isGranted) => {
        this.ledger.settleAuthentication(url, isGranted);
        this.intake.settleAuthentication(url, isGranted);
      },
      requested: (url) => owner.report({ type: 'relay.auth-requested', url }),
      authenticated: (url, pubkey) => owner.report({ type: 'relay.authenticated', url, pubkey }),
      failed: (url, problem) => owner.report({ type: 'relay.auth-failed', url, problem }),
      exceeded: (url) => this.links.of(url).fault('many-challenges'),
    });
    this.links = new Links({
      parts,
      allowPrivate: settings.trust.allowPrivate,
      ackTimeoutMs: settings.publish.ackTimeoutMs,
      ledger: () => this.ledger,
      intake: () => this.intake,
      authenticator: () => this.authenticator,
      isOverheard: () => this.overhearers.size > 0,
      overheard: (url, frame) => {
        for (const overhear of this.overhearers) overhear({ type: 'relay.frame', url, frame });
      },
      receive: (link, message, now) => this.#receive(link, message, now),
      opened: (url) => this.informer.meet(url),
    });
    this.informer = new Informer({
      clock,
      reader: parts.information,
      allowPrivate: settings.trust.allowPrivate,
      stated: (url, limits) => {
        const known = this.#settings.get(url);
        if (!known) return;
        this.tuneRelay(url, known);
        owner.report({ type: 'relay.informed', url, limits });
      },
    });
    this.publisher = new Publisher({
      clock,
      random,
      codec,
      settings,
      ledger: this.ledger,
      outbox: parts.outbox,
      report: (fact) => owner.report(fact),
      tell: (fact) => this.#tellListeners(fact),
      outboxFailed: (problem) => owner.report({ type: 'outbox.failed', problem }),
    });
    this.subscriber = new Subscriber({
      clock,
      codec,
      settings,
      intake: this.intake,
      scopeOf: (relays) => this.ledger.scopeOf(relays),
      report: (fact) => owner.report(fact),
      tell: (fact) => this.#tellListeners(fact),
      hears: () => this.listeners.size > 0,
    });
    this.#keeper =
      parts.state &&
      new StateKeeper({
        state: parts.state,
        clock,
        historyOf: (url) => this.links.of(url).history,
        failed: (problem) => owner.report({ type: 'state.failed', problem }),
      });
  }

  /** A relay is in the pool from now on. */
  openRelay(url: string, settings: RelaySettings, history: RelayHistory | undefined): void {
    this.links.of(url, history);
    this.ledger.openLane(url);
    this.intake.openFeed(url);
    this.tuneRelay(url, settings);
  }

  /** What the application says of a relay has changed. */
  tuneRelay(url: string, settings: RelaySettings): void {
    this.#settings.set(url, settings);
    const limited = limitedBy(settings, this.informer.limitsOf(url));
    this.ledger.tuneLane(url, limited);
    this.intake.tuneFeed(url, limited);
    // What the relay refused because it does not know who we are, it may be told by now.
    const isWanted = this.authenticator.mayAuthenticate(url) && this.intake.awaitsAuthentication(url);
    if (isWanted) this.authenticator.authenticate(url);
  }

  /** The relay's chart has changed its state. */
  updateRelay(url: string, state: LaneState, generation: number): void {
    const { status, suspect, retryAtMs } = state;
    this.links.update(url, status, generation);
    this.ledger.updateLane(url, state);
    this.intake.updateFeed(url, { status, isFit: isRoutable(status) && !suspect, retryAtMs });
  }

  closeRelay(url: string): void {
    this.ledger.closeLane(url);
    this.intake.closeFeed(url);
    this.#settings.delete(url);
    this.informer.forget(url);
    this.links.forget(url);
  }

  /** These are the relays that a pool after this one shall have. */
  keepRelays(kept: KeptPool): void {
    this.#keeper?.keep(kept);
  }

  /** Whether so few relays serve that none of them is spared. */
  set isStrained(isStrained: boolean) {
    this.ledger.isStrained = isStrained;
  }

  /** Whether our own network is in doubt, so that fewer relays are dialled at one time. */
  set isNetworkInDoubt(inDoubt: boolean) {
    this.links.gate.isInDoubt = inDoubt;
  }

  /** How much there is to do at a relay, and how many further connections there may be in all. */
  lookAt(url: string): Look {
    return {
      load: this.ledger.laneOf(url)?.demand ?? 0,
      window: this.settings.publish.window,
      spare: this.settings.supervisor.furtherConnectionsMax - this.links.furtherCount,
    };
  }

  /** Takes nothing more on, and tells when nothing is on its way any more. */
  drain(): void {
    this.publisher.drain();
    this.ledger.drain();
  }

  /** Gives up what is open. */
  giveUp(): void {
    // Before the connections are closed, which is no part of how the relays have been.
    this.#keeper?.close();
    this.informer.dispose();
    this.ledger.close();
    this.intake.close();
  }

  /** Settles when nothing is left to be done after the pool has stopped: its outbox has been told everything. */
  async end(): Promise<void> {
    await this.publisher.end();
    await this.#keeper?.end();
  }

  dispose(): void {
    this.giveUp();
    void this.publisher.end();
    this.links.dispose();
  }

  #receive(link: RelayLink, message: Message, now: number): void {
    switch (message.type) {
      case 'answer': {
        if (this.authenticator.answered(link.url, message)) return;
        const lane = this.ledger.laneOf(link.url);
        if (!lane || !this.ledger.answer(lane, message, now)) link.fault('unexpected-answer');
        return;
      }
      case 'event':
      case 'end-of-stored':
      case 'closed':
      case 'count':
        return this.intake.inbox.receive(link.url, message);
      case 'comparison':
        return this.intake.inbox.compared(link.url, message);
      case 'notice':
        link.lastNotice = message.text;
        return this.intake.inbox.noticed(link.url, message.text);
      case 'malformed':
        return link.malformed(message.problem, now);
      case 'challenge':
        return this.authenticator.challenged(link.url, message.challenge);
    }
  }

  #hears(publication: Publication): boolean {
    return publication.listeners !== undefined || this.listeners.size > 0;
  }

  #report(publication: Publication, fact: PublicationFact): void {
    for (const listener of publication.listeners ?? []) listener(fact);
    this.#tellListeners(fact);
  }

  #tellListeners(fact: PublicationFact | SubscriptionFact): void {
    for (const listener of this.listeners) listener(fact);
  }
}
