import { PRIORITIES, type Priority } from '../../machines/policy/priority.ts';
import type { PublishSettings } from '../../machines/policy/settings.ts';
import type { Publication } from './publication.ts';

/** What is open of one priority and may be given up for what matters more; the oldest first. */
class Shelf {
  readonly publications = new Set<Publication>();
  bytes = 0;

  put(publication: Publication): void {
    this.publications.add(publication);
    this.bytes += publication.frame.length;
  }

  take(publication: Publication): void {
    if (this.publications.delete(publication)) this.bytes -= publication.frame.length;
  }
}

/** How much is open, how much more may be, and what goes first when it is too much. */
export class Capacity {
  /** Confirmed, but not yet everywhere; the oldest first. */
  readonly trailing = new Set<Publication>();
  bytes = 0;
  count = 0;
  readonly #settings: () => PublishSettings;
  readonly #shelves = new Map<Priority, Shelf>(PRIORITIES.map((priority) => [priority, new Shelf()]));

  /** `settings` are read as they are now. */
  constructor(settings: () => PublishSettings) {
    this.#settings = settings;
  }

  /** Publications without their quorum. */
  get unconfirmed(): number {
    return this.count - this.trailing.size;
  }

  opened(publication: Publication): void {
    this.count += 1;
    this.bytes += publication.frame.length;
    this.#shelf(publication)?.put(publication);
  }

  confirmed(publication: Publication): void {
    this.trailing.add(publication);
    this.#shelf(publication)?.take(publication);
  }

  /** It was confirmed, and somebody asks for more. */
  reopened(publication: Publication): void {
    if (this.trailing.delete(publication)) this.#shelf(publication)?.put(publication);
  }

  /** It matters more than it did. */
  reprioritise(publication: Publication, priority: Priority): void {
    const shelf = this.#shelf(publication);
    const isShelved = shelf?.publications.has(publication) ?? false;
    if (isShelved) shelf?.take(publication);
    publication.priority = priority;
    if (isShelved) this.#shelf(publication)?.put(publication);
  }

  closed(publication: Publication): void {
    this.count -= 1;
    this.bytes -= publication.frame.length;
    this.trailing.delete(publication);
    this.#shelf(publication)?.take(publication);
  }

  /** Whether an event of this size may be opened now. */
  fits(bytes: number): boolean {
    const { publicationsMax, queueBytesMax } = this.#settings();
    return this.unconfirmed < publicationsMax && this.bytes + bytes <= queueBytesMax;
  }

  /**
   * What to give up for an event of this priority: the oldest of the least that matters less. Nothing where that would
   * not make room for it after all. What is stored durably is never given up.
   */
  victimFor(priority: Priority, bytes: number): Publication | undefined {
    const rank = PRIORITIES.indexOf(priority);
    const shelves = PRIORITIES.slice(rank + 1).map((each) => this.#shelves.get(each) as Shelf);
    const spare = shelves.reduce((sum, shelf) => sum + shelf.bytes, 0);
    if (this.bytes - spare + bytes > this.#settings().queueBytesMax) return undefined;
    const [victim] = shelves.findLast(({ publications }) => publications.size > 0)?.publications ?? [];
    return victim;
  }

  #shelf(publication: Publication): Shelf | undefined {
    return publication.isStored ? undefined : this.#shelves.get(publication.priority);
  }
}
