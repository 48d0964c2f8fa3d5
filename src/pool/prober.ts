import { isOverslept } from '../../machines/policy/silence.ts';
import type { Clock } from '../clock.ts';
import type { Codec, Message, Probe } from '../protocol/codec.ts';

export interface ProberNeeds {
  readonly clock: Clock;
  readonly codec: Codec;
  /** Names the connection, so that no question is taken for one of another. */
  readonly name: string;
  /** Milliseconds that the chart waits for an answer. */
  readonly timeoutMs: number;
  /** When the relay was last heard, and whether nothing is read for now. */
  heardAt(): number;
  isDeaf(): boolean;
  /** Whether there is room for a question, which is a subscription as well; it is over, and others may have its room. */
  mayAsk(): boolean;
  over(): void;
  /** Sends what is to be answered, and what is not; whether the frame was taken. */
  send(frame: string): boolean;
  write(frame: string): boolean;
  /** The answer to what the chart has asked, or to a heartbeat, came so long after the question. */
  answered(latencyMs: number, isAsked: boolean): void;
  /** What the chart has asked was not answered in time. */
  failed(): void;
}

/** A question that waits for its answer. */
interface OpenProbe extends Probe {
  readonly sentAt: number;
  timer: unknown;
  /** Whether the chart asked, and hears the answer; otherwise it is a heartbeat, and any sign of life will do. */
  isAsked: boolean;
}

/** Asks a relay on one connection whether it lives, by a question of the protocol, one at a time. */
export class Prober {
  readonly #needs: ProberNeeds;
  #open: OpenProbe | undefined;
  #givenUp: Probe | undefined;
  #count = 0;

  constructor(needs: ProberNeeds) {
    this.#needs = needs;
  }

  /** When the question was sent that waits for its answer; nothing where none does. */
  get askedAt(): number | undefined {
    return this.#open?.sentAt;
  }

  /** For the chart, or as a heartbeat. Who asks while a question is open hears the answer to that. */
  ask(isAsked: boolean): void {
    const { clock, codec, name } = this.#needs;
    if (this.#open?.isAsked) return;
    // A heartbeat that was never answered, though the relay lives, must not stand in the way of the next.
    const isStale = this.#open !== undefined && this.#open.sentAt < this.#needs.heardAt();
    if (this.#open && !isStale) {
      if (isAsked) this.#waitFor(this.#open);
      return;
    }
    if (this.#open) this.#giveUp(this.#open);
    else if (!this.#needs.mayAsk()) return;
    this.#count += 1;
    const probe = codec.probe(`${name}-${this.#count}`);
    // A connection that cannot be sent on any more is about to say that it is closed.
    if (!this.#needs.send(probe.frame)) return;
    this.#open = { ...probe, sentAt: clock.now(), timer: undefined, isAsked: false };
    if (isAsked) this.#waitFor(this.#open);
    else this.#waitForAny(this.#open);
  }

  /** Whether a message that arrived then is the answer to a question, also to one that was given up. */
  takes(message: Message, at: number): boolean {
    if (!this.#open?.isAnswer(message)) return this.#givenUp?.isAnswer(message) === true;
    const { over, answered } = this.#needs;
    const { sentAt, isAsked } = this.#open;
    const latencyMs = at - sentAt;
    // Some relays say something to its cleaning up as well.
    this.#giveUp(this.#open);
    over();
    answered(latencyMs, isAsked);
    return true;
  }

  end(): void {
    this.#needs.clock.clearTimeout(this.#open?.timer);
    this.#open = undefined;
  }

  /** A heartbeat is over without its answer where the relay speaks of something else: others may want its room. */
  #waitForAny(probe: OpenProbe): void {
    const { clock, timeoutMs, heardAt, over } = this.#needs;
    probe.timer = clock.setTimeout(() => {
      if (probe.sentAt >= heardAt()) return this.#waitForAny(probe);
      this.#giveUp(probe);
      over();
    }, timeoutMs);
  }

  /** The chart waits for this answer, for as long as it may take. */
  #waitFor(probe: OpenProbe): void {
    const { clock, timeoutMs, isDeaf, over, failed } = this.#needs;
    const dueAt = clock.now() + timeoutMs;
    probe.isAsked = true;
    clock.clearTimeout(probe.timer);
    probe.timer = clock.setTimeout(() => {
      // Who slept has not waited, nor who did not listen.
      if (isDeaf() || isOverslept(clock.now() - dueAt)) return this.#waitFor(probe);
      this.#giveUp(probe);
      over();
      failed();
    }, timeoutMs);
  }

  /** It waits no more. Its answer may still come, and is no fault of the relay. */
  #giveUp(probe: OpenProbe): void {
    this.#needs.clock.clearTimeout(probe.timer);
    this.#open = undefined;
    this.#givenUp = probe;
    this.#needs.write(probe.cleanup);
  }
}
