import { systemClock } from '../clock.ts';
import type { Receipt } from '../delivery/receipt.ts';
import type { Pool, PublishOptions } from '../pool/create-pool.ts';
import { signedEvents } from '../testing/signed-events.ts';

/** What came of everything that was published. */
export class Publisher {
  readonly receipts: Receipt[] = [];
  /** Those of them that were open at some time when no relay could be reached, or that waited behind such. */
  readonly outlasted = new Set<Receipt>();
  /** Milliseconds from the first relay that was back until all that had waited for one was settled; the longest. */
  workedOffMs = 0;
  published = 0;
  readonly #pool: Pool;
  readonly #options: PublishOptions;
  readonly #events = signedEvents('published by the recloser demonstration');
  readonly #open = new Set<Promise<void>>();
  #stranded = false;
  #outages = 0;

  constructor(pool: Pool, options: PublishOptions) {
    this.#pool = pool;
    this.#options = options;
    pool.on('pool.stranded', () => {
      this.#stranded = true;
      this.#outages += 1;
    });
    pool.on('pool.recovered', () => {
      const [outages, recoveredAt] = [this.#outages, systemClock.now()];
      void this.settled().then(() => {
        this.workedOffMs = Math.max(this.workedOffMs, systemClock.now() - recoveredAt);
        if (outages === this.#outages) this.#stranded = false;
      });
    });
  }

  get open(): number {
    return this.#open.size;
  }

  get confirmed(): number {
    return this.receipts.filter(({ status }) => status === 'confirmed').length;
  }

  publish(): void {
    this.published += 1;
    const before = this.#stranded ? -1 : this.#outages;
    const settled = this.#pool.publish(this.#events.next().value, this.#options).then((receipt) => {
      this.receipts.push(receipt);
      if (before !== this.#outages) this.outlasted.add(receipt);
      this.#open.delete(settled);
    });
    this.#open.add(settled);
  }

  /** Settles when all that is open now has. */
  async settled(): Promise<void> {
    await Promise.all(this.#open);
  }
}
