import { RecloserError } from '../../machines/policy/error.ts';

/** What is done with events that come when as many wait for their reader as may. */
export type WhenFull = 'close' | 'drop-oldest';

export interface ReaderNeeds {
  readonly bufferMax: number;
  readonly whenFull: WhenFull;
  /** More came than may wait, and the policy is to close. */
  overrun(): void;
  /** Whoever reads has stopped, for good. */
  stopped(): void;
}

type Turn<Value> = {
  readonly resolve: (result: IteratorResult<Value, undefined>) => void;
};

/** What waits for one reader, who takes one at a time. */
export class Reader<Value> implements AsyncIterableIterator<Value, undefined> {
  /** Values that were given up because the reader was slow. */
  dropped = 0;
  readonly #needs: ReaderNeeds;
  /** As a set, the oldest is taken away without moving the others. */
  readonly #buffer = new Set<{ readonly value: Value }>();
  readonly #turns = new Set<Turn<Value>>();
  #isOver = false;
  #error: RecloserError | undefined;

  constructor(needs: ReaderNeeds) {
    this.#needs = needs;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  push(value: Value): void {
    if (this.#isOver) return;
    const [turn] = this.#turns;
    if (turn) {
      this.#turns.delete(turn);
      return turn.resolve({ done: false, value });
    }
    const { bufferMax, whenFull } = this.#needs;
    if (this.#buffer.size >= bufferMax) {
      this.dropped += 1;
      if (whenFull === 'close') {
        const problem = `More than ${bufferMax} events waited to be read; read faster, or give bufferMax or whenFull.`;
        this.#error = new RecloserError('BUFFER_FULL', problem);
        this.#isOver = true;
        return this.#needs.overrun();
      }
      const [oldest] = this.#buffer;
      if (oldest) this.#buffer.delete(oldest);
    }
    this.#buffer.add({ value });
  }

  /** Nothing more comes; what waits can still be read. */
  end(): void {
    this.#isOver = true;
    for (const { resolve } of this.#turns) resolve({ done: true, value: undefined });
    this.#turns.clear();
  }

  next(): Promise<IteratorResult<Value, undefined>> {
    const [oldest] = this.#buffer;
    if (oldest) {
      this.#buffer.delete(oldest);
      return Promise.resolve({ done: false, value: oldest.value });
    }
    if (this.#error) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#turns.add({ resolve }));
  }

  return(): Promise<IteratorResult<Value, undefined>> {
    this.#buffer.clear();
    this.#error = undefined;
    this.end();
    this.#needs.stopped();
    return Promise.resolve({ done: true, value: undefined });
  }
}
