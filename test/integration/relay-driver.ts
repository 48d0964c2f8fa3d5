import { isDeepStrictEqual } from 'node:util';
import { type AnyActorRef, type AnyMachineSnapshot, type EventObject, initialTransition, transition } from 'xstate';
import { LOCK_OUT_MS } from '../../machines/policy/limits.ts';
import type { RelayOptions, RelaySettings } from '../../machines/policy/settings.ts';
import type { RelayContext } from '../../machines/relay/relay.context.ts';
import { createPool, type Pool, type Receipt, type Transport } from '../../src/index.ts';
import type { Attempt, DialLimiter } from '../../src/pool/dial-limiter.ts';
import { dataPlaneOf } from '../../src/pool/pool-machine.ts';
import type { Session } from '../../src/pool/session.ts';
import { FaultableRelay, FaultProxy, signedEvents, VirtualClock } from '../../src/testing/index.ts';
import type { Resolution } from '../../src/transport/transport.ts';
import { wsTransport } from '../../src/transport/ws.ts';
import type { EdgeCoverage } from '../kit/edges.ts';
import type { Path } from '../kit/paths.ts';
import { inputOf, modelledRelay } from '../machines/relay.model.ts';

/** Milliseconds after which something that was to happen is given up on. */
const DEADLINE_MS = 15_000;

type Said = EventObject & {
  readonly generation?: number;
  readonly settings?: RelaySettings;
  readonly latencyMs?: number;
} & {
  readonly report?: { readonly code: number; readonly httpStatus?: number };
};

const events = signedEvents();

const stateOf = (snapshot: AnyMachineSnapshot): string => JSON.stringify(snapshot.value);
const isOpen = (snapshot: AnyMachineSnapshot): boolean =>
  snapshot.status === 'active' && snapshot.matches('session') && !snapshot.matches({ session: 'connecting' });

const isServing = (snapshot: AnyMachineSnapshot): boolean =>
  snapshot.matches({ session: 'connected' }) || snapshot.matches({ session: 'degraded' });

/** What only the pool says, and its measurements where nothing arrives that could be measured. */
const isWhispered = ({ type }: EventObject, before: AnyMachineSnapshot): boolean =>
  type.startsWith('SET_') ||
  type === 'RETURN_TO_NETWORK' ||
  // The relay's socket is gone a moment later.
  type === 'socket.closing' ||
  // Asked a moment ago, in another state.
  // A probe and the trial that it is part of have the same time.
  (type === 'probe.failed' && before.matches({ session: 'half-open' })) ||
  (type === 'probe.failed' &&
    before.matches({ session: 'connected' }) &&
    !before.matches({ session: { connected: 'unproven' } })) ||
  (before.matches({ session: { degraded: 'suspected' } }) && /^(health|operation|probe)/.test(type));

/** Whether a real relay, or somebody who uses the pool, can make this happen in that state. */
export function isDrivable(event: Said, before: AnyMachineSnapshot): boolean {
  const { generation } = before.context as RelayContext;
  if (event.generation !== undefined && event.generation !== generation) return true;
  // Who waits for its turn has no connection that could break.
  const isWaiting = before.matches({ session: { connecting: 'queued' } });
  const isResolving = before.matches({ session: { connecting: 'resolving' } });
  if (event.type.startsWith('xstate.error')) return !isWaiting && !isResolving;
  if (event.type.startsWith('xstate.')) return true;
  if (!event.type.includes('.')) return true;
  if (!before.matches('session')) return false;
  const isDialling = before.matches({ session: { connecting: 'dialling' } });
  if (event.type === 'socket.dialling' || event.type === 'socket.resolving') return isWaiting;
  if (event.type === 'socket.resolved') return isResolving;
  if (event.type === 'socket.opened') return isDialling;
  if (event.type.startsWith('link.')) {
    if (event.type !== 'link.silent') return before.matches({ session: { degraded: 'suspected' } });
    return before.matches({ session: 'connected' }) || before.matches({ session: { degraded: 'unwell' } });
  }
  // Refused before it has opened, it is excused while our own network is in doubt.
  const isUpgrade = event.report?.code === 3000 && !isOpen(before);
  if (isUpgrade && (before.context as RelayContext).network !== 'well') return false;
  if (event.type.startsWith('socket.clos') && (isWaiting || isResolving)) return false;
  if (event.type === 'socket.closing') return isOpen(before);
  if (event.type === 'socket.closed') return isOpen(before) ? event.report?.httpStatus === undefined : true;
  // In a trial, whatever proves it answers its probe as well.
  if (event.type === 'socket.proved') {
    return isOpen(before) && !before.matches({ session: 'half-open' }) && !(before.context as RelayContext).proven;
  }
  if (event.type === 'health.recovered') return before.matches({ session: 'degraded' });
  if (event.type === 'health.degraded')
    return !before.matches({ session: { degraded: 'unwell' } }) && isServing(before);
  if (event.type === 'operation.failed') return isServing(before);
  if (event.type === 'probe.failed' && isServing(before)) return true;
  return before.matches({ session: 'half-open' }) || before.matches({ session: { connected: 'unproven' } });
}

