import { SILENCE } from '../../machines/policy/limits.ts';
import {
  afterTick,
  deadAfterMs,
  hasSlept,
  isOverslept,
  type LateTicks,
  NO_LATE_TICKS,
  silenceVerdict,
} from '../../machines/policy/silence.ts';
import type { Clock } from '../clock.ts';

/** What listening for a pulse needs from the connection. */
export interface PulseNeeds {
  readonly clock: Clock;
  /** Settings as they are now. */
  heartbeatMs(): number;
  deadAfterMs(): number;
  /** Milliseconds after which an answer is late. */
  answerTimeoutMs(): number;
  /** When the oldest message after a time was sent that has not been answered; nothing when nothing is owed. */
  owedSince(afterMs: number): number | undefined;
  /** The same of messages alone, without what `ask` has sent. */
  messageOwedSince(afterMs: number): number | undefined;
  /** Bytes that have arrived, where the platform counts them: a large message is a sign of life before it is whole. */
  receivedBytes(): number | undefined;
  /** Whether nothing is read for now. */
  isDeaf(): boolean;
  /** Asks for a sign of life; `urgently` by every means there is. */
  ask(urgently: boolean): void;
  /** The connection owes an answer and says nothing; it says something again; it has been silent for too long. */
  silent(): void;
  heard(): void;
  dead(silentMs: number): void;
}

/**
 * Listens whether a connection lives. While it owes an answer to something that was sent after it was last heard, one
 * timer stands at the end of that answer's timeout; while it owes nothing, at the next heartbeat. It decides nothing
 * beyond the rules of `machines/policy/silence.ts`.
 */
export class Pulse {
  readonly #needs: PulseNeeds;
  #heardAt: number;
  /** Nothing before this counts as silence: we were asleep. */
  #awakeSince: number;
  #isSilent = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #questions = 0;
  #bytes: number | undefined;
  #watching = false;
  #timer: unknown;
  #dueAt = Number.POSITIVE_INFINITY;
  #isSecondLook = false;
  #ticks: LateTicks = NO_LATE_TICKS;
  #ended = false;

  constructor(needs: PulseNeeds) {
    this.#needs = needs;
    const now = needs.clock.now();
    this.#heardAt = now;
    this.#awakeSince = now;
    this.#bytes = needs.receivedBytes();
    this.#arm(now + needs.heartbeatMs());
  }

  /** Something was sent that is to be answered. */
  sent(): void {
    if (this.#watching) return;
    this.#watching = true;
    const dueAt = this.#needs.clock.now() + this.#needs.answerTimeoutMs();
    if (dueAt < this.#dueAt) this.#arm(dueAt);
  }

  /** When something last arrived. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Something has arrived. */
  heard(now: number): void {
    this.#heardAt = now;
    // It may have turned out to be faster than was known when the timer was set.
    if (this.#watching) {
      const dueAt = now + this.#needs.answerTimeoutMs();
      if (dueAt < this.#dueAt) this.#arm(dueAt);
    }
    if (!this.#isSilent) return;
    this.#isSilent = false;
    this.#questions = 0;
    this.#needs.heard();
  }

  /** The settings have changed: looks again soon. */
  tune(): void {
    const dueAt = this.#needs.clock.now() + this.#needs.heartbeatMs();
    if (dueAt < this.#dueAt) this.#arm(dueAt);
  }

  end(): void {
    this.#ended = true;
    this.#needs.clock.clearTimeout(this.#timer);
  }

  #arm(dueAt: number): void {
    const { clock } = this.#needs;
    clock.clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    // Never at once: sums of fractions may say that it is due a little before its time has come.
    const delayMs = Math.max(SILENCE.secondLookMs, dueAt - clock.now());
    if (!this.#ended) this.#timer = clock.setTimeout(() => this.#look(), delayMs);
  }

  #look(): void {
    const { clock, owedSince, messageOwedSince } = this.#needs;
    const heartbeatMs = this.#needs.heartbeatMs();
    const now = clock.now();
    if (!this.#isSecondLook) this.#ticks = afterTick(this.#ticks, now - this.#dueAt);
    if (isOverslept(now - this.#dueAt) && hasSlept(this.#ticks)) return this.#awake(now);
    if (this.#needs.isDeaf()) return this.#endure(now);
    this.#countBytes(now);
    // Whoever has said anything since lives, even where an answer is missing: that is for the deadline of that answer.
    const since = owedSince(this.#heardAt);
    this.#watching = since !== undefined;
    if (since !== undefined) return this.#judge(Math.max(since, this.#awakeSince), now);
    this.#isSecondLook = false;
    // What was sent just before that may have reached nobody: once its answer is late, it is asked whether it lives. That
    // this is answered late as well, by one who speaks, is no reason to ask again.
    this.#watching = messageOwedSince(this.#askedAt) !== undefined;
    const patienceMs = this.#watching ? this.#needs.answerTimeoutMs() : heartbeatMs;
    const beatAt = Math.max(this.#heardAt, this.#awakeSince) + patienceMs;
    if (beatAt > now) return this.#arm(beatAt);
    // What is asked is owed, so the next look comes in time; where it could not be sent, the socket is closing.
    this.#watching = false;
    this.#arm(now + heartbeatMs);
    this.#ask(false, now);
  }

  #judge(since: number, now: number): void {
    const timeoutMs = this.#needs.answerTimeoutMs();
    const silentMs = now - since;
    const verdict = silenceVerdict(silentMs, timeoutMs, this.#needs.deadAfterMs());
    if (verdict === 'fine') {
      this.#isSecondLook = false;
      return this.#arm(since + timeoutMs);
    }
    // While we were busy, the answer may have arrived unread.
    if (!this.#isSecondLook) {
      this.#isSecondLook = true;
      return this.#arm(now + SILENCE.secondLookMs);
    }
    this.#isSecondLook = false;
    if (verdict === 'dead') {
      this.#arm(now + timeoutMs);
      // With throttled timers, the first look that counts may come this late.
      this.#suspect();
      return this.#needs.dead(silentMs);
    }
    // It is asked again after one, two, four timeouts: as often as Karn's backoff allows.
    this.#questions += 1;
    const nextMs = timeoutMs * 2 ** this.#questions;
    this.#arm(since + Math.min(nextMs, deadAfterMs(timeoutMs, this.#needs.deadAfterMs())));
    this.#ask(true, now);
    this.#suspect();
  }

  #suspect(): void {
    if (this.#isSilent) return;
    this.#isSilent = true;
    this.#needs.silent();
  }

  /** A timer that is far too late says that we slept: whatever was owed may have come and gone. */
  #awake(now: number): void {
    this.#awakeSince = now;
    this.#isSecondLook = false;
    this.#arm(now + this.#needs.answerTimeoutMs());
    this.#ask(true, now);
  }

  /** Who does not listen cannot say that nobody speaks. */
  #endure(now: number): void {
    this.#awakeSince = now;
    this.#isSecondLook = false;
    this.#watching = true;
    this.#arm(now + this.#needs.answerTimeoutMs());
  }

  #ask(urgently: boolean, now: number): void {
    this.#askedAt = now;
    this.#needs.ask(urgently);
  }

  #countBytes(now: number): void {
    const bytes = this.#needs.receivedBytes();
    if (bytes === this.#bytes) return;
    this.#bytes = bytes;
    this.heard(now);
  }
}
