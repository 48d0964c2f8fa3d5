import { ROOM_RETRY_MS, SILENCE } from '../../machines/policy/limits.ts';
import { type Pace, paceAfterRefusal, paceAfterSend, paceAt, paceWaitMs } from '../../machines/policy/pace.ts';
import { requestsMax } from '../../machines/policy/request.ts';
import type { BreakerSettings } from '../../machines/policy/settings.ts';
import { isRoutable, type RelayStatus } from '../../machines/policy/status.ts';
import type { Clock } from '../clock.ts';
import { bytesIn } from '../frame.ts';
import { type CircuitListener, OutcomeCircuit, type OutcomeCircuitDeps } from '../health/outcome-circuit.ts';
import { Rate } from '../health/rate.ts';
import { Docket } from './verification.ts';

/** A live connection, as far as asking is concerned. */
export interface FeedSession {
  readonly generation: number;
  /** When a message last arrived. */
  readonly spokeAt: number;
  /** Whether it is being asked whether it lives, which is a subscription as well. */
  readonly isQuestioned: boolean;
  /** Sends what is to be answered; whether the frame was taken. */
  send(frame: string): boolean;
  /** Sends what is not answered. */
  write(frame: string): boolean;
  /** Stops and goes on reading, where the platform can. */
  pause(): boolean;
  resume(): void;
}

/** What is asked for. */
export interface FeedItem {
  /** It is over soon, and others wait for it: it goes first, and may have the slot that is left for a question. */
  readonly isBrief: boolean;
  /** The frame that asks for it under a name; nothing where there is nothing left to ask for. */
  frame(name: string): string | undefined;
  /** The frame that says that it is not wanted any more; nothing where none is needed. */
  farewell(name: string): string | undefined;
}

/** What a feed asks of whoever keeps the subscriptions. */
export interface FeedOwner<Item extends FeedItem> {
  readonly clock: Clock;
  readonly circuits: OutcomeCircuitDeps;
  watchCircuit(url: string): CircuitListener;
  /** Milliseconds without a word about a request after which it is overdue. */
  readonly answerTimeoutMs: number;
  /** Events of one relay that may wait to be verified. */
  readonly backlogMax: number;
  /** It has been asked for; `isEmpty` where there was nothing to ask for, so that all of it has come. */
  sent(item: Item, at: number, generation: number, isEmpty: boolean): void;
  overdue(item: Item): void;
  /** It cannot be put so that the relay takes it. */
  unfit(item: Item, problem: string): void;
  /** Does something, and then what follows from it. */
  around(act: () => void): void;
}

/**
 * All that is asked of one relay: what is open there, under names that are used once, and what waits for one of the few
 * slots. It has a connection while the relay does, and asks while the relay serves.
 */
export class Feed<Item extends FeedItem> {
  readonly url: string;
  readonly host: string;
  readonly docket = new Docket();
  /** The circuit of requests, beside that of the connection: while it is not closed, other relays are preferred. */
  readonly circuit: OutcomeCircuit;
  /** What the relay's chart says of it. */
  status: RelayStatus = 'idle';
  retryAtMs: number | undefined;
  /** Whether what it sends is verified, and how much may be open there, as the application says. */
  verifies = true;
  slotsMax = 1;
  /** Bytes of a message that it takes, and stored events that it sends in answer to a filter. */
  frameBytesMax = Number.POSITIVE_INFINITY;
  storedMax = Number.POSITIVE_INFINITY;
  session: FeedSession | undefined;
  readonly #owner: FeedOwner<Item>;
  #isFit = false;
  /** As many as the relay was found to take. */
  #learned = Number.POSITIVE_INFINITY;
  readonly #open = new Map<string, Item>();
  readonly #names = new Map<Item, string>();
  #queue = new Set<Item>();
  /** Asked for, and nothing has been heard about it; with the time, the oldest first. */
  readonly #unanswered = new Map<Item, number>();
  #issued = 0;
  #overdueTimer: unknown;
  #pace: Pace | undefined;
  readonly #taken = new Rate();
  #pauseTimer: unknown;
  #isPaused = false;
  #roomTimer: unknown;

  constructor(url: string, host: string, breaker: BreakerSettings, owner: FeedOwner<Item>) {
    this.url = url;
    this.circuit = new OutcomeCircuit('requests', url, breaker, owner.circuits, owner.watchCircuit(url));
    this.host = host;
    this.#owner = owner;
  }

  /** Whether it may be asked. */
  get isServing(): boolean {
    return this.#isFit && this.session !== undefined;
  }

