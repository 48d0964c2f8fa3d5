import type { Candidate } from '../../machines/policy/balance/candidate.ts';
import type { Burden } from '../../machines/policy/balance/cost.ts';
import { SILENCE, SUSPECT_EVENT } from '../../machines/policy/limits.ts';
import { type Pace, paceAfterRefusal, paceAfterSend, paceAt, paceWaitMs } from '../../machines/policy/pace.ts';
import { goesNewestFirst, type Priority } from '../../machines/policy/priority.ts';
import type { BreakerSettings } from '../../machines/policy/settings.ts';
import { isRoutable, type RelayStatus } from '../../machines/policy/status.ts';
import type { Clock } from '../clock.ts';
import { type CircuitListener, OutcomeCircuit, type OutcomeCircuitDeps } from '../health/outcome-circuit.ts';
import { Rate } from '../health/rate.ts';
import { LaneQueue } from './lane-queue.ts';
import { type LaneSession, Way, type WayItem } from './way.ts';

/** What travels on a lane. */
export interface LaneItem extends WayItem {
  readonly priority: Priority;
  /** When it was published. */
  readonly acceptedAt: number;
  /** The connection that it was last sent on; the lane writes it. */
  sentOn: LaneSession | undefined;
  /** True if it may be what kills connections, and waits until it can be sent alone. */
  readonly isQuarantined: boolean;
}

/** What a lane asks of whoever keeps the books. */
export interface LaneOwner<Item extends LaneItem> {
  readonly clock: Clock;
  readonly circuits: OutcomeCircuitDeps;
  /** Messages that may be unanswered on one connection, at most. */
  readonly windowMax: number;
  readonly ackTimeoutMs: number;
  /** The item's frame has been sent; `isAlone` says that nothing else is before its answer. */
  sent(item: Item, at: number, generation: number, isAlone: boolean): void;
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
  /** Bytes of a frame, at most. */
  readonly frameBytesMax: number;
  readonly breaker: BreakerSettings;
}

/** What the relay's chart says of it, as far as sending is concerned. */
export interface LaneState {
  readonly status: RelayStatus;
  /** It owes an answer and is silent: nothing is sent there until it says something. */
  readonly suspect: boolean;
  readonly retryAtMs: number | undefined;
  /** Why it is not connected, in one line. */
  readonly reason: string | undefined;
}

const DIALLED: ReadonlySet<RelayStatus> = new Set(['connecting', 'half-open', 'connected', 'degraded']);
const WAITS: ReadonlySet<RelayStatus> = new Set(['connecting', 'half-open', 'backoff', 'closing', 'paused']);

/**
 * All that goes to one relay: a queue, and the connections that it goes out on, mostly one. It has none while the relay is
 * not connected, and sends only while the relay's chart says that it is routable.
 */
export class Lane<Item extends LaneItem> implements Candidate {
  readonly url: string;
  readonly host: string;
  /** Everything that is open here by the id of its event; an answer is looked up here. */
  readonly items = new Map<string, Item>();
  /** What was given up, and the relay still owes an answer to. It keeps its place in the window. */
  readonly owed = new Map<string, Item>();
  readonly queue: LaneQueue<Item>;
  /** The circuit of publishing to the relay, beside that of its connection. */
  readonly writes: OutcomeCircuit;
  state: LaneState = { status: 'idle', suspect: false, retryAtMs: undefined, reason: undefined };
  closed = false;
  /** Characters of the largest frame that the relay has accepted. */
  largestTaken = 0;
  /** Turns that it has had when relays are asked in turn. */
  turns = 0;
  #servingSince = 0;
  readonly #owner: LaneOwner<Item>;
  #ways: readonly Way<Item>[] = [];
  #pauseTimer: unknown;
  #pausedUntil = 0;
  #pace: Pace | undefined;
  /** Answers of the last second. */
  readonly #taken = new Rate(1_000);
  #disposed = false;
  #standing: LaneStanding;
  /** Items that wait until they can be sent alone, with the time since when. */
  readonly #quarantined = new Map<Item, number>();
  /** The item that was sent alone, and the trial of the half-open write circuit, until they are answered. */
  #alone: Item | undefined;
  #trial: Item | undefined;

