import type { Candidate } from '../../machines/policy/balance/candidate.ts';
import type { Burden } from '../../machines/policy/balance/cost.ts';
import { SILENCE } from '../../machines/policy/limits.ts';
import { type Pace, paceAfterRefusal, paceAfterSend, paceAt, paceWaitMs } from '../../machines/policy/pace.ts';
import type { Priority } from '../../machines/policy/priority.ts';
import { isOverslept } from '../../machines/policy/silence.ts';
import { isRoutable, type RelayStatus } from '../../machines/policy/status.ts';
import type { Clock } from '../clock.ts';
import { Rate } from '../health/rate.ts';
import { AnswerWindow } from './answer-window.ts';
import { LaneQueue } from './lane-queue.ts';

/** A live connection, as far as sending is concerned. */
export interface LaneSession {
  readonly generation: number;
  /** When something last arrived. */
  readonly heardAt: number;
  /** Whether the frame was taken. */
  send(frame: string): boolean;
}

/** What travels on a lane. */
export interface LaneItem {
  readonly frame: string;
  readonly priority: Priority;
  /** What of the same order is on its way is answered before this is sent. */
  readonly order: string | undefined;
  /** When it was last sent. */
  readonly sentAt: number;
}

/** What a lane asks of whoever keeps the books. */
export interface LaneOwner<Item extends LaneItem> {
  readonly clock: Clock;
  /** Messages that may be unanswered on one connection, at most. */
  readonly windowMax: number;
  readonly ackTimeoutMs: number;
  /** The item's frame has been sent. */
  sent(item: Item, at: number, generation: number): void;
  /** Expected milliseconds to success on this way, with what waits there. */
  costMs(url: string, burden: LaneBurden): number;
  /** What is measured of the relay, for choosing between relays. */
  measured(url: string): { readonly latencyMs: number | undefined; readonly success: number };
  /** Whether anything can be done about an item whose answer is late. */
  isCoverable(item: Item): boolean;
  /** Milliseconds after which an answer on this way is late. */
  lateAfterMs(url: string): number;
  /** The answer is later than answers usually are here. Whether that is settled; otherwise it is told again later. */
  late(item: Item): boolean;
  /** No answer came in time. */
  overdue(item: Item): void;
}

/** What there is to do on a lane, and how it stands among others. */
export type LaneBurden = Pick<Burden, 'load' | 'oldestMs' | 'weight' | 'servingMs'>;

/** What the application says of a relay. */
export interface LaneStanding {
  readonly weight: number;
  readonly priority: number;
  readonly region?: string;
}

/** What the relay's chart says of it, as far as sending is concerned. */
export interface LaneState {
  readonly status: RelayStatus;
  /** It owes an answer and is silent: nothing is sent there until it says something. */
  readonly suspect: boolean;
  readonly retryAtMs: number | undefined;
}

const WAITS: ReadonlySet<RelayStatus> = new Set(['connecting', 'half-open', 'backoff', 'closing', 'paused']);

/**
 * The way to one relay: a queue, a window of unacknowledged messages, and the session that they go out on. It has no
 * session while the relay is not connected, and sends only while the relay's chart says that it is routable.
 */
export class Lane<Item extends LaneItem> implements Candidate {
  readonly url: string;
  readonly host: string;
  /** Everything that is open here by the id of its event; an answer is looked up here. */
  readonly items = new Map<string, Item>();
  /** What was given up, and the relay still owes an answer to. It keeps its place in the window. */
  readonly owed = new Map<string, Item>();
  /** In the order in which they were sent, so the oldest is the first to be overdue. */
  inFlight = new Set<Item>();
  readonly queue = new LaneQueue<Item>();
  state: LaneState = { status: 'idle', suspect: false, retryAtMs: undefined };
  closed = false;
  standing: LaneStanding = { weight: 1, priority: 0 };
  /** Turns that it has had when relays are asked in turn. */
  turns = 0;
  #servingSince = 0;
  readonly #owner: LaneOwner<Item>;
  #session: LaneSession | undefined;
  #ackTimer: unknown;
  #pauseTimer: unknown;
  #pausedUntil = 0;
  /** Nothing before this counts as waiting: we were asleep. */
  #awakeSince = Number.NEGATIVE_INFINITY;
  #ackDueAt = 0;
  /** When the oldest was sent that is overdue, of those that went out after the relay was last heard. */
  #overdueSince: number | undefined;
  /** In flight, and somebody else could be asked; with the time from which its lateness counts, the oldest first. */
  readonly #timely = new Map<Item, number>();
  #lateTimer: unknown;
  #lateDueAt = 0;
  #window: AnswerWindow;
  #pace: Pace | undefined;
  /** Answers of the last second. */
  readonly #taken = new Rate(1_000);
  #disposed = false;

  constructor(url: string, host: string, owner: LaneOwner<Item>) {
    this.url = url;
    this.host = host;
    this.#owner = owner;
    this.#window = new AnswerWindow(owner.windowMax, owner.clock.now());
  }

  get status(): RelayStatus {
    return this.state.status;
  }

