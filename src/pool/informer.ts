import { INFORMATION } from '../../machines/policy/limits.ts';
import { askedAgainAtMs, type StatedLimits, statedLimits } from '../../machines/policy/stated-limits.ts';
import type { Clock } from '../clock.ts';
import type { InformationReader } from '../transport/information.ts';

export interface InformerNeeds {
  readonly clock: Clock;
  readonly reader: InformationReader | undefined;
  readonly allowPrivate: boolean;
  /** A relay has said what it takes. */
  stated(url: string, limits: StatedLimits): void;
}

interface Known {
  readonly limits: StatedLimits;
  readonly untilMs: number;
}

/** Nothing that a relay could mind. */
const NO_LIMITS: StatedLimits = {};

/** Knows what relays say of themselves. What cannot be had harms nobody: their limits are then learned from refusals. */
export class Informer {
  readonly #needs: InformerNeeds;
  readonly #known = new Map<string, Known>();
  /** What lets go of a question, by the relay that is being asked. */
  readonly #open = new Map<string, () => void>();
  #ended = false;

  constructor(needs: InformerNeeds) {
    this.#needs = needs;
  }

  limitsOf(url: string): StatedLimits {
    return this.#known.get(url)?.limits ?? NO_LIMITS;
  }

  /** A connection is open: its relay is asked, unless that was done not long ago. */
  meet(url: string): void {
    const { clock, reader, allowPrivate, stated } = this.#needs;
    if (!reader || this.#ended || this.#open.has(url) || clock.now() < (this.#known.get(url)?.untilMs ?? 0)) return;
    const abort = new AbortController();
    const leave = (): void => {
      clock.clearTimeout(timer);
      abort.abort();
    };
    const settle = (limits: StatedLimits | undefined): void => {
      // Whoever was forgotten meanwhile, or has been asked anew, is not spoken for any more.
      if (this.#open.get(url) !== leave) return;
      this.#open.delete(url);
      leave();
      const untilMs = askedAgainAtMs(limits !== undefined, clock.now());
      this.#known.set(url, { limits: limits ?? this.limitsOf(url), untilMs });
      if (limits) stated(url, limits);
    };
    const timer = clock.setTimeout(() => settle(undefined), INFORMATION.timeoutMs);
    this.#open.set(url, leave);
    limitsFrom(reader, url, { allowPrivate, signal: abort.signal }).then(settle, () => settle(undefined));
  }

  /** The relay has left the pool. */
  forget(url: string): void {
    this.#open.get(url)?.();
    this.#open.delete(url);
    this.#known.delete(url);
  }

  /** Nobody is asked any more. */
  dispose(): void {
    this.#ended = true;
    for (const url of [...this.#open.keys()]) this.forget(url);
  }
}

/** Asks, and reads the answer: whatever goes wrong with either is told in one way. */
const limitsFrom = async (
  reader: InformationReader,
  url: string,
  options: Parameters<InformationReader['read']>[1],
): Promise<StatedLimits> => statedLimits(await reader.read(url, options));
