import {
  afterAnswer,
  afterHedge,
  afterLate,
  afterSend,
  afterWaiting,
  type Duplicates,
  hedgeDelayMs,
  isMissed,
  isSystemic,
  mayHedge,
  mayRetry,
  NO_DUPLICATES,
  untrustedForMs,
} from '../../machines/policy/hedge.ts';
import { SILENCE } from '../../machines/policy/limits.ts';
import type { Clock } from '../clock.ts';
import type { Dispatcher } from './dispatcher.ts';
import { type Failover, type FailoverCause, type Failovers, OpenFailover } from './failovers.ts';
import type { Delivery, DeliveryLane, Publication } from './publication.ts';

/** What is known of the time that a relay takes to answer. */
export interface AnswerTimes {
  /** Milliseconds that 95 % of its answers do not exceed; nothing before enough are known. */
  readonly usualMs: number | undefined;
  /** Milliseconds after which an answer is late on the connection as it is. */
  readonly timeoutMs: number;
}

export interface MoverNeeds {
  readonly clock: Clock;
  readonly dispatcher: Dispatcher;
  readonly failovers: Failovers;
  /** Work that was moved earlier is stored elsewhere. */
  failedOver(failover: Failover): void;
  lanes(): readonly DeliveryLane[];
  answerTimes(url: string): AnswerTimes;
  /** The event was copied to another relay, because this one is late with its answer. */
  hedged(delivery: Delivery, to: DeliveryLane): void;
}

/**
 * Brings work to other relays: a copy of what is late, within its budget, and all that waits at a relay that fell
 * silent or is gone. When copies may be made is for `machines/policy/hedge.ts` to say.
 */
export class Mover {
  hedges = 0;
  readonly #needs: MoverNeeds;
  #duplicates: Duplicates = NO_DUPLICATES;
  /** When a silent relay last cost trust; once per answer timeout is enough. */
  readonly #chargedAt = new WeakMap<DeliveryLane, number>();
  #trustTimer: unknown;
  /** Stays with relays that were silent together, because that was nobody's own failure. */
  readonly #stayed = new Set<Publication>();

  constructor(needs: MoverNeeds) {
    this.#needs = needs;
  }

  /** From 0, when nothing late may be copied, to 10. */
  get trust(): number {
    return this.#duplicates.trust;
  }

  lateAfterMs(url: string): number {
    const { usualMs, timeoutMs } = this.#needs.answerTimes(url);
    return hedgeDelayMs(usualMs, timeoutMs);
  }

  sent(): void {
    this.#become(afterSend(this.#duplicates));
  }

  answered(): void {
    this.#become(afterAnswer(this.#duplicates));
  }

  /**
   * An answer is later than usual: another relay is asked as well, if there is one and copies are within bounds. False
   * where they are not, and it may be looked at again.
   */
  late(delivery: Delivery): boolean {
    const { publication, lane, record } = delivery;
    if (publication.isOver || publication.isConfirmed || record.state !== 'sent') return true;
    if (publication.hedges >= publication.copies || !publication.hasUntried) return true;
    const lateMs = this.#needs.clock.now() - record.context.sentAt;
    const { timeoutMs } = this.#needs.answerTimes(lane.url);
    if (isMissed(lateMs, timeoutMs)) this.#charge(delivery);
    if (!this.mayCopy(lateMs >= timeoutMs)) return false;
    const to = this.#needs.dispatcher.copy(publication, lane);
    if (!to) return false;
    this.#become(afterHedge(this.#duplicates));
    publication.hedges += 1;
    this.hedges += 1;
    this.#needs.hedged(delivery, to);
    if (lateMs >= timeoutMs) this.#charge(delivery);
    return true;
  }

