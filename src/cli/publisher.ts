import type { Receipt } from '../delivery/receipt.ts';
import type { Pool, PublishOptions } from '../pool/create-pool.ts';
import { signedEvents } from '../testing/signed-events.ts';

/** What came of everything that was published. */
export class Publisher {
  readonly receipts: Receipt[] = [];
  /** Those of them that were open at some time when no relay could be reached. */
  readonly outlasted = new Set<Receipt>();
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
      this.#stranded = false;
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

  /** Settles when every publish has. */
  async settled(): Promise<void> {
    await Promise.all(this.#open);
  }
}
