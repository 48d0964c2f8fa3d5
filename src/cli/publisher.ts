import { systemClock } from '../clock.ts';
import type { Receipt } from '../delivery/receipt.ts';
import type { Pool, PublishOptions } from '../pool/create-pool.ts';
import { signedEvents } from '../testing/signed-events.ts';
import { neededStandIn, type Summary } from './summary.ts';

/** Publications whose times are kept for percentiles. */
const TIMES_KEPT = 20_000;

/** Publishes at a steady rate, and keeps count of what came of it. */
export class Publisher {
  published = 0;
  confirmed = 0;
  refused = 0;
  /** Accepted events that are stored nowhere, though their publication has ended. */
  readonly #missing = new Set<string>();
  /** Those that were open at some time when no relay could be reached, or that waited behind such. */
  #outlasted = 0;
  /** Milliseconds from the first relay that was back until all that had waited for one was settled; the longest. */
  #workedOffMs = 0;
  readonly #latenciesMs: number[] = [];
  readonly #failoversMs: number[] = [];
  readonly #pool: Pool;
  readonly #options: PublishOptions;
  readonly #copies: number;
  readonly #isStored: (id: string) => boolean;
  readonly #events = signedEvents('published by the recloser demonstration');
  readonly #open = new Set<Promise<void>>();
  #stranded = false;
  #outages = 0;

  constructor(pool: Pool, copies: number, isStored: (id: string) => boolean) {
    this.#pool = pool;
    this.#copies = copies;
    this.#options = { relays: copies };
    this.#isStored = isStored;
    pool.on('pool.stranded', () => {
      this.#stranded = true;
      this.#outages += 1;
    });
    pool.on('pool.recovered', () => {
      const [outages, recoveredAt] = [this.#outages, systemClock.now()];
      void this.settled().then(() => {
        this.#workedOffMs = Math.max(this.#workedOffMs, systemClock.now() - recoveredAt);
        if (outages === this.#outages) this.#stranded = false;
      });
    });
  }

  get open(): number {
    return this.#open.size;
  }

  get lost(): number {
    for (const id of this.#missing) if (this.#isStored(id)) this.#missing.delete(id);
    return this.#missing.size;
  }

  publish(): void {
    this.published += 1;
    const before = this.#stranded ? -1 : this.#outages;
    const settled = this.#pool.publish(this.#events.next().value, this.#options).then((receipt) => {
      this.#open.delete(settled);
      this.#take(receipt, before !== this.#outages);
    });
    this.#open.add(settled);
  }

  /** Publishes so many events a second until the time is over or it is told to end, and waits until each has settled. */
  async publishFor(perSecond: number, forMs: number, signal?: AbortSignal): Promise<void> {
    const startedAt = systemClock.now();
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const elapsedMs = systemClock.now() - startedAt;
        // A late timer makes up for what it missed, so the rate is what it says.
        while (this.published < Math.floor((Math.min(elapsedMs, forMs) / 1_000) * perSecond)) this.publish();
        if (elapsedMs < forMs && !signal?.aborted) return;
        clearInterval(timer);
        resolve();
      }, 5);
    });
    await this.settled();
  }

  /** Settles when all that is open now has. */
  async settled(): Promise<void> {
    await Promise.all(this.#open);
  }

  summary(repeats: number): Summary {
    return {
      published: this.published,
      confirmed: this.confirmed,
      refused: this.refused,
      lost: this.lost,
      deliveredTwice: repeats,
      outlasted: this.#outlasted,
      workedOffMs: this.#workedOffMs,
      failoversMs: this.#failoversMs,
      latenciesMs: this.#latenciesMs,
    };
  }

  #take(receipt: Receipt, hasOutlasted: boolean): void {
    const { id, status, confirmedMs } = receipt;
    if (status === 'refused') {
      this.refused += 1;
      return;
    }
    if (status === 'confirmed') this.confirmed += 1;
    // What is still open has until its end to be stored.
    if (!this.#isStored(id) && status !== 'pending' && status !== 'partly-confirmed') this.#missing.add(id);
    if (hasOutlasted) {
      this.#outlasted += 1;
      return;
    }
    if (confirmedMs === undefined) return;
    keep(this.#latenciesMs, confirmedMs);
    if (neededStandIn(receipt, this.#copies)) keep(this.#failoversMs, confirmedMs);
  }
}

function keep(times: number[], ms: number): void {
  times.push(ms);
  if (times.length > 2 * TIMES_KEPT) times.splice(0, TIMES_KEPT);
}