  /** Whether it is connected, and not asked because it says nothing. */
  get isSilent(): boolean {
    return !this.#isFit && this.session !== undefined && isRoutable(this.status);
  }

  /** Whether it may be asked, or may soon. */
  get isPromising(): boolean {
    return this.isServing || this.status === 'connecting' || this.status === 'half-open';
  }

  get hasRoom(): boolean {
    const requests = this.#open.size + this.#queue.size;
    // The first request of a half-open circuit is its trial.
    return (
      requests < this.slots &&
      (this.circuit.state === 'closed' || (this.circuit.state === 'half-open' && requests === 0))
    );
  }

  /** Requests that may be open there at the moment, that are, and that wait. */
  get slots(): number {
    return requestsMax(this.slotsMax, this.#learned);
  }

  /** Whether the relay may be asked whether it lives: not while something brief has the slot for that. */
  get mayQuestion(): boolean {
    return this.#open.size < this.slotsMax || ![...this.#open.values()].some(({ isBrief }) => isBrief);
  }

  get openCount(): number {
    return this.#open.size;
  }

  get queued(): number {
    return this.#queue.size;
  }

  /** What the relay's chart says. True where it begins to serve or ceases to. */
  update(isFit: boolean): boolean {
    const served = this.isServing;
    this.#isFit = isFit;
    return served !== this.isServing;
  }

  attach(session: FeedSession): void {
    this.session = session;
    this.#tryMore();
  }

  /** The connection is gone; whether it was this feed's. */
  detach(session: FeedSession): boolean {
    if (this.session !== session) return false;
    this.session = undefined;
    this.#isPaused = false;
    this.#issued = 0;
    this.#stopTimers();
    return true;
  }

  /** What is open under a name; nothing where that was never given, or is not open any more. */
  itemOf(name: string): Item | undefined {
    return this.#open.get(name);
  }

  /** Whether a name was given on this connection, so that what comes under it was asked for once. */
  wasAsked(name: string): boolean {
    const number = NAME.exec(name)?.[1];
    return number !== undefined && Number(number) <= this.#issued;
  }

  /** When the oldest request after a time was sent that nothing has been heard about. */
  owedSince(afterMs: number): number | undefined {
    for (const sentAt of this.#unanswered.values()) if (sentAt >= afterMs) return sentAt;
    return undefined;
  }

  /** True while a request is unanswered. */
  get isAwaiting(): boolean {
    return this.#unanswered.size > 0;
  }

  /** Something was said about it. */
  heard(item: Item): void {
    if (this.#unanswered.size > 0) this.#unanswered.delete(item);
  }

  enqueue(item: Item): void {
    if (item.isBrief) this.#queue = new Set([item, ...this.#queue]);
    else this.#queue.add(item);
  }

  dequeue(item: Item): void {
    this.#queue.delete(item);
  }

  /** Tells the relay that it is not wanted any more. */
  withdraw(item: Item): void {
    const name = this.#names.get(item);
    const farewell = name === undefined ? undefined : item.farewell(name);
    if (farewell !== undefined) this.session?.write(farewell);
  }

  release(item: Item): void {
    const name = this.#names.get(item);
    if (name !== undefined) this.#open.delete(name);
    this.#names.delete(item);
    this.#unanswered.delete(item);
  }

  /** Whether the relay may have too many: one that refuses its only request has something else against it. */
  get mayBeFull(): boolean {
    return this.#open.size > 1;
  }

  /** The relay takes no more than there are besides the one that it has refused. */
  learnRoom(): void {
    this.#learned = Math.max(1, this.#open.size - 1);
  }

  /** The request that was sent last and not answered yet. */
  get newest(): Item | undefined {
    return [...this.#unanswered.keys()].at(-1);
  }

  /** The relay wants to be asked less often. */
  slowDown(): void {
    const now = this.#owner.clock.now();
    this.#pace = paceAfterRefusal(this.#pace, this.#taken.perSecond(now), now);
  }

  /** Asks for what waits, as far as there are slots. */
  pump(): void {
    for (let [item] = this.#queue; item; [item] = this.#queue) {
      if (!this.isServing || !this.#hasSlot(item) || !this.#mayAsk()) return;
      this.#queue.delete(item);
      if (this.#ask(item)) continue;
      // The connection is about to end; it goes first on the next.
      this.#queue = new Set([item, ...this.#queue]);
      return;
    }
  }

  /** Events wait to be verified, or fewer do: reading stops and goes on by that. False where that is of no use any more. */
  balance(): boolean {
    const { events: size } = this.docket;
    const { backlogMax } = this.#owner;
    if (this.#isPaused && size <= backlogMax / 2) {
      this.#isPaused = false;
      this.session?.resume();
    }
    if (!this.#isPaused && size >= backlogMax) this.#isPaused = this.session?.pause() ?? false;
    // A platform that cannot pause goes on, and so does what has been read already.
    return size < 2 * backlogMax;
  }

  /** The relay is not in the pool any more; its connection may still be closing. */
  dispose(): void {
    if (this.#isPaused) this.session?.resume();
    this.session = undefined;
    this.circuit.dispose();
    this.#stopTimers();
    this.#open.clear();
    this.#names.clear();
    this.#queue.clear();
  }

  #ask(item: Item): boolean {
    const { session } = this;
    const name = `r${this.#issued + 1}`;
    const frame = item.frame(name);
    const bytes = frame === undefined ? 0 : bytesIn(frame);
    if (bytes > this.frameBytesMax) {
      this.#owner.unfit(item, `the filters take ${bytes} bytes; this relay takes ${this.frameBytesMax}`);
      return true;
    }
    if (!session || (frame !== undefined && !session.send(frame))) return false;
    const now = this.#owner.clock.now();
    if (frame !== undefined) {
      this.#issued += 1;
      this.#open.set(name, item);
      this.#names.set(item, name);
      this.#unanswered.set(item, now);
      this.#taken.add(1, now);
      if (this.#pace) this.#pace = paceAfterSend(this.#pace);
      this.#armOverdue();
    }
    this.#owner.sent(item, now, session.generation, frame === undefined);
    return true;
  }

  #hasSlot({ isBrief }: Item): boolean {
    const mayBorrow = isBrief && this.session?.isQuestioned === false;
    if (this.#open.size < (mayBorrow ? requestsMax(this.slotsMax, this.#learned, true) : this.slots)) return true;
    if (this.#learned < this.slotsMax - 1) this.#lookForRoom();
    return false;
  }

  /** A relay may take more after a while; that is found out by asking for one more. */
  #lookForRoom(): void {
    this.#roomTimer ??= this.#owner.clock.setTimeout(() => {
      this.#roomTimer = undefined;
      this.#tryMore();
      this.#owner.around(() => this.pump());
    }, ROOM_RETRY_MS);
  }

  #tryMore(): void {
    if (this.#learned < this.slotsMax - 1) this.#learned += 1;
  }

  #mayAsk(): boolean {
    if (this.#pauseTimer !== undefined) return false;
    if (!this.#pace) return true;
    const { clock } = this.#owner;
    this.#pace = paceAt(this.#pace, clock.now());
    const waitMs = this.#pace ? paceWaitMs(this.#pace) : 0;
    if (waitMs === 0) return true;
    this.#pauseTimer = clock.setTimeout(
      () => {
        this.#pauseTimer = undefined;
        this.#owner.around(() => this.pump());
      },
      Math.max(SILENCE.secondLookMs, waitMs),
    );
    return false;
  }

  #armOverdue(atLeastMs: number = SILENCE.secondLookMs): void {
    const { clock, answerTimeoutMs } = this.#owner;
    const [oldest] = this.#unanswered.values();
    if (this.#overdueTimer !== undefined || oldest === undefined) return;
    const delayMs = Math.max(atLeastMs, oldest + answerTimeoutMs - clock.now());
    this.#overdueTimer = clock.setTimeout(() => {
      this.#overdueTimer = undefined;
      this.#checkOverdue();
    }, delayMs);
  }

  #checkOverdue(): void {
    const { clock, answerTimeoutMs } = this.#owner;
    const deadline = clock.now() - answerTimeoutMs;
    for (const [item, sentAt] of [...this.#unanswered]) {
      if (sentAt > deadline) break;
      // Whoever says nothing at all is silent, and that is not about this request.
      const hasSpoken = this.session !== undefined && this.session.spokeAt > sentAt;
      if (hasSpoken && !this.#isPaused) this.#owner.overdue(item);
    }
    this.#armOverdue(answerTimeoutMs / 4);
  }

  #stopTimers(): void {
    const { clock } = this.#owner;
    clock.clearTimeout(this.#overdueTimer);
    clock.clearTimeout(this.#pauseTimer);
    clock.clearTimeout(this.#roomTimer);
    this.#overdueTimer = undefined;
    this.#pauseTimer = undefined;
    this.#roomTimer = undefined;
  }
}

const NAME = /^r(\d{1,15})$/;
