import type { CloseReport } from '../../machines/policy/close.ts';
import { RETRY_AFTER_MS_MAX } from '../../machines/policy/limits.ts';
import { hostOf } from '../../machines/policy/relay-url.ts';
import {
  type PublishSettings,
  poolSettings,
  type RelaySettings,
  type SubscribeSettings,
} from '../../machines/policy/settings.ts';
import { isRoutable } from '../../machines/policy/status.ts';
import type { RelayContext } from '../../machines/relay/relay.context.ts';
import { LocalOutbox } from '../../src/delivery/outbox/local-outbox.ts';
import type { DeliveryLane } from '../../src/delivery/publication.ts';
import {
  createPool,
  type Fact,
  type Message,
  type NostrEvent,
  nostrCodec,
  type Pool,
  type PublishOptions,
  type Receipt,
  type RelayStatus,
  type SubscriptionState,
  type Verifier,
} from '../../src/index.ts';
import { dataPlaneOf } from '../../src/pool/pool-machine.ts';
import { type Dice, SimulatedHost, seededRandom, VirtualClock } from '../../src/testing/index.ts';
import { Audience } from './audience.ts';
import { SimulatedDisk } from './disk.ts';
import { eventOf } from './events.ts';
import { INVARIANTS } from './invariants/index.ts';
import type { Op, Plan, PublishPlan, SubscribePlan } from './plan.ts';
import { filterOf, questionFilter, questionName, type ReaderView } from './reader.ts';
import type { Call, RelayView, Scene, Wire } from './scene.ts';
import { simulatedSigner } from './signers.ts';
import { isOutside, Surroundings } from './surroundings.ts';
import { simulatedVerifier } from './verifier.ts';
import { type TalkingOn, tapped, type WireTap } from './wire.ts';

/** When every simulation begins, in milliseconds since the epoch. */
const BEGINNING = 1_700_000_000_000;

/** Something that must not happen has happened. */
export interface Violation {
  readonly ids: string;
  readonly problem: string;
  /** Milliseconds since the beginning. */
  readonly at: number;
}

interface Process {
  readonly host: SimulatedHost;
  readonly pool: Pool;
  readonly outbox: LocalOutbox | undefined;
  readonly verifier: Verifier;
}

type OpOf<Kind extends Op['do']> = Op & { readonly do: Kind };

/**
 * A whole world: relays, the network between, and a process with a pool that is started, killed and put to sleep. The
 * charts, the books and the codec are the real ones; nothing above the transport is made up.
 */
export class World implements Scene {
  readonly clock: VirtualClock;
  readonly marks = new Map<string, number>();
  violation: Violation | undefined;
  calls: Call[] = [];
  readonly relays = new Map<string, RelayView>();
  readonly publishing: PublishSettings;
  readonly subscribing: SubscribeSettings;
  readonly #plan: Plan;
  readonly #surroundings: Surroundings;
  readonly #wanted: Set<number>;
  /** What the application subscribes to, also after a restart; and its subscriptions in this process. */
  readonly #subscribed = new Map<number, SubscribePlan>();
  readers: ReaderView[] = [];
  /** Questions that are open, and all that there were. */
  #questions = 0;
  #asked = 0;
  readonly #rogueDice: Dice;
  readonly #audience: Audience;
  readonly #trace: ((line: string) => void) | undefined;
  readonly #disk: SimulatedDisk | undefined;
  #process: Process | undefined;
  #isClosing = false;
  #isAsleep = false;
  #sleptMs = 0;
  #sleptFrom = 0;
  #processes = 0;
  timeWasOdd = false;
  clockWasSet = false;
  isHealed = false;
  hasRemoved = false;

  constructor(plan: Plan, trace?: (line: string) => void) {
    this.#plan = plan;
    this.#trace = trace;
    const dice = (name: string): Dice => seededRandom(`${plan.seed}/${name}`);
    this.clock = new VirtualClock(BEGINNING, dice('order'));
    this.#surroundings = new Surroundings(plan, this.clock, dice);
    this.#rogueDice = dice('rogue');
    this.#disk = plan.outbox ? new SimulatedDisk(dice('disk')) : undefined;
    this.#wanted = new Set(plan.relays.keys());
    this.publishing = poolSettings(plan.options).publish;
    this.subscribing = poolSettings(plan.options).subscribe;
    this.#audience = new Audience(INVARIANTS.map((invariant) => invariant.watch(this)));
    this.start();
  }

