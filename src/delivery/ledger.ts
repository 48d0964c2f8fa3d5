import type { CloseReport } from '../../machines/policy/close.ts';
import { readable } from '../../machines/policy/error.ts';
import { isRelayFault, type Refusal } from '../../machines/policy/refusal.ts';
import { hostOf } from '../../machines/policy/relay-url.ts';
import type { PoolSettings } from '../../machines/policy/settings.ts';
import type { PublishOptions } from '../../machines/pool/pool.events.ts';
import type { PublicationFact } from '../../machines/publication/publication.events.ts';
import type { AbortSignals } from '../abort-signals.ts';
import type { Clock } from '../clock.ts';
import type { CircuitListener, CircuitOpening } from '../health/outcome-circuit.ts';
import type { PreparedEvent } from '../protocol/codec.ts';
import type { Steps } from '../steps.ts';
import { type Answer, Deliveries } from './deliveries.ts';
import { Dispatcher } from './dispatcher.ts';
import * as facts from './facts.ts';
import { type Failover, type FailoverStatistics, Failovers } from './failovers.ts';
import { Lane, type LaneBurden, type LaneOwner, type LaneStanding, type LaneState } from './lane.ts';
import { type AnswerTimes, isCoverable, Mover } from './mover.ts';
import type { Durability, Lease } from './outbox/outbox.ts';
import type { Delivery, DeliveryLane, Publication } from './publication.ts';
import { Publications, type PublishRequest } from './publications.ts';
import { Selector } from './selector.ts';
import { fitting, type Known, resolveTarget, type Target } from './target.ts';
import type { LaneSession } from './way.ts';

/** What the ledger needs from around it. */
export interface LedgerNeeds {
  readonly clock: Clock;
  readonly random: () => number;
  readonly signals: AbortSignals;
  /** Settings as they are now. */
  settings(): Pick<PoolSettings, 'publish' | 'balance' | 'clusters'>;
  /** Receives every step of publications, deliveries and write circuits. */
  readonly steps: Steps;
  /** The one spelling of a relay's URL; throws for what is none. */
  canonical(url: unknown): string;
  /** Whether anybody wants to know what happens to a publication; facts are only made for listeners. */
  hears(publication: Publication): boolean;
  /** Something happened to a publication. */
  report(publication: Publication, fact: PublicationFact): void;
  /** A relay answered; `latencyMs` is left out where it would not measure the relay. */
  answered(lane: DeliveryLane, latencyMs: number | undefined, at: number): void;
  /** A relay failed to answer an event, or said that it failed. */
  failed(lane: DeliveryLane): void;
  /** The write circuit of a relay opened, or closed. */
  suspended(lane: DeliveryLane, opening: CircuitOpening): void;
  resumed(lane: DeliveryLane): void;
  /** A quorum needs this relay, which does not serve. */
  needed(lane: DeliveryLane): void;
  /** The relay closed its connection because of a frame of so many bytes. */
  limitFound(lane: DeliveryLane, bytes: number): void;
  /** An event was lost with its connection each time that it was sent to a relay. */
  givenUp(delivery: Delivery): void;
  /** A relay wants to be asked less often. */
  paced(lane: DeliveryLane): void;
  answerTimes(url: string): AnswerTimes;
  costMs(url: string, burden: LaneBurden): number;
  measured(url: string): { readonly latencyMs: number | undefined; readonly success: number };
  /** Work was moved off a relay, and is stored elsewhere. */
  failedOver(failover: Failover): void;
  /** Whether it is worth a try to tell a relay who we are; `settleAuthentication` says how that ended. */
  mayAuthenticate(url: string): boolean;
  authenticate(url: string): void;
  /** What accepted events survive. */
  readonly durability: Durability;
  /** A publication is over without its quorum, and its outbox still has it. */
  undelivered(publication: Publication, lease: Lease): void;
  /** Draining was asked for, and nothing is on its way any more. */
  emptied(): void;
}

/**
 * The books of publishing: every publication that is open, and the lane to every relay. It steps the records by their
 * charts' tables and does what the charts say; what it decides itself is only who is asked.
 */
