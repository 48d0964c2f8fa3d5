import type { CloseReport } from '../../machines/policy/close.ts';
import type { RelaySettings } from '../../machines/policy/settings.ts';
import type { HealthFact, SocketFact, SocketInput } from '../../machines/socket.ts';
import type { Clock } from '../clock.ts';
import type { LaneSession } from '../delivery/way.ts';
import { type Frame, type FrameBytes, textOf } from '../frame.ts';
import { Pulse } from '../health/pulse.ts';
import type { FeedSession } from '../intake/feed.ts';
import type { Codec, Glimpse, Message } from '../protocol/codec.ts';
import {
  type Address,
  type Connection,
  shortReason,
  type Transport,
  type TransportHandlers,
} from '../transport/transport.ts';
import type { Attempt, DialLimiter } from './dial-limiter.ts';
import { LivenessProbe, type OpenProbe } from './liveness-probe.ts';
import type { LinkedSession, RelayLink } from './relay-link.ts';

export interface SessionNeeds {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly codec: Codec;
  readonly allowPrivate: boolean;
  readonly link: RelayLink;
  /** Admit name resolutions, and dials. */
  readonly names: DialLimiter;
  readonly dials: DialLimiter;
  /** Reports to the relay's chart. */
  tell(fact: SocketFact | HealthFact): void;
  /** The connection can be sent on; it has proved itself; it can be sent on no longer, and how the relay ended it. */
  attach(session: Session): void;
  proved(session: Session): void;
  detach(session: Session, report: CloseReport | undefined): void;
  /** Its socket is gone. */
  ended(session: Session): void;
  /** It may be sent on; not for now; not any more, and calls back when nothing is in flight. */
  serve(session: Session): void;
  rest(session: Session): void;
  drain(session: Session, drained: () => void): void;
  /** Time at which the oldest message after a time was sent here that has not been answered. */
  owedSince(afterMs: number): number | undefined;
  /** True if there is a slot for a probe that is a request; that probe is over. */
  mayQuestion(): boolean;
  questioned(): void;
  /** True if someone listens to every message as it came, before anything else is done with it. */
  isOverheard(): boolean;
  overheard(content: string | Uint8Array): void;
  /** True if an event needs no more looking at than a glimpse. */
  handles(glimpse: Glimpse): boolean;
  /** A message that is not the answer to a probe, and when it came. */
  receive(message: Message, now: number): void;
}

/** Close code for a text message that is not UTF-8 (RFC 6455, section 7.4.1). */
const NO_UTF_8 = 1007;

/**
 * One socket of one relay: it waits for its turn to have its name resolved, waits for its turn to dial, and lasts until its end.
 * Everything that it reports carries its generation.
 */
export class Session implements LaneSession, FeedSession, LinkedSession {
  readonly generation: number;
  readonly #needs: SessionNeeds;
  readonly #input: SocketInput;
  readonly #probe: LivenessProbe;
  #settings: RelaySettings;
  #turn: { readonly limiter: DialLimiter; readonly attempt: Attempt } | undefined;
  #cancelLookup: (() => void) | undefined;
  #connection: Connection | undefined;
  #pulse: Pulse | undefined;
  #closedLink: ReturnType<RelayLink['opened']> | undefined;
  #isDialled = false;
  #isProven = false;
  #isClosing = false;
  #ended = false;
  #isDetached = false;
  /** How the relay ended it; nothing if the pool did. */
  #report: CloseReport | undefined;
  #pingedAt: number | undefined;
  #isPingSample = false;
  #isPaused = false;
  #spokeAt = Number.NEGATIVE_INFINITY;
  /** Arrival of the bytes whose messages are handled now, if the transport tells; they answer nothing that was sent since. */
  #readAt: number | undefined;

