import type { CloseReport } from '../../machines/policy/close.ts';
import type { HealthFact, SocketFact, SocketInput } from '../../machines/socket.ts';
import type { Clock } from '../clock.ts';
import type { LaneSession } from '../delivery/way.ts';
import { type Frame, type FrameBytes, textOf } from '../frame.ts';
import { Pulse } from '../health/pulse.ts';
import type { FeedSession } from '../intake/feed.ts';
import type { Codec, Glimpse, Message } from '../protocol/codec.ts';
import { type Connection, shortReason, type Transport, type TransportHandlers } from '../transport/transport.ts';
import type { DialGate, Turn } from './dial-gate.ts';
import { Prober } from './prober.ts';
import type { LinkedSession, RelayLink } from './relay-link.ts';

export interface SessionNeeds {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly codec: Codec;
  readonly allowPrivate: boolean;
  readonly link: RelayLink;
  readonly gate: DialGate;
  /** Reports to the relay's chart. */
  tell(fact: SocketFact | HealthFact): void;
  /** The connection can be sent on, or no longer. */
  attach(session: Session): void;
  detach(session: Session): void;
  /** It may be sent on; not for now; not any more, and calls back when nothing is in flight. */
  serve(session: Session): void;
  rest(session: Session): void;
  drain(session: Session, drained: () => void): void;
  /** When the oldest message after a time was sent here that has not been answered. */
  owedSince(afterMs: number): number | undefined;
  /** Whether it may be asked whether it lives, which is a subscription as well; that question is over. */
  mayQuestion(): boolean;
  questioned(): void;
  /** Whether somebody hears every message as it came, before anything else is done with it. */
  isOverheard(): boolean;
  overheard(content: string | Uint8Array): void;
  /** Whether an event needs no more looking at than a glimpse. */
  handles(glimpse: Glimpse): boolean;
  /** A message that is not the answer to a probe, and when it came. */
  receive(message: Message, now: number): void;
}

/** Close code for a text message that is no text (RFC 6455, section 7.4.1). */
const NO_UTF_8 = 1007;

/** One socket of one relay, from waiting for its turn to its end. Everything that it reports carries its generation. */
export class Session implements LaneSession, FeedSession, LinkedSession {
  readonly generation: number;
  readonly #needs: SessionNeeds;
  readonly #input: SocketInput;
  readonly #turn: Turn;
  readonly #prober: Prober;
  #connection: Connection | undefined;
  #pulse: Pulse | undefined;
  #closedLink: ReturnType<RelayLink['opened']> | undefined;
  #proven = false;
  #ended = false;
  #pingedAt: number | undefined;
  #isPingSample = false;
  #isPaused = false;
  #spokeAt = Number.NEGATIVE_INFINITY;
  /** When the bytes arrived whose messages are heard now, where the transport tells; they answer nothing that was sent since. */
  #readAt: number | undefined;

