import { afterTick, hasSlept, type LateTicks, NO_LATE_TICKS } from '../../machines/policy/silence.ts';
import type { Clock } from '../clock.ts';
import type { Codec, Message, Probe } from '../protocol/codec.ts';

/** Knowledge of a relay that outlasts its sessions, as far as probing it is concerned. */
interface ProbedRelay {
  /** True if it answers the request that probes it, false if it is known not to; nothing if neither is known. */
  servesProbes: boolean | undefined;
}

export interface LivenessProbeDeps {
  readonly clock: Clock;
  readonly codec: Codec;
  readonly relay: ProbedRelay;
  /** Names the connection, so that no answer is taken for one to another. */
  readonly name: string;
  /** Milliseconds that one probe may take. */
  timeoutMs(): number;
  /** Time of the last inbound bytes, and of the last message. */
  lastReceivedAtMs(): number;
  lastMessageAtMs(): number;
  /** True while reads are paused, so that silence proves nothing. */
  isReadPaused(): boolean;
  /** True if there is a slot for a request; its slot is free again. */
  mayAsk(): boolean;
  over(): void;
  /** Sends a ping frame; false if the platform has none. */
  ping(): boolean;
  /** Sends what is answered, and what is not; false if the connection does not take it. */
  send(frame: string): boolean;
  write(frame: string): boolean;
  /** A probe that was asked for, or a heartbeat, was answered. */
  answered(latencyMs: number, isAsked: boolean): void;
  /** A probe that was asked for was not answered in time. */
  failed(): void;
}

/**
 * - `life`: any sign of life will do, so a ping is sent if the platform has one.
 * - `quality`: how the relay serves requests is measured, so it is sent one.
 * - `heartbeat`: nobody waits for it; for platforms without ping.
 */
export type ProbeKind = 'life' | 'quality' | 'heartbeat';

/** A probe that was sent and not answered yet. */
export interface OpenProbe {
  /** The request that was sent; nothing if it was a ping. */
  readonly request: Probe | undefined;
  readonly sentAt: number;
  kind: ProbeKind;
  timer: unknown;
}

/** Probes a relay on one connection, one probe at a time. */
export class LivenessProbe {
  readonly #deps: LivenessProbeDeps;
  #open: OpenProbe | undefined;
  #givenUp: Probe | undefined;
  #count = 0;
  #ticks: LateTicks = NO_LATE_TICKS;

  constructor(deps: LivenessProbeDeps) {
    this.#deps = deps;
  }

  /** The probe that is open. */
  get open(): OpenProbe | undefined {
    return this.#open;
  }

  /** Time at which the open probe was sent; nothing if none is open. */
  get askedAt(): number | undefined {
    return this.#open?.sentAt;
  }

  /** True while a request is open, which takes one of the relay's slots. */
  get isRequesting(): boolean {
    return this.#open?.request !== undefined;
  }

  /** Probes the relay. A probe that is asked for while one is open gets the answer to that. */
  ask(kind: ProbeKind): void {
    const open = this.#open;
    if (open && open.kind !== 'heartbeat') return;
    // A heartbeat that was never answered, though the relay is alive, does not stand in the way of the next.
    const isStale = open !== undefined && open.sentAt < this.#deps.lastReceivedAtMs();
    if (open && !isStale) {
      if (kind !== 'heartbeat') this.#await(open, kind);
      return;
    }
    if (open) this.#giveUp(open);
    this.#begin(kind);
  }

  /** Returns true if the message is the answer to a request, also to one that was given up. */
  takes(message: Message, at: number): boolean {
    const open = this.#open;
    if (open?.request?.isAnswer(message)) {
      if (message.type !== 'notice') this.#deps.relay.servesProbes = true;
      // Some relays answer its clean-up as well.
      this.#settle(open, at);
      return true;
    }
    // Some relays refuse requests in no other way. It may be about something else, so it goes on.
    if (open?.request && message.type === 'notice') this.#settle(open, at);
    return this.#givenUp?.isAnswer(message) === true;
  }

  /**
   * Bytes arrived while a probe was open: one that only waits for a sign of life has it. One that was begun by what they said
   * waits for others.
   */
  received(open: OpenProbe | undefined, at: number): void {
    if (open && open === this.#open && open.kind === 'life' && at >= open.sentAt) this.#settle(open, at);
  }

  end(): void {
    this.#deps.clock.clearTimeout(this.#open?.timer);
    this.#open = undefined;
  }

  #begin(kind: ProbeKind): void {
    const { clock, relay } = this.#deps;
    const prefersPing = kind === 'life' || (kind === 'quality' && relay.servesProbes === false);
    if (prefersPing && this.#deps.ping()) {
      this.#open = { request: undefined, sentAt: clock.now(), kind: 'life', timer: undefined };
      return this.#await(this.#open, 'life');
    }
    // Without ping, and with requests that it does not serve, an event is all that could probe it: it has opened the connection.
    if (kind !== 'heartbeat' && relay.servesProbes === false) return this.#deps.answered(0, true);
    if (!this.#deps.mayAsk()) return;
    this.#count += 1;
    const request = this.#deps.codec.probe(`${this.#deps.name}-${this.#count}`);
    // A connection that cannot be sent on any more is about to report its end.
    if (!this.#deps.send(request.frame)) return;
    this.#open = { request, sentAt: clock.now(), kind, timer: undefined };
    if (kind === 'heartbeat') this.#awaitAnything(this.#open);
    else this.#await(this.#open, kind);
  }

  #settle(open: OpenProbe, at: number): void {
    this.#giveUp(open);
    if (open.request) this.#deps.over();
    this.#deps.answered(at - open.sentAt, open.kind !== 'heartbeat');
  }

  /** A heartbeat is over without its answer if anything else arrives: its slot is free again. */
  #awaitAnything(open: OpenProbe): void {
    const { clock, timeoutMs, lastReceivedAtMs, over } = this.#deps;
    open.timer = clock.setTimeout(() => {
      if (open.sentAt >= lastReceivedAtMs()) return this.#awaitAnything(open);
      this.#giveUp(open);
      over();
    }, timeoutMs());
  }

  #await(open: OpenProbe, kind: ProbeKind): void {
    const { clock } = this.#deps;
    const timeoutMs = this.#deps.timeoutMs();
    const dueAt = clock.now() + timeoutMs;
    open.kind = kind;
    clock.clearTimeout(open.timer);
    open.timer = clock.setTimeout(() => {
      this.#ticks = afterTick(this.#ticks, clock.now() - dueAt);
      // A process that slept has not waited, nor one that did not read.
      if (this.#deps.isReadPaused() || hasSlept(this.#ticks)) return this.#await(open, kind);
      this.#expire(open);
    }, timeoutMs);
  }

  #expire(open: OpenProbe): void {
    const { relay, over, failed, answered, lastMessageAtMs } = this.#deps;
    const { request, sentAt } = open;
    this.#giveUp(open);
    if (request) over();
    // A relay that answers something else meanwhile is alive, and is not probed by requests any more.
    const isWriteOnly = request !== undefined && relay.servesProbes !== true && lastMessageAtMs() > sentAt;
    if (!isWriteOnly) return failed();
    relay.servesProbes = false;
    answered(0, true);
  }

  /** It is not waited for any more. Its answer may still come, and is no fault of the relay. */
  #giveUp(open: OpenProbe): void {
    this.#deps.clock.clearTimeout(open.timer);
    this.#open = undefined;
    if (!open.request) return;
    this.#givenUp = open.request;
    this.#deps.write(open.request.cleanup);
  }
}
