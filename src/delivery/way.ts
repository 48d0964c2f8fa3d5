import { OVERTAKEN, SILENCE } from '../../machines/policy/limits.ts';
import { afterTick, hasSlept, type LateTicks, NO_LATE_TICKS } from '../../machines/policy/silence.ts';
import type { Clock } from '../clock.ts';
import { AnswerWindow } from './answer-window.ts';

/** A live connection, as far as sending is concerned. */
export interface LaneSession {
  readonly generation: number;
  /** When anything last arrived, and when a message did: a connection that only answers pings says nothing. */
  readonly heardAt: number;
  readonly spokeAt: number;
  /** Whether nothing is read for now, so that no answer can be late. */
  readonly isDeaf: boolean;
  /** True once anything has arrived on it. */
  readonly isProven: boolean;
  /** Whether the frame was taken; `now` is what the clock says, for whoever has just asked. */
  send(frame: string, now?: number): boolean;
}

/** What is sent, and waits for an answer. */
export interface WayItem {
  readonly frame: string;
  /** What of the same order is on its way is answered before this is sent. */
  readonly order: string | undefined;
  /** When it was last sent. */
  readonly sentAt: number;
  /** Number of its last send on its connection, and the later sends that were answered since; the way writes both. */
  sendNumber: number;
  overtaken: number;
}

/** What a way asks of the lane that it belongs to. */
export interface WayNeeds<Item extends WayItem> {
  readonly clock: Clock;
  /** Messages that may be unanswered on one connection, at most. */
  readonly windowMax: number;
  ackTimeoutMs(): number;
  /** Milliseconds after which an answer is late. */
  lateAfterMs(): number;
  /** Whether anything can be done about an item whose answer is late. */
  isCoverable(item: Item): boolean;
  /** The answer is later than answers usually are here. Whether that is settled; otherwise it is told again later. */
  late(item: Item): boolean;
  /** No answer came in time. */
  overdue(item: Item): void;
  /** There is room again. */
  freed(): void;
}

/** One connection of a lane: what is unanswered on it, how much that may be, and when that is too long. */
export class Way<Item extends WayItem> {
  readonly session: LaneSession;
  /** In the order in which they were sent, so the oldest is the first to be overdue. */
  inFlight = new Set<Item>();
  /** It is about to be closed, or owes an answer and is silent: nothing more is sent on it. */
  isResting = false;
  readonly #needs: WayNeeds<Item>;
  readonly #window: AnswerWindow;
  /** Sent on, and sent on others since; the relay may still owe answers to them here, so they keep their place for a while. */
  readonly #withdrawn = new Map<Item, number>();
  #lapseTimer: unknown;
  #ackTimer: unknown;
  #ackDueAt = 0;
  /** Nothing before this counts as waiting: we were asleep. */
  #awakeSince = Number.NEGATIVE_INFINITY;
  /** When the oldest was sent that is overdue, of those that went out after the relay was last heard. */
  #overdueSince: number | undefined;
  /** In flight, and somebody else could be asked; with the time from which its lateness counts, the oldest first. */
  readonly #timely = new Map<Item, number>();
  #lateTimer: unknown;
  #lateDueAt = 0;
  #isSecondLook = false;
  #lateTicks: LateTicks = NO_LATE_TICKS;
  #ackTicks: LateTicks = NO_LATE_TICKS;
  #isAckSecondLook = false;
  /** Sends on it so far. */
  #sends = 0;
  #roomTimer: unknown;
  #drained: (() => void) | undefined;

  constructor(session: LaneSession, needs: WayNeeds<Item>) {
    this.session = session;
    this.#needs = needs;
    this.#window = new AnswerWindow(needs.windowMax, needs.clock.now());
  }

  /** Messages that may be unanswered at the moment. */
  get window(): number {
    return this.#window.size;
  }

  get hasRoom(): boolean {
    if (this.isResting) return false;
    const used = this.inFlight.size + this.#owedToWithdrawn();
    return used < this.#window.size || used < this.#window.size + this.#yielded();
  }

