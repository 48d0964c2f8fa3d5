import { type DialCandidate, goesBefore, mayAttempt, youngForMs } from '../../machines/policy/dial.ts';
import { type AttemptBounds, SILENCE } from '../../machines/policy/limits.ts';
import type { Clock } from '../clock.ts';

/** One attempt, from waiting for its turn to its end. */
export interface Attempt {
  readonly url: string;
  readonly order: number;
  readonly begin: () => void;
  /** Start of the attempt; nothing while it waits. */
  beganAt: number | undefined;
}

export interface DialLimiterDeps {
  readonly clock: Clock;
  /** Estimate of a relay as a candidate. */
  rank(url: string): Omit<DialCandidate, 'order'>;
}

/**
 * Admits attempts: relays that a caller waits for first, and few at one time. Only young attempts count against that bound, so
 * that relays which swallow dials hold nobody up.
 */
export class DialLimiter {
  readonly #bounds: AttemptBounds;
  readonly #deps: DialLimiterDeps;
  readonly #waiting = new Set<Attempt>();
  readonly #underWay = new Set<Attempt>();
  #isInDoubt = false;
  #usualMs: number | undefined;
  #count = 0;
  #timer: unknown;
  #isAdmitting = false;

  constructor(bounds: AttemptBounds, deps: DialLimiterDeps) {
    this.#bounds = bounds;
    this.#deps = deps;
  }

  /** While our own network is in doubt, fewer attempts begin at one time. */
  set isInDoubt(isInDoubt: boolean) {
    this.#isInDoubt = isInDoubt;
    this.#admit();
  }

  /** Calls back when the attempt may begin, perhaps at once. */
  enter(url: string, begin: () => void): Attempt {
    this.#count += 1;
    const attempt: Attempt = { url, order: this.#count, begin, beganAt: undefined };
    this.#waiting.add(attempt);
    this.#admit();
    return attempt;
  }

  /** The attempt succeeded: the next may begin. */
  succeed(attempt: Attempt): void {
    if (attempt.beganAt !== undefined && this.#underWay.has(attempt)) {
      const tookMs = this.#deps.clock.now() - attempt.beganAt;
      this.#usualMs = this.#usualMs === undefined ? tookMs : this.#usualMs + (tookMs - this.#usualMs) / 4;
    }
    this.leave(attempt);
  }

  /** The attempt failed, or is not wanted any more. */
  leave(attempt: Attempt): void {
    const isGone = this.#waiting.delete(attempt) || this.#underWay.delete(attempt);
    if (isGone) this.#admit();
  }

  /** Looks again who may begin: other relays are needed than before. */
  review(): void {
    this.#admit();
  }

  /** Leaves no timer behind. */
  dispose(): void {
    this.#waiting.clear();
    this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #admit(): void {
    // An attempt may end as soon as it begins, and would admit the next.
    if (this.#isAdmitting) return;
    this.#isAdmitting = true;
    try {
      for (let next = this.#next(); next; next = this.#next()) {
        this.#waiting.delete(next);
        this.#underWay.add(next);
        next.beganAt = this.#deps.clock.now();
        next.begin();
      }
    } finally {
      this.#isAdmitting = false;
    }
    this.#awaitAge();
  }

  /** The attempt that begins next; nothing if none may. */
  #next(): Attempt | undefined {
    const underWay = { young: this.#young().length, total: this.#underWay.size };
    if (!mayAttempt(this.#bounds, underWay, true, this.#isInDoubt)) return undefined;
    let best: Attempt | undefined;
    let rank: DialCandidate | undefined;
    for (const attempt of this.#waiting) {
      const candidate = { ...this.#deps.rank(attempt.url), order: attempt.order };
      if (rank && !goesBefore(candidate, rank)) continue;
      best = attempt;
      rank = candidate;
    }
    if (!best || !rank) return undefined;
    return mayAttempt(this.#bounds, underWay, rank.isNeeded, this.#isInDoubt) ? best : undefined;
  }

  #young(): readonly Attempt[] {
    const since = this.#deps.clock.now() - youngForMs(this.#bounds, this.#usualMs);
    return [...this.#underWay].filter(({ beganAt = 0 }) => beganAt > since);
  }

  /** A young attempt that lasts makes room for the next by growing old. */
  #awaitAge(): void {
    const { clock } = this.#deps;
    clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    const [oldest] = this.#young();
    if (this.#waiting.size === 0 || oldest?.beganAt === undefined) return;
    const delayMs = oldest.beganAt + youngForMs(this.#bounds, this.#usualMs) - clock.now();
    this.#timer = clock.setTimeout(() => this.#admit(), Math.max(SILENCE.secondLookMs, delayMs));
  }
}