  /** Whether a copy of something that is late is within bounds. */
  mayCopy(isOverTimeout: boolean): boolean {
    return mayHedge(this.#duplicates, isOverTimeout);
  }

  /** Whether what was not answered may be tried elsewhere. */
  mayRetry(): boolean {
    this.#wait();
    return mayRetry(this.#duplicates);
  }

  /** No answer came in time, which costs trust: whether it may be tried elsewhere at once. */
  unanswered(): boolean {
    this.#wait();
    this.#become(afterLate(this.#duplicates));
    return mayRetry(this.#duplicates);
  }

  /** Relays serve that did not: what wants more asks them, but for retries where those are not trusted. */
  topUpNeedy(): void {
    if (this.#stayed.size > 0 && !this.#isSystemic()) this.#move();
    if (this.#needs.dispatcher.topUpNeedy(this.mayRetry())) this.#awaitTrust();
  }

  /** It wants another relay, and may not have it before more is trusted. */
  defer(publication: Publication): void {
    if (this.#needs.dispatcher.defer(publication)) this.#awaitTrust();
  }

  dispose(): void {
    this.#stayed.clear();
    this.#needs.clock.clearTimeout(this.#trustTimer);
  }

  /** A relay does not serve any more: what is on its way there, or waits, goes elsewhere where it can. */
  evacuate(lane: DeliveryLane, cause: FailoverCause): void {
    const { clock, dispatcher, failovers, failedOver } = this.#needs;
    const failover = new OpenFailover(lane.url, cause, clock.now());
    const costs = cause === 'silent' && this.#isSystemic();
    for (const { publication, record } of [...lane.items.values()]) {
      if (publication.goesEverywhere) continue;
      // What has not been sent is no copy, wherever it goes.
      if (costs && record.state === 'sent' && !this.unanswered()) {
        this.defer(publication);
        this.#stayed.add(publication);
        continue;
      }
      for (const { url } of dispatcher.topUp(publication)) {
        const ended = failovers.moved(failover, publication, url);
        if (ended) failedOver(ended);
      }
    }
  }

  /** The others talk again: that the rest is silent is its own failure after all, and what is there goes elsewhere. */
  #move(): void {
    const stayed = [...this.#stayed];
    this.#stayed.clear();
    for (const publication of stayed) this.#needs.dispatcher.topUp(publication);
  }

  /**
   * What a late answer costs, and only once: every one where the relay talks and is slow, one in a while where it is
   * silent.
   */
  #charge(delivery: Delivery): void {
    if (delivery.isCharged) return;
    delivery.isCharged = true;
    const { lane, record, sentOn } = delivery;
    const now = this.#wait();
    const isTalking = sentOn !== undefined && sentOn.spokeAt > record.context.sentAt;
    const lastMs = now - (this.#chargedAt.get(lane) ?? Number.NEGATIVE_INFINITY);
    if (!isTalking && lastMs < this.#needs.answerTimes(lane.url).timeoutMs) return;
    if (!isTalking) this.#chargedAt.set(lane, now);
    this.#become(afterLate(this.#duplicates));
  }

  /** Trust comes back with time. */
  #wait(): number {
    const now = this.#needs.clock.now();
    this.#become(afterWaiting(this.#duplicates, now));
    return now;
  }

  #become(next: Duplicates): void {
    const isNews = !mayRetry(this.#duplicates) && mayRetry(next);
    this.#duplicates = next;
    if (isNews) this.topUpNeedy();
  }

  /** Trust comes with answers, which are noticed, and with time, which has to be. */
  #awaitTrust(): void {
    if (this.#trustTimer !== undefined) return;
    this.#trustTimer = this.#needs.clock.setTimeout(() => {
      this.#trustTimer = undefined;
      this.topUpNeedy();
    }, untrustedForMs(this.#duplicates) + SILENCE.secondLookMs);
  }

  #isSystemic(): boolean {
    const lanes = this.#needs.lanes();
    return isSystemic(lanes.filter(({ state }) => state.suspect).length, lanes.length);
  }
}

/** True if another relay could be asked for a publication. */
export const isCoverable = ({ goesEverywhere, isConfirmed }: Publication): boolean => !goesEverywhere && !isConfirmed;