  constructor(
    url: string,
    host: string,
    standing: LaneStanding,
    owner: LaneOwner<Item>,
    circuit: (lane: Lane<Item>) => CircuitListener,
  ) {
    this.#standing = standing;
    this.writes = new OutcomeCircuit('writes', url, standing.breaker, owner.circuits, circuit(this));
    this.url = url;
    this.host = host;
    this.#owner = owner;
    this.queue = new LaneQueue(({ priority, acceptedAt }) =>
      goesNewestFirst(priority, () => owner.clock.now() - acceptedAt),
    );
  }

  get status(): RelayStatus {
    return this.state.status;
  }

  /** True if events may be sent there, and the relay is as good a choice as any. */
  get isServing(): boolean {
    return this.writes.state === 'closed' && this.isConnected;
  }

  /** True if its connection may be sent on. */
  get isConnected(): boolean {
    const { status, suspect } = this.state;
    return this.#ways.length > 0 && isRoutable(status) && !suspect;
  }

  /** True if it is connected, or a dial is under way. */
  get isReachable(): boolean {
    return DIALLED.has(this.status) && this.writes.state !== 'open';
  }

  /** True if its write circuit is half-open, and nothing is there that could be its trial. */
  get needsTrial(): boolean {
    return this.writes.state === 'half-open' && this.isConnected && this.queue.size === 0 && !this.#isTrying;
  }

