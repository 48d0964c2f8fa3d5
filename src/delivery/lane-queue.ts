import { FULL_ROUND, nextTurn, PRIORITIES, type Priority, type Round } from '../../machines/policy/priority.ts';

interface Queued {
  readonly priority: Priority;
}

/** What waits for its turn, by priority; what matters equally in the order in which it came. */
export class LaneQueue<Item extends Queued> {
  #queues: readonly Set<Item>[] = PRIORITIES.map(() => new Set());
  #round: Round = FULL_ROUND;
  #size = 0;
  readonly #isTooLate: (oldest: Item) => boolean;

  /** Where the oldest of equals is too late, the newest of them goes first. */
  constructor(isTooLate: (oldest: Item) => boolean = () => false) {
    this.#isTooLate = isTooLate;
  }

  get size(): number {
    return this.#size;
  }

  /** How many wait that matter so much. */
  sizeOf(priority: Priority): number {
    return this.#queues[PRIORITIES.indexOf(priority)]?.size ?? 0;
  }

  add(item: Item): void {
    const queue = this.#of(item);
    if (queue.has(item)) return;
    queue.add(item);
    this.#size += 1;
  }

  /** Whether it had waited. */
  delete(item: Item): boolean {
    const waited = this.#of(item).delete(item);
    if (waited) this.#size -= 1;
    return waited;
  }

  /** Puts items before all that matter as much. */
  putFirst(items: readonly Item[]): void {
    this.#queues = this.#queues.map((queue, rank) => {
      const first = items.filter(({ priority }) => PRIORITIES[rank] === priority);
      return first.length === 0 ? queue : new Set([...first, ...queue]);
    });
    this.#size = this.#queues.reduce((sum, { size }) => sum + size, 0);
  }

  clear(): void {
    for (const queue of this.#queues) queue.clear();
    this.#size = 0;
  }

  /** Takes out whose turn it is; what is held back keeps its place, and holds nobody else back. */
  next(isHeld: (item: Item) => boolean): Item | undefined {
    if (this.#size === 0) return undefined;
    // Where all that waits matters equally, as it mostly does, there are no turns to take.
    const alone = this.#queues.find(({ size }) => size === this.#size);
    if (alone) {
      const item = this.#firstOf(alone, isHeld);
      if (item) this.delete(item);
      return item;
    }
    const first = this.#queues.map((queue) => this.#firstOf(queue, isHeld));
    const turn = nextTurn(this.#round, (rank) => first[rank] !== undefined);
    if (!turn) return undefined;
    this.#round = turn.round;
    const item = first[turn.rank] as Item;
    this.delete(item);
    return item;
  }

  #firstOf(queue: ReadonlySet<Item>, isHeld: (item: Item) => boolean): Item | undefined {
    let isOldest = true;
    for (const item of queue) {
      if (isOldest && this.#isTooLate(item)) return [...queue].findLast((each) => !isHeld(each));
      isOldest = false;
      if (!isHeld(item)) return item;
    }
    return undefined;
  }

  #of({ priority }: Item): Set<Item> {
    return this.#queues[PRIORITIES.indexOf(priority)] as Set<Item>;
  }
}