  get now(): number {
    return this.clock.now();
  }

  get awakeMs(): number {
    return this.now - BEGINNING - this.#sleptMs - (this.#isAsleep ? this.now - this.#sleptFrom : 0);
  }

  get ownNow(): number {
    return this.host.clock.now();
  }

  get pool(): Pool {
    return this.#running.pool;
  }

  get host(): SimulatedHost {
    return this.#running.host;
  }

  get settlingMs(): number {
    const { ackTimeoutMs, resendDelayMaxMs, triesMax } = this.publishing;
    return triesMax * (ackTimeoutMs + resendDelayMaxMs);
  }

  /**
   * How long until all is quiet: a relay that forgot to answer may be put aside for it, and a connection that is lost
   * without a word is found out by a heartbeat.
   */
  get calmingMs(): number {
    return 2 * this.settlingMs + this.recoveryMs;
  }

  /** The longest that a healthy relay may take to be connected again. */
  get recoveryMs(): number {
    const waits = this.#plan.relays.map(({ url }) => {
      const { reconnect, breaker, connectTimeoutMs } = this.settings(url);
      const wait = Math.max(breaker.openMaxMs, 2 * reconnect.maxDelayMs, 1.1 * RETRY_AFTER_MS_MAX);
      return wait + connectTimeoutMs + breaker.halfOpenTimeoutMs;
    });
    return Math.max(...waits) + 60_000;
  }

  get hasOutbox(): boolean {
    return this.#disk !== undefined;
  }

  /** Promises that may have to settle, one after the other, before time goes on. */
  get promises(): number {
    if (this.#disk) return 40;
    if (this.#questions > 0 || this.#plan.verifier !== 'prompt') return 8;
    return this.calls.length > 0 || this.#isClosing ? 1 : 0;
  }

  get isEverybodyConnected(): boolean {
    if (!this.#process) return false;
    for (const { status } of this.relays.values()) if (status !== 'connected') return false;
    return true;
  }

  /** Whether everything that came has been looked at, and no subscription waits for anything but room. */
  get isReadingDone(): boolean {
    const intake = this.#process && dataPlaneOf(this.#process.pool.actor)?.intake;
    for (const url of this.relays.keys()) if ((intake?.feedOf(url)?.docket.size ?? 0) > 0) return false;
    return this.readers.every(({ ended, isStoredTold, subscription }) => {
      if (ended !== undefined) return true;
      const states = Object.values(subscription.status()).map(({ state }) => state);
      return isStoredTold && !states.some((state) => UNDECIDED.has(state));
    });
  }

  get areBooksEmpty(): boolean {
    const ledger = this.#ledger;
    return ledger?.publications.size === 0 && [...this.relays.keys()].every((url) => !ledger.laneOf(url)?.load);
  }

  /** Whether nothing waits on the disk, such as for a relay that was not there. */
  get isDiskEmpty(): boolean {
    return this.#disk?.isEmpty ?? true;
  }

  get books(): Scene['books'] {
    const { publications, hedges = { count: 0, trust: 0 } } = this.#ledger ?? {};
    const { unconfirmed = 0, bytes: queueBytes = 0 } = publications?.capacity ?? {};
    return { open: publications?.size ?? 0, unconfirmed, queueBytes, hedges };
  }

  lanes(): readonly DeliveryLane[] {
    return Object.keys(this.pool.status()).flatMap((url) => this.#ledger?.laneOf(url) ?? []);
  }

  relay(url: string): RelayView {
    let view = this.relays.get(url);
    if (!view) {
      view = {
        url,
        host: hostOf(url),
        status: undefined,
        statusSince: 0,
        wait: undefined,
        lastReport: undefined,
        wire: undefined,
      };
      this.relays.set(url, view);
    }
    return view;
  }

  chart(url: string): RelayContext | undefined {
    return this.#actor(url)?.getSnapshot().context as RelayContext | undefined;
  }

  statusOf(url: string): RelayStatus | undefined {
    const value: unknown = this.#actor(url)?.getSnapshot().value;
    if (typeof value !== 'object' || value === null) return value as RelayStatus | undefined;
    const [session] = Object.values(value);
    return (typeof session === 'string' ? session : Object.keys(session)[0]) as RelayStatus;
  }

  settings(url: string): RelaySettings {
    return this.chart(url)?.settings ?? poolSettings(this.#plan.options).relay;
  }

  failuresMeasured(url: string): number {
    const plane = this.#actor(url) && dataPlaneOf(this.pool.actor);
    return plane?.links.of(url).calls.failedTotal ?? 0;
  }

  fail(ids: string, problem: string): void {
    this.violation ??= { ids, problem, at: this.now - BEGINNING };
    this.note(`BROKEN ${ids}: ${problem}`);
  }

  mark(name: string): void {
    this.marks.set(name, (this.marks.get(name) ?? 0) + 1);
  }

  note(line: string): void {
    if (this.#trace) this.#trace(`${((this.now - BEGINNING) / 1_000).toFixed(3).padStart(10)}  ${line}`);
  }

  /** Moves time to the next thing that happens; false when nothing will. */
  step(): boolean {
    if (!this.clock.step()) return false;
    if (this.#process && !this.#isAsleep) this.#audience.tell('stepped');
    return true;
  }

  /** Starts a process with an empty pool. */
  start(): void {
    this.#processes += 1;
    const host = new SimulatedHost(this.clock, this.#surroundings.network.transport);
    for (const view of this.relays.values()) this.#forget(view);
    this.calls = [];
    this.timeWasOdd = false;
    this.clockWasSet = false;
    this.hasRemoved = false;
    this.#isClosing = false;
    const process = this.#processes;
    const outbox = this.#disk && new LocalOutbox(this.#disk.mount(host.clock), { clock: host.clock });
    const isCurrent = (): boolean => this.#processes === process;
    const verifier = simulatedVerifier(
      this.#plan.verifier ?? 'prompt',
      host,
      seededRandom(`${this.#plan.seed}/verifier ${process}`),
      (event) => this.isGenuine(event),
      () => this.isHealed,
    );
    const pool = createPool({
      ...this.#plan.options,
      clock: host.clock,
      transport: tapped(host.transport, host.clock.now, this.#tap(isCurrent), this.#plan.pings ?? true),
      random: seededRandom(`${this.#plan.seed}/process ${process}`),
      connect: false,
      outbox,
      relays: [...this.#wanted].map((index) => this.#surroundings.urlOf(index)),
      verifier,
      signers: (this.#plan.signers ?? []).map((kind, index) =>
        simulatedSigner(kind, seededRandom(`${this.#plan.seed}/signer ${process} ${index}`)),
      ),
    });
    this.#process = { host, pool, outbox, verifier };
    this.readers = [];
    this.#questions = 0;
    this.note(`process ${process} starts`);
    this.#audience.tell('began');
    for (const url of Object.keys(pool.status())) this.#setStatus(this.relay(url), 'idle');
    // Promises of a process that was killed may still settle; nobody hears of it.
    pool.on('*', (fact) => {
      if (isCurrent()) this.#hear(fact);
    });
    pool.connect();
    for (const plan of this.#subscribed.values()) this.#subscribe(plan);
  }

  carryOut(op: Op): void {
    this.note(`> ${JSON.stringify({ ...op, at: undefined })}`);
    if (isOutside(op)) return this.#surroundings.carryOut(op);
    // What the application does needs an application that runs.
    const isRunning = this.#process !== undefined && !this.#isAsleep && !this.#isClosing;
    switch (op.do) {
      case 'publish':
        return isRunning ? this.#publish(op) : undefined;
      case 'subscribe':
        this.#subscribed.set(op.name, op);
        return isRunning ? this.#subscribe(op) : undefined;
      case 'unsubscribe':
        this.#subscribed.delete(op.name);
        if (!isRunning) return;
        for (const { plan, subscription } of this.readers) if (plan.name === op.name) subscription.close();
        return;
      case 'query':
        return isRunning ? this.#query(op) : undefined;
      case 'cancel':
        return isRunning ? this.pool.cancel(eventOf(this.#plan.seed, op.event).id) : undefined;
      case 'add':
      case 'remove':
        return isRunning ? this.#addOrRemove(op) : undefined;
      case 'connect':
      case 'disconnect':
        return isRunning ? this.#connect(op) : undefined;
      case 'configure':
        return isRunning ? this.#configure(op) : undefined;
      case 'poison':
        return isRunning ? this.#poison(op) : undefined;
      case 'renew':
        return isRunning ? this.#renew(op.drainMs) : undefined;
      case 'kill':
        return this.#kill(op.forMs);
      case 'sleep':
        return isRunning ? this.#sleep(op) : undefined;
      case 'jump':
        if (!isRunning) return;
        this.timeWasOdd = true;
        this.clockWasSet = true;
        return this.host.jump(op.byMs);
    }
  }

  /** Nothing is wrong any more: relays and links are well, everybody is awake, and every relay is wanted. */
  heal(): void {
    this.note('everything is healed');
    this.isHealed = true;
    this.#surroundings.heal();
    if (this.#isAsleep) this.#wake();
    for (const index of this.#plan.relays.keys()) this.#wanted.add(index);
    if (!this.#process || this.#isClosing) {
      this.#process?.host.kill();
      this.start();
    }
    for (const { url } of this.#plan.relays) {
      // An actor that crashed too often stays down until its relay is removed and added again.
      if (this.pool.status()[url] === 'stopped') {
        this.hasRemoved = true;
        this.pool.removeRelay(url);
      }
      this.pool.addRelay(url);
    }
    this.pool.configure({ reconnect: { enabled: true } });
    // What no relay would serve any more is asked for once more.
    const refused = this.readers.filter(({ ended }) => ended === 'refused').map(({ plan }) => plan);
    this.readers = this.readers.filter(({ ended }) => ended === undefined);
    for (const plan of refused) if (this.#subscribed.get(plan.name) === plan) this.#subscribe(plan);
    for (const url of Object.keys(this.pool.status())) {
      this.pool.configureRelay(url, { reconnect: { enabled: true, attemptsMax: Number.POSITIVE_INFINITY } });
    }
    this.pool.connect();
  }

  /** Publishes some events that nothing stands in the way of, but that the first answers are lost. */
  finale(): void {
    this.#surroundings.forgetToAnswer(1_000);
    const first = 1_000_000;
    for (let event = first; event < first + 3; event += 1) {
      this.#publish({ event, quorum: 'all', expiresMs: 60 * 60_000, timeoutMs: 60 * 60_000 });
    }
  }

  calmed(): void {
    this.#audience.tell('calmed');
  }

  close(drainMs: number): void {
    this.#isClosing = true;
    this.#closePool(drainMs, () => {
      this.#process = undefined;
      this.#isClosing = false;
    });
  }

  get isGone(): boolean {
    return this.#process === undefined;
  }

  get #ledger() {
    return this.#process && dataPlaneOf(this.#process.pool.actor)?.ledger;
  }

  get #running(): Process {
    if (!this.#process) throw new Error('There is no process.');
    return this.#process;
  }

  #setStatus(view: RelayView, status: RelayView['status']): void {
    view.status = status;
    view.statusSince = this.awakeMs;
  }

  #forget(view: RelayView): void {
    this.#setStatus(view, undefined);
    view.wait = undefined;
    view.lastReport = undefined;
    view.wire = undefined;
  }

  #hear(fact: Fact): void {
    const view = 'url' in fact ? this.relay(fact.url) : undefined;
    if (this.#trace) this.note(describe(fact));
    this.#audience.tell('fact', fact, view, view?.status);
    if (!view) return;
    switch (fact.type) {
      case 'relay.status-changed': {
        this.#setStatus(view, fact.status);
        if (fact.retryAtMs !== undefined) {
          view.wait = { since: this.now, delayMs: this.chart(view.url)?.delayMs ?? 0, untilOwn: fact.retryAtMs };
        }
        if (fact.status === 'connecting' || fact.status === 'locked-out') view.wait = undefined;
        return;
      }
      case 'relay.crashed':
      case 'relay.removed':
        return this.#forget(view);
      default:
    }
  }

  #tap(isCurrent: () => boolean): WireTap {
    return {
      dialled: (wire) => {
        if (!isCurrent()) return;
        const view = this.relay(wire.url);
        wire.isFurther = view.wire?.live === true && view.status !== undefined && isRoutable(view.status);
        this.note(`${wire.url} is dialled${wire.isFurther ? ' once more' : ''}`);
        if (!wire.isFurther) view.wire = wire;
        this.#audience.tell('dialled', wire, view);
        view.wait = undefined;
      },
      unresolved: (url) => {
        if (!isCurrent()) return;
        this.note(`${url} has no address`);
        this.#audience.tell('unresolved', url);
      },
      opened: (wire) => this.note(`${wire.url} is open`),
      sent: (wire, frame, eventId) => {
        if (!isCurrent()) return;
        if (this.#trace) this.note(`${wire.url} <- ${frame.slice(0, 120)}`);
        this.#audience.tell('sent', wire, this.relay(wire.url), eventId, frame);
      },
      received: (wire, data, message: Message) => {
        if (!isCurrent()) return;
        if (this.#trace) this.note(`${wire.url} -> ${typeof data === 'string' ? data.slice(0, 120) : 'bytes'}`);
        this.#audience.tell('received', wire, this.relay(wire.url), message);
      },
      pinged: (wire) => {
        if (isCurrent() && this.#trace) this.note(`${wire.url} <- ping`);
      },
      heard: (wire) => {
        if (isCurrent() && this.#trace) this.note(`${wire.url} -> pong`);
      },
      ended: (wire, report: CloseReport | undefined) => {
        if (!isCurrent()) return;
        const view = this.relay(wire.url);
        if (!wire.isFurther) view.lastReport = report;
        this.note(`${wire.url} ${report ? `is closed: ${report.code} ${report.reason}` : 'is let go'}`);
        this.#audience.tell('ended', wire, view, report);
      },
      terminated: (wire, talk) => {
        if (isCurrent() && this.#plan.rogue > 0 && this.#rogueDice() < this.#plan.rogue)
          this.#goRogue(wire, talk, isCurrent);
      },
    };
  }

  /** A connection that was let go of talks on; nothing may come of it. */
  #goRogue({ url }: Wire, talk: TalkingOn, isCurrent: () => boolean): void {
    const says: readonly (() => void)[] = [
      () => talk.open(),
      () => talk.frame('{{{'),
      () => talk.frame('["EOSE","probe-1-1"]'),
      () => talk.close({ code: 1008, reason: 'late' }),
    ];
    const say = says[Math.floor(this.#rogueDice() * says.length)];
    this.clock.setTimeout(() => {
      if (!isCurrent() || !this.#process || this.#isAsleep || !say) return;
      const look = () => ({ actor: this.#actor(url)?.getSnapshot(), failures: this.failuresMeasured(url) });
      const before = look();
      this.note(`${url} talks on after it was let go`);
      this.mark('rogue');
      for (let times = 0; times < 3; times += 1) say();
      const after = look();
      if (before.actor !== after.actor) this.fail('S3', `what an old connection to ${url} says moves its chart`);
      if (before.failures !== after.failures) this.fail('S3', `an old connection to ${url} counts as a failure`);
    }, this.#rogueDice() * 3_000);
  }

  #actor(url: string) {
    return this.pool.actor.getSnapshot().children[`relay:${url}`];
  }

  #publish(plan: PublishPlan): void {
    const event = eventOf(this.#plan.seed, plan.event);
    const { version } = nostrCodec.prepare(event);
    const call: Call = {
      id: event.id,
      version,
      plan,
      askedAt: this.awakeMs,
      withdrawnAt: undefined,
      settledAt: undefined,
    };
    const options = this.#optionsOf(plan);
    this.#surroundings.gossip(event);
    if (plan.byActor) {
      this.pool.actor.send({ type: 'PUBLISH', event, options });
      return this.#audience.tell('asked', call);
    }
    this.calls.push(call);
    const withdrawal = new AbortController();
    const { pool } = this;
    const isHere = (): boolean => this.#process?.pool === pool;
    if (plan.withdrawMs !== undefined) {
      this.clock.setTimeout(() => {
        if (!isHere() || this.#isAsleep) return;
        if (call.settledAt === undefined) call.withdrawnAt = this.awakeMs;
        withdrawal.abort();
      }, plan.withdrawMs);
    }
    const settle = (receipt: Receipt | undefined, error?: unknown): void => {
      if (!isHere()) return;
      call.settledAt = this.awakeMs;
      this.calls = this.calls.filter((each) => each !== call);
      const code = (error as { code?: string } | undefined)?.code;
      this.note(`${event.id.slice(0, 8)} is settled: ${receipt?.status ?? code}`);
      if (error !== undefined && !EXPECTED_ERRORS.has(code ?? '')) this.fail('P8', `publish threw ${String(error)}`);
      this.#audience.tell('settled', call, receipt);
    };
    pool
      .publish(event, {
        ...options,
        ...(plan.until ? { until: plan.until } : {}),
        ...(plan.withdrawMs === undefined ? {} : { signal: withdrawal.signal }),
      })
      .then(
        (receipt) => settle(receipt),
        (error: unknown) => settle(undefined, error),
      );
    this.#audience.tell('asked', call);
  }

  storedAt(url: string) {
    return this.#surroundings.storedAt(url);
  }

  isGenuine(event: NostrEvent): boolean {
    return this.#surroundings.isGenuine(event);
  }

  #subscribe(plan: SubscribePlan): void {
    const { pool } = this;
    const isHere = (): boolean => this.#process?.pool === pool;
    const received = new Map<string, number>();
    try {
      const subscription = pool.subscribe(filterOf(plan), {
        ...this.#scopeOf(plan),
        ...(plan.versions ? { versions: plan.versions } : {}),
        onEvent: (each) => {
          if (!isHere()) return;
          const { id } = each.event;
          received.set(id, (received.get(id) ?? 0) + 1);
          this.note(`subscription ${plan.name} brings ${id.slice(0, 8)} of ${each.relay}`);
          this.#audience.tell('delivered', reader, each);
        },
        onEose: (complete) => {
          if (!isHere()) return;
          reader.isStoredTold = true;
          this.note(`subscription ${plan.name} has all that is stored: ${complete}`);
          this.#audience.tell('storedTold', reader, complete);
        },
        onClosed: (cause) => {
          if (!isHere()) return;
          reader.ended = cause;
          this.note(`subscription ${plan.name} is over: ${cause}`);
          this.#audience.tell('readerEnded', reader);
        },
      });
      const reader: ReaderView = {
        plan,
        since: this.now,
        subscription,
        received,
        ended: undefined,
        isStoredTold: false,
      };
      this.readers.push(reader);
      this.mark('subscribed');
    } catch (error) {
      if (!EXPECTED_ERRORS.has((error as { code?: string }).code ?? '')) this.fail('P8', `subscribe threw ${error}`);
    }
  }

  #query({ kinds, timeoutMs }: OpOf<'query'>): void {
    const { pool } = this;
    const askedAt = this.awakeMs;
    this.#questions += 1;
    this.#asked += 1;
    const name = questionName(this.#asked);
    const settle = (code?: string): void => {
      if (this.#process?.pool !== pool) return;
      this.#questions -= 1;
      const tookMs = this.awakeMs - askedAt;
      // Its own verification may hold it up, and nothing else.
      const patienceMs = timeoutMs + (this.#plan.verifier === 'prompt' ? 100 : 40_000);
      if (tookMs > patienceMs && !this.timeWasOdd) this.fail('L14', `a question of ${timeoutMs} ms took ${tookMs} ms`);
      if (code !== undefined && !EXPECTED_ERRORS.has(code)) this.fail('P8', `query threw ${code}`);
      this.mark('questioned');
    };
    pool.query(questionFilter(name, kinds), { timeoutMs }).then(
      (result) => {
        if (this.#process?.pool === pool) this.#audience.tell('answered', { name, kinds, result });
        settle();
      },
      (error: unknown) => settle((error as { code?: string }).code ?? String(error)),
    );
  }

  #scopeOf({ among, copies }: SubscribePlan): Pick<PublishOptions, 'relays'> {
    const urls = among?.map((relay) => this.#surroundings.urlOf(relay));
    const relays = urls && copies !== undefined ? { among: urls, copies } : (urls ?? copies);
    return relays === undefined ? {} : { relays };
  }

  #optionsOf({ among, copies, quorum, priority, timeoutMs, expiresMs }: PublishPlan): PublishOptions {
    return {
      quorum,
      ...this.#scopeOf({ name: 0, ...(among ? { among } : {}), ...(copies === undefined ? {} : { copies }) }),
      ...(priority === undefined ? {} : { priority }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(expiresMs === undefined ? {} : { expiresMs }),
    };
  }

  #addOrRemove(op: OpOf<'add' | 'remove'>): void {
    const url = this.#surroundings.urlOf(op.relay);
    if (op.do === 'add') {
      this.#wanted.add(op.relay);
      this.pool.addRelay(url);
    } else if (url in this.pool.status()) {
      this.#wanted.delete(op.relay);
      this.hasRemoved = true;
      this.pool.removeRelay(url);
    }
  }

  #connect(op: OpOf<'connect' | 'disconnect'>): void {
    const url = op.relay === undefined ? undefined : this.#surroundings.urlOf(op.relay);
    if (url === undefined || url in this.pool.status()) this.pool[op.do](url);
  }

  #configure({ relay, options }: OpOf<'configure'>): void {
    const url = relay === undefined ? undefined : this.#surroundings.urlOf(relay);
    try {
      if (url === undefined) this.pool.configure(options);
      else if (url in this.pool.status()) this.pool.configureRelay(url, options);
    } catch (error) {
      // Options that do not go together with those that are there are refused as a whole.
      if ((error as { code?: string }).code !== 'INVALID_OPTION') throw error;
    }
  }

  #poison({ relay }: OpOf<'poison'>): void {
    // A relay that crashes while the pool closes does not come back.
    this.hasRemoved = true;
    // The chart cannot decide anything without its settings.
    this.#actor(this.#surroundings.urlOf(relay))?.send({ type: 'CONFIGURE', settings: null } as never);
  }

  #renew(drainMs: number): void {
    this.#isClosing = true;
    this.#closePool(drainMs, () => this.start());
  }

  #closePool(drainMs: number, then: () => void): void {
    const { pool, outbox, verifier } = this.#running;
    const isHere = (): boolean => this.#process?.pool === pool;
    const closed = async (): Promise<void> => {
      await pool.close({ drainMs });
      await outbox?.close();
      await verifier.close?.();
    };
    void closed().then(() => {
      if (!isHere()) return;
      this.note('the pool has closed');
      this.#audience.tell('closed');
      then();
    });
  }

  #kill(forMs: number): void {
    if (!this.#process) return;
    if (this.#isAsleep) this.#wake();
    this.#process.host.kill();
    this.#process = undefined;
    this.#isClosing = false;
    this.calls = [];
    const processes = this.#processes;
    this.clock.setTimeout(() => {
      if (!this.#process && this.#processes === processes) this.start();
    }, forMs);
  }

  #sleep({ forMs, stopsClock }: OpOf<'sleep'>): void {
    this.timeWasOdd = true;
    this.#isAsleep = true;
    this.#sleptFrom = this.now;
    this.host.sleep(stopsClock);
    const { host } = this;
    this.clock.setTimeout(() => {
      if (this.#isAsleep && this.#process?.host === host) this.#wake();
    }, forMs);
  }

  #wake(): void {
    this.#sleptMs += this.now - this.#sleptFrom;
    this.#isAsleep = false;
    this.note('the process wakes');
    this.host.wake();
  }
}

/** A subscription that stands like this may have more to bring. */
const UNDECIDED: ReadonlySet<SubscriptionState> = new Set(['waiting', 'resting', 'opening']);

/** Misuse that a plan cannot know to be misuse: relays come and go. */
const EXPECTED_ERRORS: ReadonlySet<string> = new Set(['NO_RELAYS', 'INVALID_QUORUM', 'POOL_CLOSED']);

function describe(fact: Fact): string {
  const { type, ...rest } = fact;
  return `${type} ${JSON.stringify(rest, (key, value) => (key === 'error' ? String(value) : value))}`;
}
