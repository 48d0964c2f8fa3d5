import { costMs } from '../../machines/policy/balance/cost.ts';
import type { RelayHistory } from '../../machines/policy/history.ts';
import { CONNECTION_LIMITS } from '../../machines/policy/limits.ts';
import { canonicalRelayUrl } from '../../machines/policy/relay-url.ts';
import type { PoolSettings, RelaySettings } from '../../machines/policy/settings.ts';
import { limitedBy } from '../../machines/policy/stated-limits.ts';
import { isRoutable } from '../../machines/policy/status.ts';
import type { KeptPool } from '../../machines/pool/pool.context.ts';
import type { PoolFact } from '../../machines/pool/pool.events.ts';
import type { PublicationFact } from '../../machines/publication/publication.events.ts';
import type { Look } from '../../machines/scaling/scaling.context.ts';
import type { SubscriptionFact } from '../../machines/subscription/subscription.events.ts';
import { AbortSignals } from '../abort-signals.ts';
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
      | 'relay.publishing-suspended'
      | 'relay.publishing-resumed'
      | 'relay.requests-suspended'
      | 'relay.requests-resumed'
      | 'relay.event-given-up'
      | 'relay.limit-learned'
      | 'outbox.failed'
      | 'state.failed'
      | 'verifier.failed';
  }
>;

/** Whoever supervises: hears the facts that nobody asked for by name, and that everything is delivered. */
export interface DataPlaneOwner {
  report(fact: PublicationFact | SubscriptionFact | PlaneFact): void;
  emptied(): void;
  /** A caller waits for this relay, or no longer does. */
  needChanged(url: string, isNeeded: boolean): void;
}

/**
 * Where bytes move: the books of publishing, what is received, what is measured of each relay, and the sockets that the
 * relays' charts ask for. It takes messages to where they belong, and decides nothing that a chart decides.
 */
export class DataPlane {
  readonly parts: PoolParts;
  /** Settings as they are now. */
  settings: PoolSettings;
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
  readonly #owner: DataPlaneOwner;
  readonly #signals = new AbortSignals();
  /** Relays that a caller waits for. */
  readonly #needed = new Set<string>();