  constructor(input: SocketInput, needs: SessionNeeds) {
    this.#needs = needs;
    this.#input = input;
    this.#settings = input.settings;
    this.generation = input.generation;
    this.#probe = new LivenessProbe({
      clock: needs.clock,
      codec: needs.codec,
      relay: needs.link,
      name: String(input.generation),
      timeoutMs: () => this.#settings.breaker.halfOpenTimeoutMs,
      lastReceivedAtMs: () => this.heardAt,
      lastMessageAtMs: () => this.spokeAt,
      isReadPaused: () => this.#isPaused,
      mayAsk: () => needs.mayQuestion(),
      over: () => needs.questioned(),
      ping: () => this.#ping(),
      send: (frame) => this.send(frame),
      write: (frame) => this.write(frame),
      answered: (latencyMs, isAsked) => this.#answered(latencyMs, isAsked),
      failed: () => this.#unanswered(),
    });
    const { url } = input;
    const { allowPrivate } = needs;
    const lookup = needs.transport.resolve?.(url, { allowPrivate, timeoutMs: this.#settings.resolveTimeoutMs });
    if (lookup) this.#enter(needs.names, () => this.#resolve(lookup));
    else this.#enter(needs.dials, () => this.#dial(undefined));
  }

  /** The pool has let go of it. */
  get isOver(): boolean {
    return this.#ended;
  }

  get isDeaf(): boolean {
    return this.#isPaused;
  }

  get isQuestioned(): boolean {
    return this.#probe.isRequesting;
  }

  get isProven(): boolean {
    return this.#isProven;
  }

  get heardAt(): number {
    return this.#pulse?.heardAt ?? Number.NEGATIVE_INFINITY;
  }

  get spokeAt(): number {
    return this.#spokeAt;
  }

  /** Sends what is to be answered. */
  send(frame: string, now?: number): boolean {
    if (!this.write(frame, now)) return false;
    this.#pulse?.sent();
    return true;
  }

  /** Sends what is not answered. */
  write(frame: string, now = this.#needs.clock.now()): boolean {
    const connection = this.#connection;
    if (this.isOver || this.#isDetached || !connection?.send(frame)) return false;
    this.#readAt = undefined;
    const { link } = this.#needs;
    link.sent(frame.length, now);
    if (this.#isFirst) link.calls.buffered(connection.bufferedBytes, now);
    return true;
  }

  /** Reads nothing more for a while, where the platform can. Nothing is concluded from silence meanwhile. */
  pause(): boolean {
    if (this.isOver || !this.#connection?.pause) return false;
    this.#connection.pause();
    this.#isPaused = true;
    return true;
  }

  resume(): void {
    if (this.isOver || !this.#isPaused) return;
    this.#isPaused = false;
    this.#connection?.resume?.();
  }

  /** Requests any sign of life. */
  probe(): void {
    this.#probe.ask('life');
  }

  /** Measures how the relay serves requests. */
  check(): void {
    this.#probe.ask('quality');
  }

  /** The relay's settings have changed. */
  tune(settings: RelaySettings): void {
    const { frameBytesMax } = settings;
    this.#settings = settings;
    this.#connection?.limitFrames?.(frameBytesMax);
    this.#pulse?.tune();
  }

  /** The chart says that the connection is degraded: its calls decide when it no longer is. */
  watch(): void {
    this.#needs.link.calls.watch(this.#needs.clock.now());
  }

  /** Messages may be sent on it. */
  serve(): void {
    this.#needs.serve(this);
  }

  /** Nothing is sent on it for now. */
  rest(): void {
    this.#needs.rest(this);
  }

  /** Sends nothing more, and tells when nothing is in flight. */
  drain(): void {
    this.#needs.drain(this, () => this.#tell({ type: 'socket.drained', generation: this.generation }));
  }

  close(): void {
    this.#isClosing = true;
    this.#connection?.close();
  }

  /** Lets go of the socket, whatever state it is in. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#probe.end();
    this.#pulse?.end();
    this.#cancelLookup?.();
    this.#connection?.terminate();
    if (this.#isDialled && !this.#closedLink) this.#needs.link.dialFailed();
    this.#closedLink?.(this.#needs.clock.now());
    this.#detach();
    this.#needs.ended(this);
    this.#leave();
  }

  /** It is out of use: what was unanswered on it goes out on another one. */
  #detach(): void {
    if (this.#isDetached) return;
    this.#isDetached = true;
    this.#needs.detach(this, this.#isClosing ? undefined : this.#report);
  }

  /** What measuring showed; said while the session lasts. */
  report(fact: HealthFact): void {
    this.#tell(fact);
  }

  #enter(limiter: DialLimiter, begin: () => void): void {
    // It may begin at once, before `enter` has returned.
    let isBegun = false;
    const attempt = limiter.enter(this.#input.url, () => {
      isBegun = true;
      if (this.#turn) begin();
    });
    this.#turn = { limiter, attempt };
    if (isBegun) begin();
  }

  #leave(): void {
    const turn = this.#turn;
    this.#turn = undefined;
    turn?.limiter.leave(turn.attempt);
  }

  #succeedAttempt(): void {
    const turn = this.#turn;
    this.#turn = undefined;
    turn?.limiter.succeed(turn.attempt);
  }

  #resolve(lookup: NonNullable<ReturnType<NonNullable<Transport['resolve']>>>): void {
    if (this.isOver) return;
    this.#tell({ type: 'socket.resolving', generation: this.generation });
    if (this.isOver) return;
    this.#cancelLookup = lookup((result) => {
      this.#cancelLookup = undefined;
      if (this.isOver) return;
      if ('failure' in result) return this.#closed(result.failure);
      this.#succeedAttempt();
      this.#tell({ type: 'socket.resolved', generation: this.generation });
      if (!this.isOver) this.#enter(this.#needs.dials, () => this.#dial(result.addresses));
    });
  }

  #dial(addresses: readonly Address[] | undefined): void {
    if (this.isOver) return;
    const { link, transport, allowPrivate } = this.#needs;
    const { url, generation } = this.#input;
    const { frameBytesMax } = this.#settings;
    this.#isDialled = true;
    link.dialled(!this.#isFirst);
    this.#tell({ type: 'socket.dialling', generation });
    if (this.isOver) return;
    const handlers: TransportHandlers = {
      onOpen: () => this.#open(),
      onRead: () => {
        this.#readAt = this.#needs.clock.now();
      },
      onFrame: (frame) => this.#receive(frame),
      onBinary: (data) => this.#receiveBinary(data),
      onPong: () => this.#ponged(),
      onClosing: (report) => this.#closing(report),
      onClose: (report) => this.#closed(report),
    };
    const options = { frameBytesMax, allowPrivate, ...(addresses ? { addresses } : {}) };
    try {
      this.#connection = transport.open(url, options, handlers);
    } catch (error) {
      this.#closed({ code: 1006, reason: shortReason(error) });
    }
  }

  // What a transport says of a connection that was let go of is nobody's business, whatever its contract says.
  #open(): void {
    if (this.isOver) return;
    const { clock, link, attach } = this.#needs;
    this.#closedLink = link.opened(clock.now());
    this.#succeedAttempt();
    if (this.isOver) return;
    attach(this);
    this.#pulse = new Pulse({
      clock,
      heartbeatMs: () => this.#settings.heartbeatMs,
      deadAfterMs: () => this.#settings.deadAfterMs,
      answerTimeoutMs: () => link.calls.answerTimeoutMs,
      owedSince: (afterMs) => this.#owedSince(afterMs),
      messageOwedSince: (afterMs) => this.#needs.owedSince(afterMs),
      receivedBytes: () => this.#connection?.receivedBytes,
      isDeaf: () => this.#isPaused,
      ask: (urgently) => this.#askForLife(urgently),
      silent: () => this.#tell({ type: 'link.silent', generation: this.generation }),
      heard: () => this.#tell({ type: 'link.heard', generation: this.generation }),
      dead: (silentMs) => this.#tell({ type: 'link.dead', generation: this.generation, silentMs }),
    });
    // The first measurement of the way there, before anything depends on it.
    this.#ping();
    this.#tell({ type: 'socket.opened', generation: this.generation });
  }

  #receive(frame: Frame): void {
    if (!this.#hear(frame.length)) return;
    const { codec } = this.#needs;
    const probe = this.#probe.open;
    // What is no text is shown as it came.
    if (this.#needs.isOverheard()) this.#needs.overheard(textOf(frame) ?? (frame as FrameBytes));
    const glimpse = codec.skim(frame);
    if (glimpse === undefined || !this.#needs.handles(glimpse)) {
      const message = codec.decode(frame, glimpse);
      if (message.type === 'garbled') return this.#fail(NO_UTF_8, 'a text message was not UTF-8');
      if (!this.#probe.takes(message, this.#spokeAt)) this.#needs.receive(message, this.#spokeAt);
    }
    this.#heard(probe);
  }

  #receiveBinary(data: Uint8Array): void {
    if (!this.#hear(data.length)) return;
    const probe = this.#probe.open;
    if (this.#needs.isOverheard()) this.#needs.overheard(data);
    this.#needs.receive({ type: 'malformed', problem: 'binary' }, this.#spokeAt);
    this.#heard(probe);
  }

  /** Ends a connection whose other side broke the protocol. */
  #fail(code: number, reason: string): void {
    this.#connection?.close(code);
    this.#closing({ code, reason, brokeProtocol: true });
  }

  /** A message has arrived, of so many bytes or characters; whether it is still of interest. */
  #hear(size: number): boolean {
    if (this.isOver || this.#isDetached) return false;
    const { link } = this.#needs;
    this.#spokeAt = this.#arrivedAt();
    link.received(size, this.#spokeAt);
    this.#prove();
    return !this.isOver;
  }

  /** Anything that arrives proves that the relay is alive: a frame, or a pong. */
  #prove(): void {
    if (this.#isProven) return;
    this.#isProven = true;
    this.#tell({ type: 'socket.proved', generation: this.generation });
    if (!this.isOver) this.#needs.proved(this);
  }

  /** Only afterwards: what a message says, such as that it wants rest, comes before what follows from its saying anything. */
  #heard(probe: OpenProbe | undefined): void {
    if (this.isOver) return;
    this.#pulse?.heard(this.#spokeAt);
    this.#probe.received(probe, this.#spokeAt);
  }

  #ponged(): void {
    if (this.isOver || this.#isDetached) return;
    const at = this.#arrivedAt();
    if (this.#pingedAt !== undefined && this.#isPingSample) this.#needs.link.calls.pinged(at - this.#pingedAt);
    this.#pingedAt = undefined;
    this.#prove();
    if (this.isOver) return;
    this.#pulse?.heard(at);
    this.#probe.received(this.#probe.open, at);
  }

  #arrivedAt(): number {
    return this.#readAt ?? this.#needs.clock.now();
  }

  #ping(): boolean {
    if (!this.#connection?.ping?.()) return false;
    this.#readAt = undefined;
    const now = this.#needs.clock.now();
    // An answer to one of two pings does not say to which.
    this.#isPingSample = this.#pingedAt === undefined;
    // Owed is the oldest that was sent since the last sign of life.
    const isOwed = this.#pingedAt !== undefined && this.#pingedAt >= this.heardAt;
    if (!isOwed) this.#pingedAt = now;
    this.#pulse?.sent();
    return true;
  }

  /** A ping where there is one; a question of the protocol where there is none, or where a ping was not answered. */
  #askForLife(urgently: boolean): void {
    const waits = this.#pingedAt !== undefined && this.#pingedAt >= this.heardAt;
    if (!this.#ping() || (urgently && waits)) this.#probe.ask('heartbeat');
  }

  #answered(latencyMs: number, isAsked: boolean): void {
    const { clock, link } = this.#needs;
    if (!isAsked) return link.calls.pinged(latencyMs);
    link.calls.checked(latencyMs, clock.now());
    this.#tell({ type: 'probe.succeeded', generation: this.generation, latencyMs });
  }

  #unanswered(): void {
    const { clock, link } = this.#needs;
    link.calls.checked(undefined, clock.now());
    this.#tell({ type: 'probe.failed', generation: this.generation, successesAt: link.calls.takeSuccesses() });
  }

  /** The relay has begun to close it, or broke the protocol. */
  #closing(report: CloseReport): void {
    if (this.isOver || this.#report) return;
    this.#note(report);
    this.#probe.end();
    this.#pulse?.end();
    this.#detach();
    this.#tell({ type: 'socket.closing', generation: this.generation, report, successesAt: this.#takeSuccesses() });
  }

  #closed(report: CloseReport): void {
    if (this.isOver) return;
    if (!this.#report) this.#note(report);
    this.#tell({ type: 'socket.closed', generation: this.generation, report, successesAt: this.#takeSuccesses() });
  }

  #note(report: CloseReport): void {
    this.#report = report;
    const { link, clock } = this.#needs;
    if (report.brokeProtocol) link.fault('protocol');
    if (this.#closedLink) this.#closedLink(clock.now(), report);
    else link.refused();
  }

  #takeSuccesses(): readonly number[] {
    return this.#isFirst ? this.#needs.link.calls.takeSuccesses() : [];
  }

  /** Whether it is the connection that the relay is judged by. */
  get #isFirst(): boolean {
    return this.#input.connection === 1;
  }

  #owedSince(afterMs: number): number | undefined {
    const signs = [this.#pingedAt, this.#probe.askedAt].filter((at) => at !== undefined && at >= afterMs) as number[];
    const owed = this.#needs.owedSince(afterMs);
    if (owed !== undefined) signs.push(owed);
    return signs.length === 0 ? undefined : Math.min(...signs);
  }

  #tell(fact: SocketFact | HealthFact): void {
    if (!this.isOver) this.#needs.tell(fact);
  }
}