  get isServing(): boolean {
    const { status, suspect } = this.state;
    return this.#session !== undefined && isRoutable(status) && !suspect;
  }

  /** When something last arrived on the connection that is there. */
  get heardAt(): number {
    return this.#session?.heardAt ?? Number.NEGATIVE_INFINITY;
  }

  /** When the oldest message after a time went out that has not been answered, whether or not it is waited for. */
  owedSince(afterMs: number): number | undefined {
    if (this.#overdueSince !== undefined && this.#overdueSince >= afterMs) return this.#overdueSince;
    for (const { sentAt } of this.inFlight) if (sentAt >= afterMs) return sentAt;
    return undefined;
  }

  /** Whether what waits here may be sent soon, without anybody's help. */
  get isComing(): boolean {
    return WAITS.has(this.status) || isRoutable(this.status);
  }

  /** Messages that may be unanswered at the moment. */
  get window(): number {
    return this.#window.size;
  }

  /** Messages a second that the relay has been found to take; nothing where it never refused any for their number. */
  get perSecond(): number | undefined {
    return this.#pace?.perSecond;
  }

  get load(): number {
    return this.inFlight.size + this.queue.size;
  }

  get costMs(): number {
    const [oldest] = this.inFlight;
    const now = this.#owner.clock.now();
    const oldestMs = oldest ? Math.max(0, now - oldest.sentAt) : 0;
    const servingMs = now - this.#servingSince;
    return this.#owner.costMs(this.url, { load: this.load, oldestMs, weight: this.weight, servingMs });
  }

  get latencyMs(): number | undefined {
    return this.#owner.measured(this.url).latencyMs;
  }

  get success(): number {
    return this.#owner.measured(this.url).success;
  }

  get weight(): number {
    return this.standing.weight;
  }

  get priority(): number {
    return this.standing.priority;
  }

  get region(): string | undefined {
    return this.standing.region;
  }

  /** Why nothing is sent here, for the outcome of a skipped delivery. */
  whySkipped(now: number): { relay: RelayStatus; retryInMs?: number } {
    const { status, retryAtMs } = this.state;
    return {
      relay: this.closed ? 'stopped' : status,
      ...(retryAtMs === undefined ? {} : { retryInMs: Math.max(0, retryAtMs - now) }),
    };
  }

  attach(session: LaneSession): void {
    this.#session = session;
    this.#window = new AnswerWindow(this.#owner.windowMax, this.#owner.clock.now());
    this.#servingSince = this.#owner.clock.now();
  }

  /** The session is gone, and with it all that was in flight. */
  detach(): void {
    this.#session = undefined;
    this.inFlight.clear();
    this.owed.clear();
    this.#timely.clear();
    this.#owner.clock.clearTimeout(this.#lateTimer);
    this.#lateTimer = undefined;
    this.#overdueSince = undefined;
    this.#armAckTimer();
    this.#endPause();
  }

  /** Sends what the window has room for. */
  pump(): void {
    while (this.queue.size > 0 && this.#hasRoom()) {
      const item = this.queue.next((each) => this.#isHeld(each));
      if (!item) return;
      if (!this.#send(item)) return this.queue.putFirst([item]);
    }
  }

  /** Sends the item at once where nothing stands before it, or lets it wait for its turn. */
  offer(item: Item): void {
    const isFirst = this.queue.size === 0 && this.#hasRoom() && !this.#isHeld(item);
    if (!isFirst || !this.#send(item)) this.queue.add(item);
    if (!isFirst) this.pump();
  }

  /** The relay answered; with the time that it took, where that measures the relay. */
  answered(latencyMs: number | undefined): void {
    const now = this.#owner.clock.now();
    this.#taken.add(1, now);
    if (latencyMs !== undefined) this.#window.answered(latencyMs, this.inFlight.size + 1, now);
  }

  /** Takes an item out of the window; there may be room for another. */
  release(item: Item): void {
    this.inFlight.delete(item);
    this.#timely.delete(item);
  }

  /**
   * The relay still owes an answer to an item that was given up: this one takes its place, for the same answer. The
   * place keeps its rank, because the oldest is the first to be overdue.
   */
  takeOver(id: string, item: Item): Item | undefined {
    const owed = this.owed.get(id);
    if (!owed) return undefined;
    this.owed.delete(id);
    this.#timely.delete(owed);
    this.inFlight = new Set(Array.from(this.inFlight, (each) => (each === owed ? item : each)));
    return owed;
  }

  /** Puts items before all that wait. */
  putFirst(items: readonly Item[]): void {
    this.queue.putFirst(items);
  }

  /** The relay asked to be asked less often: nothing is sent for a while, and less often after that. */
  rest(delayMs: number): void {
    const now = this.#owner.clock.now();
    this.#pace = paceAfterRefusal(this.#pace, this.#taken.perSecond(now), now);
    this.#window.lost(this.#owner.lateAfterMs(this.url), now);
    this.#pause(delayMs);
  }

  /** Leaves no timer behind, also where it is disposed of while it tells that something is overdue. */
  dispose(): void {
    this.#disposed = true;
    this.detach();
    this.queue.clear();
  }

  #hasRoom(): boolean {
    if (!this.isServing || this.#pauseTimer !== undefined || this.inFlight.size >= this.#window.size) return false;
    if (!this.#pace) return true;
    this.#pace = paceAt(this.#pace, this.#owner.clock.now());
    const waitMs = this.#pace ? paceWaitMs(this.#pace) : 0;
    if (waitMs > 0) this.#pause(waitMs);
    return waitMs === 0;
  }

  #isHeld({ order }: Item): boolean {
    if (order === undefined) return false;
    for (const sent of this.inFlight) if (sent.order === order) return true;
    return false;
  }

  #send(item: Item): boolean {
    const session = this.#session;
    if (!session?.send(item.frame)) return false;
    if (this.#pace) this.#pace = paceAfterSend(this.#pace);
    this.inFlight.add(item);
    this.#owner.sent(item, this.#owner.clock.now(), session.generation);
    if (this.#ackTimer === undefined) this.#armAckTimer();
    if (this.inFlight.has(item) && this.#owner.isCoverable(item)) this.#timely.set(item, item.sentAt);
    if (this.#lateTimer === undefined && this.#timely.size > 0) this.#armLateTimer();
    return true;
  }

  #pause(forMs: number): void {
    // What an answer led to may have been the end of everything.
    if (this.#disposed) return;
    const { clock } = this.#owner;
    // Never at once: sums of fractions may say that it is due a little before its time has come.
    const delayMs = Math.max(SILENCE.secondLookMs, forMs);
    const until = clock.now() + delayMs;
    if (this.#pauseTimer !== undefined && until <= this.#pausedUntil) return;
    this.#endPause();
    this.#pausedUntil = until;
    this.#pauseTimer = clock.setTimeout(() => {
      this.#pauseTimer = undefined;
      this.pump();
    }, delayMs);
  }

  #endPause(): void {
    this.#owner.clock.clearTimeout(this.#pauseTimer);
    this.#pauseTimer = undefined;
  }

  #armLateTimer(): void {
    const { clock } = this.#owner;
    const [oldest] = this.#timely.values();
    if (oldest === undefined) return;
    const dueAt = Math.max(oldest, this.#awakeSince) + this.#owner.lateAfterMs(this.url);
    const now = clock.now();
    // Never at once: sums of fractions may say that it is due a little before its time has come.
    this.#lateDueAt = Math.max(dueAt, now + SILENCE.secondLookMs);
    this.#lateTimer = clock.setTimeout(() => this.#checkLate(), this.#lateDueAt - now);
  }

  #checkLate(): void {
    this.#lateTimer = undefined;
    const now = this.#owner.clock.now();
    if (isOverslept(now - this.#lateDueAt)) this.#awakeSince = now;
    const deadline = now - this.#owner.lateAfterMs(this.url);
    const late: Item[] = [];
    for (const [item, fromMs] of this.#timely) {
      if (Math.max(fromMs, this.#awakeSince) > deadline) break;
      late.push(item);
    }
    // What is done about the first may be the end of the others.
    for (const item of late) {
      if (this.#timely.delete(item) && !this.#owner.late(item) && this.inFlight.has(item)) this.#timely.set(item, now);
    }
    if (this.#lateTimer === undefined) this.#armLateTimer();
  }

  // One timer for the whole window: every message has the same time to be answered, so the oldest is due first.
  #armAckTimer(): void {
    const { clock, ackTimeoutMs } = this.#owner;
    clock.clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    const [oldest] = this.inFlight;
    if (!oldest) return;
    this.#ackDueAt = Math.max(oldest.sentAt, this.#awakeSince) + ackTimeoutMs;
    this.#ackTimer = clock.setTimeout(() => this.#checkOverdue(), Math.max(0, this.#ackDueAt - clock.now()));
  }

  #checkOverdue(): void {
    this.#ackTimer = undefined;
    const now = this.#owner.clock.now();
    // Who slept has not waited: whatever is owed has its time once more.
    if (isOverslept(now - this.#ackDueAt)) this.#awakeSince = now;
    const deadline = now - this.#owner.ackTimeoutMs;
    const overdue: Item[] = [];
    for (const item of this.inFlight) {
      if (Math.max(item.sentAt, this.#awakeSince) > deadline) break;
      overdue.push(item);
    }
    if (overdue.length > 0) this.#window.lost(this.#owner.lateAfterMs(this.url), now);
    for (const { sentAt } of overdue) this.#overdueSince = earliestAfter(this.heardAt, this.#overdueSince, sentAt);
    for (const item of overdue) {
      // Telling of the first may have ended the session, and with it all that was in flight.
      this.#timely.delete(item);
      if (this.inFlight.delete(item)) this.#owner.overdue(item);
    }
    this.pump();
    if (this.#ackTimer === undefined) this.#armAckTimer();
  }
}

/** The first of two times, the earlier given first, that is not before another. */
const earliestAfter = (afterMs: number, first: number | undefined, second: number): number =>
  first !== undefined && first >= afterMs ? first : second;