export class Ledger implements LaneOwner<Delivery> {
  readonly clock: Clock;
  readonly circuits: LedgerNeeds;
  readonly #needs: LedgerNeeds;
  readonly #lanes = new Map<string, DeliveryLane>();
  readonly publications: Publications;
  readonly #deliveries: Deliveries;
  readonly #selector: Selector;
  readonly #dispatcher: Dispatcher;
  readonly #mover: Mover;
  readonly #failovers = new Failovers();
  /** The lanes as a list, made anew when one comes or goes. */
  #all: readonly DeliveryLane[] = [];
  #draining = false;
  /** Bytes of a frame that every relay takes. */
  #frameBytesMin = 0;
  readonly #laneNamed = (url: unknown): DeliveryLane | undefined => this.#lanes.get(this.#needs.canonical(url));
  /** So few relays serve that none of them is spared. */
  isStrained = false;

  constructor(needs: LedgerNeeds) {
    this.#needs = needs;
    this.clock = needs.clock;
    this.circuits = needs;
    const { clock, random } = needs;
    this.#deliveries = new Deliveries({
      clock,
      random,
      settings: () => needs.settings().publish,
      steps: needs.steps,
      accepted: (delivery) => this.publications.accepted(delivery),
      rejected: (delivery) => this.publications.rejected(delivery),
      deferred: ({ publication }) => {
        this.#dispatcher.topUp(publication);
        this.publications.settleAnswers(publication);
      },
      // What was lost with its socket is moved with all that was; what is overdue costs trust.
      unanswered: ({ publication }) => {
        if (this.#mover.unanswered()) this.#dispatcher.topUp(publication);
        else this.#mover.defer(publication);
      },
      unknown: ({ publication }) => this.publications.settleAnswers(publication),
      givenUp: (delivery) => {
        needs.givenUp(delivery);
        this.publications.rejected(delivery);
      },
      limitFound: (lane, bytes) => needs.limitFound(lane, bytes),
      resent: ({ publication, record }) => {
        if (record.state !== 'unknown') return;
        if (this.#mover.mayRetry()) this.#dispatcher.topUp(publication);
        else this.#mover.defer(publication);
      },
      mayAuthenticate: ({ url }) => needs.mayAuthenticate(url),
      authenticate: ({ publication, lane }) => {
        needs.authenticate(lane.url);
        // Signing may take a while, and may come to nothing.
        this.#dispatcher.topUp(publication);
      },
      abandon: ({ publication, lane }) => this.publications.abandon(publication, [lane]),
    });
    this.#selector = new Selector({
      clock,
      random,
      balance: () => needs.settings().balance,
      lanes: () => this.#all,
      isStrained: () => this.isStrained,
    });
    this.#dispatcher = new Dispatcher({
      selector: this.#selector,
      triesMax: () => needs.settings().publish.triesMax,
      step: (delivery, event) => this.#deliveries.step(delivery, event),
      needed: (lane) => needs.needed(lane),
    });
    this.#mover = new Mover({
      clock,
      dispatcher: this.#dispatcher,
      failovers: this.#failovers,
      failedOver: (failover) => needs.failedOver(failover),
      lanes: () => this.#all,
      answerTimes: (url) => needs.answerTimes(url),
      hedged: (delivery, to) =>
        this.publications.report(delivery.publication, () => facts.hedged(delivery, to, this.clock.now())),
    });
    this.publications = new Publications({
      ...needs,
      settings: () => needs.settings().publish,
      deliveries: this.#deliveries,
      dispatcher: this.#dispatcher,
      failovers: this.#failovers,
      changed: () => this.#checkDrained(),
    });
  }

  /** Copies that were sent because an answer was late, and how much more such copies are trusted. */
  get hedges(): { readonly count: number; readonly trust: number } {
    return { count: this.#mover.hedges, trust: this.#mover.trust };
  }

  get failovers(): FailoverStatistics {
    return this.#failovers.statistics;
  }

  get windowMax(): number {
    return this.#needs.settings().publish.window;
  }

  get ackTimeoutMs(): number {
    return this.#needs.settings().publish.ackTimeoutMs;
  }

  /** The ways to all relays. */
  get lanes(): readonly DeliveryLane[] {
    return this.#all;
  }

  laneOf(url: string): DeliveryLane | undefined {
    return this.#lanes.get(url);
  }

  openLane(url: string, standing: LaneStanding): DeliveryLane {
    const known = this.#lanes.get(url);
    if (known) return known;
    const lane = new Lane<Delivery>(url, hostOf(url), standing, this, (opened) => this.#watchWrites(opened));
    this.#lanes.set(url, lane);
    this.#all = [...this.#lanes.values()];
    return lane;
  }

  /** One of some relays, by the pool's strategy. */
  choose(urls: readonly string[], key: string): string | undefined {
    const lanes = urls.flatMap((url) => this.#lanes.get(url) ?? []);
    return this.#selector.among(lanes, key)?.url;
  }

  /** Which relays an application means, and how many of them; throws `NO_RELAYS` or `INVALID_OPTION`. */
  scopeOf(relays: PublishOptions['relays'] = 'all'): { urls: ReadonlySet<string> | undefined; copies: number } {
    const { lanes, copies } = resolveTarget({ relays }, this.#known);
    // Of all, also those that come later; of those that are named, only they.
    const isOpen = relays === 'all' || typeof relays === 'number';
    return {
      urls: isOpen ? undefined : new Set(lanes.map(({ url }) => url)),
      copies: relays === 'all' ? Number.POSITIVE_INFINITY : copies,
    };
  }

  /** What the application says of a relay has changed. */
  tuneLane(url: string, standing: LaneStanding): void {
    const lane = this.#lanes.get(url);
    if (!lane) return;
    const { frameBytesMax } = lane;
    lane.standing = standing;
    this.#frameBytesMin = Math.min(...this.#all.map((each) => each.frameBytesMax));
    if (standing.frameBytesMax < frameBytesMax) this.#refuseLarge(lane);
  }

  /** The relay turned out to take less: what waits there and is too large goes elsewhere. */
  #refuseLarge(lane: DeliveryLane): void {
    const { frameBytesMax } = lane;
    for (const delivery of [...lane.items.values()]) {
      if (3 * delivery.frame.length <= frameBytesMax || delivery.bytes <= frameBytesMax) continue;
      this.#deliveries.refuseLarge(delivery, frameBytesMax);
    }
  }

  /** The write circuit takes a relay out of publishing, and its connection goes on. */
  #watchWrites(lane: DeliveryLane): CircuitListener {
    return {
      opened: (opening) => {
        this.#dispatcher.onTrial(lane, false);
        this.#needs.suspended(lane, opening);
        if (lane.closed) return;
        this.#dispatcher.suspend(lane);
        this.#mover.evacuate(lane, 'unfit');
      },
      halfOpened: () => {
        this.#dispatcher.onTrial(lane, true);
        this.#dispatcher.resume(lane);
        lane.pump();
      },
      closed: () => {
        this.#dispatcher.onTrial(lane, false);
        this.#needs.resumed(lane);
        this.#dispatcher.resume(lane);
        if (!lane.isServing) return;
        this.#selector.joined(lane);
        this.#mover.topUpNeedy();
        lane.pump();
      },
    };
  }

  /** The relay is leaving: nothing more goes there, and what was under way is made up for elsewhere. */
  closeLane(url: string): void {
    const lane = this.#lanes.get(url);
    if (!lane) return;
    this.#lanes.delete(url);
    this.#all = [...this.#lanes.values()];
    lane.closed = true;
    this.#dispatcher.onTrial(lane, false);
    lane.dispose();
    for (const publication of [...this.publications]) this.publications.abandon(publication, [lane]);
    lane.items.clear();
  }

  /** Options of the pool have changed: there may be more room, or other relays to prefer. */
  tune(): void {
    for (const lane of this.#all) lane.pump();
  }

  /** The relay's chart has changed its state. */
  updateLane(url: string, state: LaneState): void {
    const lane = this.#lanes.get(url);
    if (!lane) return;
    const served = lane.isServing;
    // One that was only suspected of silence has missed nothing.
    const hasRecovered = lane.status === 'degraded' && !lane.state.suspect && state.status === 'connected';
    lane.state = state;
    if (hasRecovered) lane.startSlowly();
    if (!served && lane.isServing) this.#selector.joined(lane);
    if (lane.isComing) this.#dispatcher.resume(lane);
    else this.#dispatcher.suspend(lane);
    if (served && !lane.isServing) this.#mover.evacuate(lane, state.suspect ? 'silent' : 'unfit');
    if (lane.isServing) this.#mover.topUpNeedy();
    lane.pump();
    this.#settleAnswers(lane);
    if (!lane.isReachable) this.#checkDrained();
  }

  /** True if the quorum of some publication lacks this relay. */
  isNeeded(url: string): boolean {
    const lane = this.#lanes.get(url);
    if (!lane || lane.isServing) return false;
    for (const { publication } of lane.items.values()) if (publication.needs(lane)) return true;
    return false;
  }

  /** Those who wait for answers do not wait for a relay that cannot be reached. */
  #settleAnswers(lane: DeliveryLane): void {
    if (lane.isReachable) return;
    for (const { publication } of [...lane.items.values()]) this.publications.settleAnswers(publication);
  }

  attach(url: string, session: LaneSession, isResting: boolean): void {
    this.#lanes.get(url)?.attach(session, isResting);
  }

  /** A further connection may be sent on; or it may not for now, and what is in flight there goes out on others. */
  serve(url: string, session: LaneSession): void {
    this.#lanes.get(url)?.serve(session);
  }

  rest(url: string, session: LaneSession): void {
    const lane = this.#lanes.get(url);
    if (!lane) return;
    this.#deliveries.lost(lane, lane.rest(session));
    lane.pump();
  }

  /**
   * The session is gone. What it had not answered waits for another one, and may go elsewhere meanwhile. `report` says how the
   * relay ended it; nothing if the pool did.
   */
  detach(url: string, session: LaneSession, report?: CloseReport): void {
    const lane = this.#lanes.get(url);
    if (!lane) return;
    const lost = lane.detach(session);
    this.#deliveries.lost(lane, lost, report);
    if (!lane.isServing) this.#mover.evacuate(lane, 'lost');
    this.#checkDrained();
  }

  /** What a relay refused for want of it is sent once more, or never will be accepted there. */
  settleAuthentication(url: string, isGranted: boolean): void {
    const lane = this.#lanes.get(url);
    if (!lane) return;
    const type = isGranted ? 'auth.granted' : 'auth.denied';
    for (const delivery of [...lane.items.values()]) this.#deliveries.step(delivery, { type });
    lane.pump();
    this.#checkDrained();
  }

  /** Accepts an event, or joins the publication of it that is open. Throws for misuse; refuses nothing else. */
  publish(request: PublishRequest): void {
    this.publications.publish(request, this.#targetOf(request.event, request.options));
  }

  /** Throws for an event that too few of the relays that it is for take, so that nothing makes room for it. */
  checkSize(event: PreparedEvent, options: PublishOptions): void {
    if (this.#mayBeTooLarge(event)) this.#targetOf(event, options);
  }

  /** A relay answered. False when it answers for something that it was not sent. */
  answer(lane: DeliveryLane, message: Answer, arrivedAt: number): boolean {
    const delivery = lane.items.get(message.id) ?? lane.owed.get(message.id);
    if (!delivery || delivery.record.context.tries === 0) return false;
    const { tries, sentAt, answeredAt } = delivery.record.context;
    // On another connection than it was sent on, it may have arrived before that.
    const at = Math.max(arrivedAt, sentAt);
    lane.overtook(delivery);
    if (!this.#deliveries.take(delivery, message, at)) return false;
    if (!message.accepted && message.refusal.class === 'paced') {
      lane.slowDown(this.#deliveries.resendDelayMs(tries));
      this.#needs.paced(lane);
    }
    // An answer to something that was sent twice does not say to which of the two (Karn's rule). One that comes late is
    // a sample like any other, or a relay that has become slower would be late for ever.
    const isSample = tries === 1 && answeredAt === 0;
    if (message.accepted || !isRelayFault(message.refusal)) {
      this.#mover.answered();
      const latencyMs = isSample ? at - sentAt : undefined;
      this.#needs.answered(lane, latencyMs, at);
      lane.answered(delivery, latencyMs, at);
      if (message.accepted && delivery.frame.length > lane.largestTaken) lane.largestTaken = delivery.frame.length;
      // Refusals that say nothing of the relay's health leave its write circuit as it is.
      if (message.accepted || message.refusal.class === 'final') lane.writes.succeeded(at);
    } else {
      this.#failed(delivery, message.refusal.text);
    }
    lane.pump();
    this.#checkDrained();
    return true;
  }

  /**
   * A NOTICE arrived. Returns true if it is taken for the answer to an event: the only thing that is unanswered there, sent
   * just before. Some relays refuse in no other way.
   */
  noticed(lane: DeliveryLane, refusal: Refusal, arrivedAt: number): boolean {
    const delivery = lane.onlyUnanswered;
    if (delivery?.record.state !== 'sent') return false;
    if (arrivedAt - delivery.sentAt > this.#needs.answerTimes(lane.url).timeoutMs) return false;
    const answer = { type: 'answer', id: delivery.publication.id, accepted: false, refusal } as const;
    return this.answer(lane, answer, arrivedAt);
  }

  /** One event counts once at the write circuit of a relay, however often it is tried there. */
  #failed(delivery: Delivery, reason: string): void {
    const { lane } = delivery;
    this.#needs.failed(lane);
    if (delivery.hasFailed) return;
    delivery.hasFailed = true;
    lane.writes.failed(reason);
  }

  /** Says so once nothing is on its way any more. */
  drain(): void {
    this.#draining = true;
    this.#checkDrained();
  }

  /** Gives everything up and tells everybody. */
  close(): void {
    this.publications.close();
    for (const lane of this.#all) lane.dispose();
    this.#mover.dispose();
    this.#lanes.clear();
    this.#all = [];
  }

  costMs(url: string, burden: LaneBurden): number {
    return this.#needs.costMs(url, burden);
  }

  measured(url: string): { readonly latencyMs: number | undefined; readonly success: number } {
    return this.#needs.measured(url);
  }

  isCoverable({ publication }: Delivery): boolean {
    return isCoverable(publication);
  }

  lateAfterMs(url: string): number {
    return this.#mover.lateAfterMs(url);
  }

  late(delivery: Delivery): boolean {
    return this.#mover.late(delivery);
  }

  sent(delivery: Delivery, at: number, generation: number, isAlone: boolean): void {
    this.#mover.sent();
    this.#deliveries.step(delivery, { type: 'frame.sent', at, generation, isAlone });
  }

  overdue(delivery: Delivery): void {
    const { lane, publication } = delivery;
    if (lane.owed.get(publication.id) === delivery) lane.owed.delete(publication.id);
    else this.#deliveries.step(delivery, { type: 'answer.overdue' });
    this.#failed(delivery, 'no answer in time');
    this.#checkDrained();
  }

  #targetOf(event: PreparedEvent, options: PublishOptions): Target<DeliveryLane> {
    const target = readable('relays', () => resolveTarget(options, this.#known));
    return this.#mayBeTooLarge(event) ? fitting(target, event) : target;
  }

  // A character takes at most three bytes of UTF-8, so most events need not be measured.
  #mayBeTooLarge({ frame }: PreparedEvent): boolean {
    return 3 * frame.length > this.#frameBytesMin;
  }

  get #known(): Known<DeliveryLane> {
    return { all: this.#all, clusters: this.#needs.settings().clusters, laneOf: this.#laneNamed };
  }

  #checkDrained(): void {
    if (!this.#draining) return;
    for (const publication of this.publications) if (publication.isMoving) return;
    this.#draining = false;
    this.#needs.emptied();
  }
}