  constructor(input: SocketInput, needs: SessionNeeds) {
    this.#needs = needs;
    this.#input = input;
    this.generation = input.generation;
    this.#prober = new Prober({
      clock: needs.clock,
      codec: needs.codec,
      name: String(input.generation),
      timeoutMs: input.probeTimeoutMs,
      heardAt: () => this.heardAt,
      isDeaf: () => this.#isPaused,
      mayAsk: () => needs.mayQuestion(),
      over: () => needs.questioned(),
      send: (frame) => this.send(frame),
      write: (frame) => this.write(frame),
      answered: (latencyMs, isAsked) => this.#answered(latencyMs, isAsked),
      failed: () => this.#unanswered(),
    });
    this.#turn = needs.gate.enter(input.isTrial, () => this.#dial());
  }

  /** The pool has let go of it. */
  get isOver(): boolean {
    return this.#ended;
  }

  get isDeaf(): boolean {
    return this.#isPaused;
  }

  get isQuestioned(): boolean {
    return this.#prober.askedAt !== undefined;
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
    if (this.isOver || !connection?.send(frame)) return false;
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

  /**
   * Asks for a sign of life, unless there is no room for it. One question at a time: who asks meanwhile hears the answer to
   * that.
   */
  probe(): void {
    this.#prober.ask(true);
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
    this.#connection?.close();
  }

  /** The trial is over: somebody else may be tried. */
  passTrial(): void {
    if (!this.#ended) this.#needs.gate.leave(this.#turn);
  }

  /** Lets go of the socket, whatever state it is in. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#prober.end();
    this.#pulse?.end();
    this.#connection?.terminate();
    this.#closedLink?.(this.#needs.clock.now());
    this.#needs.detach(this);
    this.#needs.gate.leave(this.#turn);
  }

  /** What measuring showed; said while the session lasts. */
  report(fact: HealthFact): void {
    this.#tell(fact);
  }

  #dial(): void {
    const { link, transport, allowPrivate } = this.#needs;
    const { url, frameBytesMax, generation } = this.#input;
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
      onClose: (report) => this.#closed(report),
    };
    try {
      this.#connection = transport.open(url, { frameBytesMax, allowPrivate }, handlers);
    } catch (error) {
      // Its turn may have come while somebody else's ended, who must not hear of it.
      this.#closed({ code: 1006, reason: shortReason(error) });
    }
  }

  // What a transport says of a connection that was let go of is nobody's business, whatever its contract says.
  #open(): void {
    if (this.isOver) return;
    const { clock, link, gate, attach } = this.#needs;
    this.#closedLink = link.opened(clock.now());
    gate.dialled(this.#turn);
    attach(this);
    this.#pulse = new Pulse({
      clock,
      heartbeatMs: this.#input.heartbeatMs,
      deadAfterMs: this.#input.deadAfterMs,
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
    // What is no text is shown as it came.
    if (this.#needs.isOverheard()) this.#needs.overheard(textOf(frame) ?? (frame as FrameBytes));
    const glimpse = codec.skim(frame);
    if (glimpse === undefined || !this.#needs.handles(glimpse)) {
      const message = codec.decode(frame, glimpse);
      if (message.type === 'garbled') return this.#fail(NO_UTF_8, 'a text message was not UTF-8');
      if (!this.#prober.takes(message, this.#spokeAt)) this.#needs.receive(message, this.#spokeAt);
    }
    this.#heard();
  }

  #receiveBinary(data: Uint8Array): void {
    if (!this.#hear(data.length)) return;
    if (this.#needs.isOverheard()) this.#needs.overheard(data);
    this.#needs.receive({ type: 'malformed', problem: 'binary' }, this.#spokeAt);
    this.#heard();
  }

  /** Ends a connection whose other side broke the protocol. */
  #fail(code: number, reason: string): void {
    this.#connection?.close(code);
    this.#closed({ code, reason, brokeProtocol: true });
  }

  /** A message has arrived, of so many bytes or characters; whether it is still of interest. */
  #hear(size: number): boolean {
    if (this.isOver) return false;
    const { link } = this.#needs;
    this.#spokeAt = this.#arrivedAt();
    link.received(size, this.#spokeAt);
    if (this.#proven) return true;
    this.#proven = true;
    this.#tell({ type: 'socket.proved', generation: this.generation });
    return !this.isOver;
  }

  /** Only afterwards: what a message says, such as that it wants rest, comes before what follows from its saying anything. */
  #heard(): void {
    if (!this.isOver) this.#pulse?.heard(this.#spokeAt);
  }

  #ponged(): void {
    if (this.isOver) return;
    const at = this.#arrivedAt();
    if (this.#pingedAt !== undefined && this.#isPingSample) this.#needs.link.calls.pinged(at - this.#pingedAt);
    this.#pingedAt = undefined;
    this.#pulse?.heard(at);
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
    if (!this.#ping() || (urgently && waits)) this.#prober.ask(false);
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

  #closed(report: CloseReport): void {
    if (this.isOver) return;
    const { link, clock } = this.#needs;
    if (report.brokeProtocol) link.fault('protocol');
    if (this.#closedLink) this.#closedLink(clock.now(), report);
    else link.refused();
    this.#tell({
      type: 'socket.closed',
      generation: this.generation,
      report,
      successesAt: this.#isFirst ? link.calls.takeSuccesses() : [],
    });
  }

  /** Whether it is the connection that the relay is judged by. */
  get #isFirst(): boolean {
    return this.#input.connection === 1;
  }

  #owedSince(afterMs: number): number | undefined {
    const signs = [this.#pingedAt, this.#prober.askedAt].filter((at) => at !== undefined && at >= afterMs) as number[];
    const owed = this.#needs.owedSince(afterMs);
    if (owed !== undefined) signs.push(owed);
    return signs.length === 0 ? undefined : Math.min(...signs);
  }

  #tell(fact: SocketFact | HealthFact): void {
    if (!this.isOver) this.#needs.tell(fact);
  }
}