  constructor(parts: PoolParts, settings: PoolSettings, owner: DataPlaneOwner) {
    this.#owner = owner;
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
    this.ledger = new Ledger({
      clock,
      random,
      signals: this.#signals,
      settings: () => this.settings,
      steps: this.steps,
      canonical: (url) => canonicalRelayUrl(url, settings.trust),
      hears: (publication) => this.#hears(publication),
      report: (publication, fact) => this.#report(publication, fact),
      answered: (lane, latencyMs, at) => callsOf(lane.url).succeeded(latencyMs, at),
      failed: (lane) => callsOf(lane.url).failed(clock.now()),
      paced: (lane) => callsOf(lane.url).paced(clock.now()),
      suspended: ({ url }, opening) => owner.report({ type: 'relay.publishing-suspended', url, ...opening }),
      resumed: ({ url }) => owner.report({ type: 'relay.publishing-resumed', url }),
      needed: ({ url }) => this.#setNeed(url, true),
      limitFound: ({ url }, bytes) => this.#learnLimit(url, bytes),
      givenUp: ({ publication: { id }, lane: { url }, record }) => {
        owner.report({ type: 'relay.event-given-up', url, id, reason: record.context.reason ?? '' });
      },
      answerTimes: (url) => {
        const { usualMs, answerTimeoutMs: timeoutMs } = callsOf(url);
        return { usualMs, timeoutMs };
      },
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
      suspended: (url, opening) => owner.report({ type: 'relay.requests-suspended', url, ...opening }),
      resumed: (url) => owner.report({ type: 'relay.requests-resumed', url }),
      needed: (url) => this.#setNeed(url, true),
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
      ackTimeoutMs: () => this.settings.publish.ackTimeoutMs,
      isNeeded: (url) => this.#needed.has(url),
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
      settings: () => this.settings,
      ledger: this.ledger,
      outbox: parts.outbox,
      report: (fact) => owner.report(fact),
      tell: (fact) => this.#tellListeners(fact),
      outboxFailed: (problem) => owner.report({ type: 'outbox.failed', problem }),
    });
    this.subscriber = new Subscriber({
      clock,
      codec,
      signals: this.#signals,
      settings: () => this.settings,
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
    this.ledger.openLane(url, limitedBy(settings, this.informer.limitsOf(url)));
    this.intake.openFeed(url, settings.breaker);
    this.tuneRelay(url, settings);
  }

  /** What the application says of a relay has changed. */
  tuneRelay(url: string, settings: RelaySettings): void {
    this.#settings.set(url, settings);
    const stated = limitedBy(settings, this.informer.limitsOf(url));
    const { learnedFrameBytesMax } = this.links.of(url);
    const limited = { ...stated, frameBytesMax: Math.min(stated.frameBytesMax, learnedFrameBytesMax) };
    this.ledger.tuneLane(url, limited);
    this.intake.tuneFeed(url, limited);
    // What the relay refused because it does not know who we are, it may be told by now.
    const isWanted = this.authenticator.mayAuthenticate(url) && this.intake.awaitsAuthentication(url);
    if (isWanted) this.authenticator.authenticate(url);
  }

  /** The relay's chart has changed its state. */
  updateRelay(url: string, state: LaneState): void {
    const { status, suspect, retryAtMs } = state;
    const served = this.ledger.laneOf(url)?.isServing ?? false;
    this.ledger.updateLane(url, state);
    this.intake.updateFeed(url, { status, isFit: isRoutable(status) && !suspect, retryAtMs });
    this.#reviewNeed(url);
    // Others may be needed for what this relay served.
    if (served && !this.ledger.laneOf(url)?.isServing) this.#reviewNeeds();
  }

  /** Options of the whole pool have changed. */
  tune(settings: PoolSettings): void {
    this.settings = settings;
    this.ledger.tune();
  }

  #reviewNeeds(): void {
    for (const { url, isServing, items } of this.ledger.lanes) {
      if (!isServing && (items.size > 0 || this.#needed.has(url))) this.#reviewNeed(url);
    }
  }

  #reviewNeed(url: string): void {
    this.#setNeed(url, this.ledger.isNeeded(url) || this.intake.isNeeded(url));
  }

  #setNeed(url: string, isNeeded: boolean): void {
    if (this.#needed.has(url) === isNeeded) return;
    if (isNeeded) this.#needed.add(url);
    else this.#needed.delete(url);
    this.#owner.needChanged(url, isNeeded);
    if (isNeeded) this.links.reviewDials();
  }

  /** The relay closed its connection because of a frame of so many bytes: what is as large is not sent there any more. */
  #learnLimit(url: string, bytes: number): void {
    const link = this.links.of(url);
    const frameBytesMax = Math.max(CONNECTION_LIMITS.frameBytesMax.min, bytes - 1);
    if (frameBytesMax >= link.learnedFrameBytesMax) return;
    link.learnedFrameBytesMax = frameBytesMax;
    this.#owner.report({ type: 'relay.limit-learned', url, frameBytesMax });
    const settings = this.#settings.get(url);
    if (settings) this.tuneRelay(url, settings);
  }

  closeRelay(url: string): void {
    this.ledger.closeLane(url);
    this.intake.closeFeed(url);
    this.#settings.delete(url);
    this.#needed.delete(url);
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
    this.links.isInDoubt = inDoubt;
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
      case 'notice': {
        link.lastNotice = message.text;
        if (this.intake.inbox.noticed(link.url, message.text)) return;
        const lane = this.ledger.laneOf(link.url);
        const { refusal } = message;
        // A request may be what it is about.
        if (lane && refusal && !this.intake.feedOf(link.url)?.isAwaiting) this.ledger.noticed(lane, refusal, now);
        return;
      }
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