  /**
   * Returns the places in the window that unanswered items give back, at most as many as it has: those that later sends
   * have overtaken, and of the late ones those beyond a share of the window while the relay answers something else.
   */
  #yielded(): number {
    const { clock, lateAfterMs } = this.#needs;
    const { size } = this.#window;
    const now = clock.now();
    const lateMs = lateAfterMs();
    const { spokeAt } = this.session;
    let late = 0;
    let oldestFresh: number | undefined;
    for (const item of this.inFlight) {
      const isOvertaken = item.overtaken >= OVERTAKEN.answers;
      if (isOvertaken || (now - item.sentAt >= lateMs && spokeAt > item.sentAt)) late += 1;
      else oldestFresh ??= item.sentAt;
    }
    if (oldestFresh !== undefined) this.#awaitRoom(oldestFresh + lateMs - now);
    return Math.min(size, Math.max(0, late - Math.floor(OVERTAKEN.lateShare * size)));
  }

  /** Looks again when the next item in flight becomes late, and may give its place back. */
  #awaitRoom(delayMs: number): void {
    this.#roomTimer ??= this.#needs.clock.setTimeout(
      () => {
        this.#roomTimer = undefined;
        this.#needs.freed();
      },
      Math.max(SILENCE.secondLookMs, delayMs),
    );
  }

  /** How full it is, from 0 to 1. */
  get fullness(): number {
    return this.inFlight.size / this.#window.size;
  }

  /** When the oldest message after a time went out that has not been answered, whether or not it is waited for. */
  owedSince(afterMs: number): number | undefined {
    if (this.#overdueSince !== undefined && this.#overdueSince >= afterMs) return this.#overdueSince;
    for (const { sentAt } of this.inFlight) if (sentAt >= afterMs) return sentAt;
    return undefined;
  }

  /** Whether another of its order is on its way here, or may be. */
  isHolding(item: Item): boolean {
    for (const sent of this.inFlight) if (sent.order === item.order && sent !== item) return true;
    if (this.#owedToWithdrawn() === 0) return false;
    for (const sent of this.#withdrawn.keys()) if (sent.order === item.order && sent !== item) return true;
    return false;
  }

  /** The item has been sent on it. */
  sent(item: Item): void {
    this.inFlight.add(item);
    this.#sends += 1;
    item.sendNumber = this.#sends;
    item.overtaken = 0;
    if (this.#ackTimer === undefined) this.#armAckTimer();
    if (this.#needs.isCoverable(item)) this.#timely.set(item, item.sentAt);
    if (this.#lateTimer === undefined && this.#timely.size > 0) this.#armLateTimer();
  }

  /** The relay answered; with the time that it took, where that measures the relay. */
  answered(latencyMs: number, at: number): void {
    this.#window.answered(latencyMs, this.inFlight.size + 1, at);
    // It may have turned out to be faster than was known when the timer was set.
    if (this.#lateTimer !== undefined && this.#lateDueAt > at + this.#needs.lateAfterMs()) this.#armLateTimer();
  }

  /** Takes an item out of the window; there may be room for another. */
  release(item: Item): void {
    this.inFlight.delete(item);
    this.#timely.delete(item);
    this.#withdrawn.delete(item);
    this.#checkDrained();
  }

  /** What is in flight is about to be sent elsewhere. */
  withdraw(items: readonly Item[]): void {
    for (const item of items) {
      this.inFlight.delete(item);
      this.#timely.delete(item);
      this.#withdrawn.set(item, item.sentAt);
    }
    if (items.length > 0) this.#awaitLapse();
    this.#checkDrained();
  }

  /** Nothing more is sent; calls back when nothing is in flight any more. */
  drain(drained: () => void): void {
    this.isResting = true;
    this.#drained = drained;
    this.#checkDrained();
  }

  /** One item takes the place of another, for the same answer. The place keeps its rank: the oldest is due first. */
  replace(former: Item, item: Item): void {
    this.#timely.delete(former);
    this.inFlight = new Set(Array.from(this.inFlight, (each) => (each === former ? item : each)));
    item.sendNumber = former.sendNumber;
  }

  /** Relays answer in about the order in which they were asked, so what is passed over again and again may never be answered. */
  overtook({ sendNumber }: Item): void {
    for (const earlier of this.inFlight) {
      if (earlier.sendNumber >= sendNumber) return;
      earlier.overtaken += 1;
    }
  }

  /** The relay asked for rest, or did not answer in time. */
  lost(): void {
    this.#window.lost(this.#needs.lateAfterMs(), this.#needs.clock.now());
  }

  /** Leaves no timer behind. */
  end(): void {
    const { clock } = this.#needs;
    this.inFlight.clear();
    this.#timely.clear();
    clock.clearTimeout(this.#lateTimer);
    this.#lateTimer = undefined;
    clock.clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    clock.clearTimeout(this.#lapseTimer);
    this.#lapseTimer = undefined;
    clock.clearTimeout(this.#roomTimer);
    this.#roomTimer = undefined;
  }

  #armLateTimer(): void {
    const { clock, lateAfterMs } = this.#needs;
    clock.clearTimeout(this.#lateTimer);
    this.#lateTimer = undefined;
    const [oldest] = this.#timely.values();
    if (oldest === undefined) return;
    const dueAt = Math.max(oldest, this.#awakeSince) + lateAfterMs();
    const now = clock.now();
    // Never at once: sums of fractions may say that it is due a little before its time has come.
    this.#lateDueAt = Math.max(dueAt, now + SILENCE.secondLookMs);
    this.#lateTimer = clock.setTimeout(() => this.#checkLate(), this.#lateDueAt - now);
  }

  #checkLate(): void {
    const { clock, lateAfterMs, late } = this.#needs;
    this.#lateTimer = undefined;
    const now = clock.now();
    // We were busy: the answer may have arrived unread.
    if (!this.#isSecondLook && now - this.#lateDueAt > SILENCE.secondLookMs) {
      this.#isSecondLook = true;
      this.#lateTimer = clock.setTimeout(() => this.#checkLate(), SILENCE.secondLookMs);
      return;
    }
    this.#isSecondLook = false;
    this.#lateTicks = afterTick(this.#lateTicks, now - this.#lateDueAt);
    if (this.session.isDeaf || hasSlept(this.#lateTicks)) this.#awakeSince = now;
    const deadline = now - lateAfterMs();
    const due: Item[] = [];
    for (const [item, fromMs] of this.#timely) {
      if (Math.max(fromMs, this.#awakeSince) > deadline) break;
      due.push(item);
    }
    // What is done about the first may be the end of the others.
    for (const item of due) {
      if (this.#timely.delete(item) && !late(item) && this.inFlight.has(item)) this.#timely.set(item, now);
    }
    if (this.#lateTimer === undefined) this.#armLateTimer();
  }

  // One timer for the whole window: every message has the same time to be answered, so the oldest is due first.
  #armAckTimer(): void {
    const { clock, ackTimeoutMs } = this.#needs;
    clock.clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    const [oldest] = this.inFlight;
    if (!oldest) return;
    this.#ackDueAt = Math.max(oldest.sentAt, this.#awakeSince) + ackTimeoutMs();
    this.#ackTimer = clock.setTimeout(() => this.#checkOverdue(), Math.max(0, this.#ackDueAt - clock.now()));
  }

  #checkOverdue(): void {
    const { clock, ackTimeoutMs, overdue, freed } = this.#needs;
    this.#ackTimer = undefined;
    const now = clock.now();
    // We were busy or asleep: the answer may have arrived unread.
    if (!this.#isAckSecondLook && now - this.#ackDueAt > SILENCE.secondLookMs) {
      this.#isAckSecondLook = true;
      this.#ackTimer = clock.setTimeout(() => this.#checkOverdue(), SILENCE.secondLookMs);
      return;
    }
    this.#isAckSecondLook = false;
    this.#ackTicks = afterTick(this.#ackTicks, now - this.#ackDueAt);
    // Time asleep is no time waited: whatever is pending has its time once more.
    if (this.session.isDeaf || hasSlept(this.#ackTicks)) this.#awakeSince = now;
    const deadline = now - ackTimeoutMs();
    const due: Item[] = [];
    for (const item of this.inFlight) {
      if (Math.max(item.sentAt, this.#awakeSince) > deadline) break;
      due.push(item);
    }
    if (due.length > 0) this.lost();
    const { heardAt } = this.session;
    for (const { sentAt } of due) this.#overdueSince = earliestAfter(heardAt, this.#overdueSince, sentAt);
    for (const item of due) {
      // Telling of the first may have ended the session, and with it all that was in flight.
      this.#timely.delete(item);
      if (this.inFlight.delete(item)) overdue(item);
    }
    freed();
    this.#checkDrained();
    if (this.#ackTimer === undefined) this.#armAckTimer();
  }

  /** What waits for withdrawn ones may be sent once nobody expects an answer to them any more. */
  #awaitLapse(): void {
    const { clock, ackTimeoutMs, freed } = this.#needs;
    this.#lapseTimer ??= clock.setTimeout(() => {
      this.#lapseTimer = undefined;
      if (this.#owedToWithdrawn() > 0) this.#awaitLapse();
      freed();
    }, ackTimeoutMs());
  }

  #owedToWithdrawn(): number {
    if (this.#withdrawn.size === 0) return 0;
    const deadline = this.#needs.clock.now() - this.#needs.ackTimeoutMs();
    for (const [item, sentAt] of this.#withdrawn) if (sentAt <= deadline) this.#withdrawn.delete(item);
    return this.#withdrawn.size;
  }

  #checkDrained(): void {
    if (!this.#drained || this.inFlight.size > 0) return;
    const drained = this.#drained;
    this.#drained = undefined;
    drained();
  }
}

/** The first of two times, the earlier given first, that is not before another. */
const earliestAfter = (afterMs: number, first: number | undefined, second: number): number =>
  first !== undefined && first >= afterMs ? first : second;