  get #isTrying(): boolean {
    return this.#trial !== undefined && this.isInFlight(this.#trial);
  }

  get standing(): LaneStanding {
    return this.#standing;
  }

  set standing(standing: LaneStanding) {
    this.#standing = standing;
    this.writes.tune(standing.breaker);
  }

  /** An event needs this relay: if its write circuit is open, one may be tried early. */
  tryWrites(): void {
    if (this.isConnected) this.writes.tryEarly();
  }

  /** When the oldest message after a time went out on a connection that has not been answered. */
  owedSince(session: LaneSession, afterMs: number): number | undefined {
    return this.#wayOf(session)?.owedSince(afterMs);
  }

  /** Whether what waits here may be sent soon, without anybody's help. */
  get isComing(): boolean {
    return WAITS.has(this.status) || (isRoutable(this.status) && this.writes.state !== 'open');
  }

  get inFlight(): number {
    return this.#ways.reduce((sum, way) => sum + way.inFlight.size, 0);
  }

  /** The only item that is unanswered; nothing if there are none or several. */
  get onlyUnanswered(): Item | undefined {
    if (this.inFlight !== 1 || this.owed.size > 0) return undefined;
    for (const { inFlight } of this.#ways) for (const item of inFlight) return item;
    return undefined;
  }

  isInFlight(item: Item): boolean {
    return this.#wayOf(item.sentOn)?.inFlight.has(item) ?? false;
  }

  /** Messages that may be unanswered at the moment. */
  get window(): number {
    return this.#ways.reduce((sum, way) => sum + way.window, 0);
  }

  /** Messages a second that the relay has been found to take; nothing where it never refused any for their number. */
  get perSecond(): number | undefined {
    return this.#pace?.perSecond;
  }

  get load(): number {
    return this.inFlight + this.queue.size;
  }

  /** What more connections could help with: not what waits because the relay wants to be asked less often. */
  get demand(): number {
    return this.isServing && !this.#pace ? this.load : this.inFlight;
  }

  get costMs(): number {
    const now = this.#owner.clock.now();
    let oldestMs = 0;
    for (const { inFlight } of this.#ways) {
      const [oldest] = inFlight;
      if (oldest) oldestMs = Math.max(oldestMs, now - oldest.sentAt);
    }
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

  get frameBytesMax(): number {
    return this.standing.frameBytesMax;
  }

  /** Why nothing is sent here, for an outcome. */
  whyNotServing(now: number): { relay: RelayStatus; reason?: string; retryInMs?: number } {
    const { status, reason } = this.state;
    const isSuspended = isRoutable(status) && this.writes.state !== 'closed';
    const retryAtMs = isSuspended ? this.writes.retryAtMs : this.state.retryAtMs;
    const why = isSuspended ? `publishing is suspended: ${this.writes.reason}` : reason;
    return {
      relay: this.closed ? 'stopped' : status,
      ...(why ? { reason: why } : {}),
      ...(retryAtMs === undefined ? {} : { retryInMs: Math.max(0, retryAtMs - now) }),
    };
  }

  /** It takes its full share only after a while, from now on. */
  startSlowly(): void {
    this.#servingSince = this.#owner.clock.now();
  }

  /** A connection has opened; one that rests is not sent on before it is told not to. */
  attach(session: LaneSession, isResting = false): void {
    const owner = this.#owner;
    if (this.#ways.length === 0) this.startSlowly();
    const way: Way<Item> = new Way(session, {
      clock: owner.clock,
      windowMax: owner.windowMax,
      ackTimeoutMs: () => owner.ackTimeoutMs,
      lateAfterMs: () => owner.lateAfterMs(this.url),
      isCoverable: (item) => owner.isCoverable(item),
      late: (item) => owner.late(item),
      overdue: (item) => owner.overdue(item),
      freed: () => this.pump(),
    });
    way.isResting = isResting;
    this.#ways = [...this.#ways, way];
  }

  /**
   * The session is gone, and with it all that was in flight there: what was sent on it and has not been answered. Others
   * may be about to go as well, so they are only sent on a moment later.
   */
  detach(session: LaneSession): readonly Item[] {
    const way = this.#wayOf(session);
    if (!way) return [];
    const lost = [...this.items.values()].filter(({ sentOn }) => sentOn === session);
    for (const [id, { sentOn }] of this.owed) if (sentOn === session) this.owed.delete(id);
    this.#drop(way);
    if (this.#ways.length > 0) this.#pause(SILENCE.secondLookMs);
    return lost;
  }

  /** A connection may be sent on, or again. */
  serve(session: LaneSession): void {
    const way = this.#wayOf(session);
    if (way) way.isResting = false;
    this.pump();
  }

  /** Nothing is sent on a connection for now: what is in flight there, and may still be answered, goes out on others. */
  rest(session: LaneSession): readonly Item[] {
    const way = this.#wayOf(session);
    if (!way) return [];
    way.isResting = true;
    const stuck = [...this.items.values()].filter((item) => way.inFlight.has(item));
    way.withdraw(stuck);
    return stuck;
  }

  /** Sends nothing more on a connection, and calls back when all that was has been answered or given up. */
  drain(session: LaneSession, drained: () => void): void {
    const way = this.#wayOf(session);
    if (way) way.drain(drained);
    else drained();
  }

  /** The connections that are there. */
  get ways(): readonly Way<Item>[] {
    return this.#ways;
  }

  /** Sends what the windows have room for; what is quarantined, once everything else is answered. */
  pump(): void {
    while (this.queue.size > 0) {
      const way = this.#freeWay();
      const item = way && this.queue.next((each) => this.#isHeld(each));
      if (!item) break;
      if (!this.#send(way, item)) this.queue.putFirst([item]);
    }
    if (this.#quarantined.size > 0) this.#sendAlone();
  }

  /** Lets an item wait until it can be sent alone. */
  quarantine(item: Item): void {
    this.queue.delete(item);
    this.#quarantined.set(item, this.#owner.clock.now());
  }

  /** Takes an item out of what waits. */
  dequeue(item: Item): void {
    this.queue.delete(item);
    this.#quarantined.delete(item);
  }

  /** Sends the item at once where nothing stands before it, or lets it wait for its turn. */
  offer(item: Item): void {
    if (item.isQuarantined) return;
    const way = this.queue.size === 0 && !this.#isHeld(item) ? this.#freeWay() : undefined;
    const isSent = way !== undefined && this.#send(way, item);
    if (isSent) return;
    this.queue.add(item);
    this.pump();
  }

  /** The relay is answering an item: what was sent before it and is unanswered has been overtaken. */
  overtook(item: Item): void {
    this.#wayOf(item.sentOn)?.overtook(item);
  }

  /** The relay answered an item; with the time that it took, where that measures the relay. */
  answered(item: Item, latencyMs: number | undefined, at: number): void {
    this.#taken.add(1, at);
    if (latencyMs !== undefined) this.#wayOf(item.sentOn)?.answered(latencyMs, at);
  }

  /** Takes an item out of the window; there may be room for another. */
  release(item: Item): void {
    if (this.#alone === item) this.#alone = undefined;
    if (this.#trial === item) this.#trial = undefined;
    for (const way of this.#ways) way.release(item);
  }

  /** The relay still owes an answer to an item that was given up: this one takes its place, for the same answer. */
  takeOver(id: string, item: Item): Item | undefined {
    const owed = this.owed.get(id);
    const way = owed && this.#wayOf(owed.sentOn);
    if (!way) return undefined;
    this.owed.delete(id);
    way.replace(owed, item);
    item.sentOn = owed.sentOn;
    return owed;
  }

  /** Puts items before all that wait. */
  putFirst(items: readonly Item[]): void {
    this.queue.putFirst(items);
  }

  /** The relay asked to be asked less often: nothing is sent for a while, and less often after that. */
  slowDown(delayMs: number): void {
    const now = this.#owner.clock.now();
    this.#pace = paceAfterRefusal(this.#pace, this.#taken.perSecond(now), now);
    for (const way of this.#ways) way.lost();
    this.#pause(delayMs);
  }

  /** Leaves no timer behind, also where it is disposed of while it tells that something is overdue. */
  dispose(): void {
    this.#disposed = true;
    for (const way of this.#ways) this.#drop(way);
    this.writes.dispose();
    this.owed.clear();
    this.queue.clear();
    this.#quarantined.clear();
  }

  #drop(way: Way<Item>): void {
    this.#ways = this.#ways.filter((each) => each !== way);
    if (this.#alone?.sentOn === way.session) this.#alone = undefined;
    if (this.#trial?.sentOn === way.session) this.#trial = undefined;
    way.end();
    if (this.#ways.length === 0) this.#endPause();
  }

  #wayOf(session: LaneSession | undefined): Way<Item> | undefined {
    for (const way of this.#ways) if (way.session === session) return way;
    return undefined;
  }

  /** The connection with the most room; nothing where none has any, or nothing may be sent now. */
  #freeWay(): Way<Item> | undefined {
    if (!this.#maySend || this.#isDraining) return undefined;
    let free: Way<Item> | undefined;
    for (const way of this.#ways) if (way.hasRoom && (!free || way.fullness < free.fullness)) free = way;
    if (!free || !this.#pace) return free;
    this.#pace = paceAt(this.#pace, this.#owner.clock.now());
    const waitMs = this.#pace ? paceWaitMs(this.#pace) : 0;
    if (waitMs > 0) this.#pause(waitMs);
    return waitMs === 0 ? free : undefined;
  }

  /** True if the relay is connected, does not want rest, and its write circuit admits an event. */
  get #maySend(): boolean {
    if (!this.isConnected || this.#pauseTimer !== undefined || this.#alone !== undefined) return false;
    return this.writes.state === 'closed' || (this.writes.state === 'half-open' && !this.#isTrying);
  }

  /** True if a quarantined item has waited so long that others wait for it, unless they are critical. */
  get #isDraining(): boolean {
    const [since] = this.#quarantined.values();
    if (this.queue.sizeOf('critical') > 0) return false;
    return since !== undefined && this.#owner.clock.now() - since >= SUSPECT_EVENT.patienceMs;
  }

  #sendAlone(): void {
    const [item] = this.#quarantined.keys();
    const isIdle = this.inFlight === 0 && (this.queue.size === 0 || this.#isDraining);
    if (!item || !isIdle || !this.#maySend) return;
    const way = this.#ways.find(({ session, isResting }) => session.isProven && !isResting);
    if (!way || !this.#send(way, item, true)) return;
    this.#quarantined.delete(item);
    this.#alone = item;
  }

  #isHeld(item: Item): boolean {
    return item.order !== undefined && this.#ways.some((way) => way.isHolding(item));
  }

  #send(way: Way<Item>, item: Item, isAlone = false): boolean {
    const { session } = way;
    const now = this.#owner.clock.now();
    if (!session.send(item.frame, now)) {
      // It is about to end, which may take a while; meanwhile others are sent on.
      way.isResting = true;
      return false;
    }
    if (this.#pace) this.#pace = paceAfterSend(this.#pace);
    item.sentOn = session;
    if (this.writes.state === 'half-open') this.#trial = item;
    this.#owner.sent(item, now, session.generation, isAlone);
    way.sent(item);
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
}