/** A pool over one real relay, driven event by event as a path says; time moves only when the path says so. */
export class RelayDriver {
  readonly #clock = new VirtualClock(Date.now());
  readonly #relay: FaultableRelay;
  readonly #proxy: FaultProxy;
  readonly #pool: Pool;
  readonly #settings: RelaySettings;
  readonly #asked: string[] = [];
  readonly #answered = new Set<string>();
  readonly #published: string[] = [];
  readonly receipts: Promise<Receipt>[] = [];
  #crashes = false;
  /** What the relay's next attempt at each limiter begins with, while others leave it no room. */
  readonly #held = new Map<DialLimiter, () => void>();
  /** Ends the look-up of the relay's name. */
  #resolved: ((result: Resolution) => void) | undefined;
  /** Whether the platform says that no byte arrives; otherwise some do whenever it is asked. */
  #isQuiet = false;
  #bytes = 0;
  #expected: AnyMachineSnapshot;

  private constructor(relay: FaultableRelay, proxy: FaultProxy, options: RelayOptions, coverage: EdgeCoverage) {
    this.#relay = relay;
    this.#proxy = proxy;
    const input = inputOf(options);
    this.#settings = input.settings;
    this.#expected = initialTransition(modelledRelay, input)[0];
    relay.events.on('frame', (frame) => {
      const [type, subject] = JSON.parse(frame);
      if (type === 'REQ') this.#asked.push(subject);
      if (type === 'EVENT') this.#published.push(subject.id);
    });
    this.#pool = createPool({
      ...options,
      clock: this.#clock,
      transport: this.#transport(),
      random: () => 0.5,
      trust: { allowPrivate: true },
      publish: { triesMax: 1 },
      relays: [proxy.url],
      connect: false,
      // It looks often whether something has arrived, and finds that it has unless a path says otherwise.
      heartbeatMs: 100,
      inspect: (event) => {
        const { id } = event.actorRef as AnyActorRef;
        if (event.type === '@xstate.microstep' && id === `relay:${proxy.url}`) coverage.note(event._transitions);
      },
    });
    this.#crowdAll();
    // One relay alone is never put aside; this one behaves as one of many.
    this.#actor?.send({ type: 'SET_EJECTABLE', ejectable: true });
  }

  static async start(options: RelayOptions, coverage: EdgeCoverage): Promise<RelayDriver> {
    const relay = await FaultableRelay.start({ faults: { silent: true } });
    const proxy = await FaultProxy.start(relay.url);
    return new RelayDriver(relay, proxy, options, coverage);
  }

  async end(): Promise<void> {
    this.#hold(false);
    const closed = this.#pool.close({ drainMs: 0 });
    this.#clock.advance(60_000);
    await closed;
    if (this.#clock.pending > 0) throw new Error(`${this.#clock.pending} timers are left`);
    await this.#until('no socket', () => this.#relay.open === 0);
    await this.#proxy.stop();
    await this.#relay.stop();
  }

  /** Walks a path; what is seen at the server and at the pool's door has to be what the model says, after every step. */
  async walk(path: Path): Promise<void> {
    for (const [index, event] of path.events.entries()) {
      const before = this.#expected;
      this.#expected = transition(modelledRelay, before, event as never)[0];
      const what = `${event.type} (${index + 1} of ${path.events.map(({ type }) => type).join(', ')})`;
      await this.#make(event as Said, before, path.events[index + 1]);
      if (this.#expected.status !== 'active') {
        await this.#until(`the end after ${what}`, () => !(this.#url in this.#pool.status()));
        await this.#until(`no socket after ${what}`, () => this.#relay.open === 0);
        return;
      }
      await this.#until(`${stateOf(this.#expected)} after ${what}`, () => this.#hasArrived());
      this.#relay.set({ httpStatus: undefined });
      const sockets = isOpen(this.#expected) ? 1 : 0;
      await this.#until(`${sockets} sockets after ${what}`, () => this.#relay.open === sockets);
    }
  }

  get #url(): string {
    return this.#proxy.url;
  }

  get #actor() {
    return this.#pool.actor.getSnapshot().children[`relay:${this.#url}`];
  }

  get #chart(): RelayContext {
    return this.#actor?.getSnapshot().context as RelayContext;
  }

  #hasArrived(): boolean {
    const snapshot = this.#actor?.getSnapshot() as AnyMachineSnapshot | undefined;
    if (!snapshot || !isDeepStrictEqual(snapshot.value, this.#expected.value)) return false;
    const wanted = this.#expected.context as RelayContext;
    const { proven, probes, generation, attempts, wanted: isWanted } = snapshot.context as RelayContext;
    const differs = probes !== wanted.probes || generation !== wanted.generation || attempts !== wanted.attempts;
    return !differs && isWanted === wanted.wanted && (proven || !wanted.proven);
  }

  async #make(event: Said, before: AnyMachineSnapshot, next: EventObject | undefined): Promise<void> {
    const { generation } = before.context as RelayContext;
    if (isWhispered(event, before)) {
      const nowMs = this.#clock.now();
      const isLater = Number((event as { atMs?: number }).atMs) > (before.context as RelayContext).reading.nowMs;
      const own = event.generation === undefined ? {} : { generation: this.#chart.generation };
      const isOld = event.generation !== undefined && event.generation !== generation;
      const at = 'atMs' in event ? { atMs: isLater ? nowMs + 60_000 : nowMs } : {};
      this.#actor?.send({
        ...event,
        ...own,
        ...at,
        ...(isOld ? { generation: this.#chart.generation - 1 } : {}),
      } as never);
      return;
    }
    if (event.generation !== undefined && event.generation !== generation) {
      // An old socket cannot speak any more; its word is put into the actor's ear, under its own number.
      this.#actor?.send({ ...event, generation: this.#chart.generation - 1 } as never);
      return;
    }
    const [prefix, kind, delay] = event.type.split('.');
    if (prefix === 'xstate' && kind === 'after') return this.#passTime(delay ?? '');
    if (prefix === 'xstate') return this.#crash();
    switch (event.type) {
      case 'CONNECT':
        this.#hold(true);
        return this.#pool.connect(this.#url);
      case 'DISCONNECT':
        return this.#pool.disconnect(this.#url);
      case 'STOP':
        return this.#pool.removeRelay(this.#url);
      case 'CONFIGURE':
        return this.#configure(event, before);
      case 'socket.opened':
        if (next?.type.includes('halfOpenTimeout')) this.#lengthenProbes();
        return this.#hold(false);
      case 'socket.dialling':
        this.#admit(this.#links?.names);
        this.#resolve();
        return this.#admit(this.#links?.dials);
      case 'socket.resolving':
        if (this.#resolved) this.#whisper(event);
        else this.#admit(this.#links?.names);
        return;
      case 'socket.resolved':
        if (this.#resolved) this.#resolve();
        else this.#whisper(event);
        return;
      case 'link.silent':
        return this.#fallSilent();
      case 'link.heard':
        this.#isQuiet = false;
        this.#proxy.set({ down: { held: false } });
        return this.#relay.send('["NOTICE","still here"]');
      case 'link.dead':
        for (let steps = 0; steps < 250 && !this.#hasArrived(); steps += 1) this.#clock.advance(100);
        return;
      case 'socket.proved':
        return this.#relay.send('["NOTICE","hello"]');
      case 'socket.closed':
        await this.#until('a dial', () => this.#proxy.open === 1);
        return this.#close(event, before);
      case 'operation.failed':
        return this.#fail();
      case 'health.degraded':
        return this.#slowDown();
      case 'health.recovered':
        return this.#recover();
      case 'probe.succeeded': {
        if ((event.latencyMs ?? 0) > 1_000) this.#clock.advance(this.#chart.settings.breaker.slowProbeMs + 100);
        return this.#answer(before);
      }
      case 'probe.failed': {
        // A degraded relay is asked after a second only.
        const askedInMs = before.matches({ session: 'degraded' }) ? this.#settings.recoveryCheckMs : 0;
        return this.#clock.advance(askedInMs + this.#settings.breaker.halfOpenTimeoutMs);
      }
      default:
        throw new Error(`Nobody knows how to make ${event.type} happen.`);
    }
  }

  /** A probe and the trial that it is part of have the same time; here, the time of the trial is up first. */
  #lengthenProbes(): void {
    const session = this.#links?.of(this.#url).session as Session | undefined;
    const { breaker, ...settings } = this.#chart.settings;
    session?.tune({ ...settings, breaker: { ...breaker, halfOpenTimeoutMs: breaker.halfOpenTimeoutMs + 1_000 } });
  }

  /** As many others are under way as may be at one time, so that the relay has to wait for its turn. */
  #crowdAll(): void {
    const { names, dials } = this.#links ?? {};
    for (const limiter of [names, dials]) {
      if (limiter) limiter.enter = (url, begin) => this.#holdAttempt(limiter, url, begin);
    }
  }

  #holdAttempt(limiter: DialLimiter, url: string, begin: () => void): Attempt {
    this.#held.set(limiter, begin);
    return { url, order: 0, begin, beganAt: undefined };
  }

  /** Others make room for the relay. */
  #admit(limiter: DialLimiter | undefined): void {
    const begin = limiter && this.#held.get(limiter);
    if (limiter) this.#held.delete(limiter);
    begin?.();
  }

  get #links() {
    return dataPlaneOf(this.#pool.actor)?.links;
  }

  #resolve(): void {
    const resolved = this.#resolved;
    this.#resolved = undefined;
    resolved?.({ addresses: [{ address: '127.0.0.1', family: 4 }] });
  }

  /** What the real parts do not report at this moment, or have reported already. */
  #whisper(event: Said): void {
    this.#actor?.send({ ...event, generation: this.#chart.generation } as never);
  }

  /** Nothing arrives any more, so a ping stays without an answer. */
  async #fallSilent(): Promise<void> {
    this.#proxy.set({ down: { held: true } });
    this.#isQuiet = true;
    for (let steps = 0; steps < 300 && !this.#hasArrived(); steps += 1) this.#clock.advance(5);
  }

  /** While it is held, the request to upgrade does not reach the relay. */
  #hold(held: boolean): void {
    this.#proxy.set({ up: { held } });
  }

  #passTime(delay: string): void {
    const { settings, delayMs } = this.#chart;
    const delays: Readonly<Record<string, number>> = {
      resolveTimeout: settings.resolveTimeoutMs,
      connectTimeout: settings.connectTimeoutMs,
      closeTimeout: settings.closeTimeoutMs,
      stableDelay: settings.stableMs,
      recoveryCheckDelay: settings.recoveryCheckMs,
      forgivenessDelay: settings.forgivenessMs,
      halfOpenTimeout: settings.breaker.halfOpenTimeoutMs,
      retryDelay: delayMs,
      lockOutDelay: LOCK_OUT_MS,
    };
    if (delay === 'retryDelay') this.#hold(true);
    this.#clock.advance(delays[delay] ?? Number.NaN);
  }

  #configure({ settings }: Said, before: AnyMachineSnapshot): void {
    const known = (before.context as RelayContext).settings;
    const { enabled = true } = settings?.reconnect ?? {};
    if (enabled === known.reconnect.enabled) this.#pool.configureRelay(this.#url, { stableMs: known.stableMs + 1 });
    else this.#pool.configureRelay(this.#url, { reconnect: { enabled } });
  }

  #close({ report }: Said, before: AnyMachineSnapshot): void {
    // While closing, the relay's answer to our close frame is what ends it.
    if (before.matches({ session: 'closing' })) return this.#hold(false);
    const { code = 1006, httpStatus } = report ?? {};
    if (isOpen(before)) return code === 1006 ? this.#proxy.reset() : this.#relay.close(code);
    if (code === 1006 && httpStatus === undefined) return this.#proxy.reset();
    // A socket that is not open has no close code; what means the same is the answer to the upgrade.
    const statuses: Readonly<Record<number, number>> = { 3000: 403, 1012: 503 };
    this.#relay.set({ httpStatus: httpStatus ?? statuses[code] });
    this.#hold(false);
  }

  #crash(): void {
    this.#crashes = true;
    this.#actor?.getSnapshot().children.socket?.send({ type: 'CLOSE' });
    this.#crashes = false;
  }

  async #publish(count: number): Promise<readonly string[]> {
    const from = this.#published.length;
    for (let index = 0; index < count; index += 1) this.receipts.push(this.#pool.publish(events.next().value));
    await this.#until('the events', () => this.#published.length === from + count);
    return this.#published.slice(from);
  }

  async #fail(): Promise<void> {
    const failures = (): number => this.#pool.metrics().relays[this.#url]?.failures ?? 0;
    const before = failures();
    // Three messages that are none count as one failure.
    for (let count = 0; count < 3; count += 1) this.#relay.send('{{{');
    await this.#until('the failure', () => failures() > before);
  }

  /** Slow is what is slower than usual, so some calls come first that are not. */
  async #slowDown(): Promise<void> {
    for (const [count, delayMs] of [
      [8, 0],
      [2, 400],
    ] as const) {
      const ids = await this.#publish(count);
      this.#clock.advance(delayMs);
      const received = this.#received;
      for (const id of ids) this.#relay.send(JSON.stringify(['OK', id, true, '']));
      await this.#until('the answers', () => this.#received === received + count);
    }
  }

  /** It is asked once a second, and answers at once, until it has been well for long enough. */
  async #recover(): Promise<void> {
    for (let second = 0; second < 20; second += 1) {
      const asked = this.#asked.length;
      this.#clock.advance(this.#settings.recoveryCheckMs);
      if (this.#hasArrived()) return;
      await this.#until('a question', () => this.#asked.length > asked);
      const received = this.#received;
      await this.#answerRequest();
      await this.#until('the answer', () => this.#received > received);
    }
  }

  get #received(): number {
    return this.#pool.metrics().relays[this.#url]?.receivedMessages ?? 0;
  }

  /** Anything is a sign of life; how a degraded relay serves requests is measured by one. */
  #answer(before: AnyMachineSnapshot): Promise<void> | undefined {
    if (before.matches({ session: 'degraded' })) return this.#answerRequest();
    this.#relay.send('["NOTICE","still here"]');
    return undefined;
  }

  async #answerRequest(): Promise<void> {
    const question = (): string => this.#asked.at(-1) ?? '';
    await this.#until('a question', () => question() !== '' && !this.#answered.has(question()));
    this.#answered.add(question());
    this.#relay.send(JSON.stringify(['EOSE', question()]));
  }

  #transport(): Transport {
    const self = this;
    return {
      name: 'ws that can be broken',
      resolve: () => (done) => {
        self.#resolved = done;
        return () => {
          self.#resolved = undefined;
        };
      },
      open: (url, options, handlers) => {
        // What proves that the relay lives is for the path to say.
        const connection = wsTransport.open(url, options, { ...handlers, onPong: () => {} });
        return {
          get bufferedBytes() {
            return connection.bufferedBytes;
          },
          get receivedBytes() {
            if (!self.#isQuiet) self.#bytes += 1;
            return self.#bytes;
          },
          ping: () => connection.ping?.() ?? false,
          send: (frame) => connection.send(frame),
          terminate: () => connection.terminate(),
          close: () => {
            if (this.#crashes) throw new Error('broken on purpose');
            connection.close();
          },
        };
      },
    };
  }

  /** Looks again whenever anything may have arrived; the deadline is only for what never does. */
  async #until(what: string, holds: () => boolean): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    while (!holds()) {
      if (performance.now() > deadline) {
        const snapshot = this.#actor?.getSnapshot() as AnyMachineSnapshot | undefined;
        throw new Error(`not ${what}, but ${snapshot && stateOf(snapshot)} with ${this.#relay.open} sockets`);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
