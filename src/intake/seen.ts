import type { Remembered, Span } from '../../machines/policy/gap.ts';
import { RELAYS_REMEMBERED, SEEN } from '../../machines/policy/limits.ts';
import type { Place } from '../frame.ts';
import type { KnownEvent } from '../protocol/reconciler.ts';
import { EventTable, IdKey } from './event-table.ts';
import { SpareWords } from './spare-words.ts';

/** Relays that are noted by a bit each; those beyond by a list. */
const BITS = 30;
/** The number of relays that are too many to be told apart. */
const NOBODY = -1;

/** Memory that subscriptions have left behind. */
const SPARE = new SpareWords();

/** The id that is being looked at. */
const key = new IdKey();

/** Events that were delivered one after the other, and the relays that have sent them. */
class Generation {
  readonly events: EventTable;
  /** The newest time of its events, and the oldest. */
  newestMs = Number.NEGATIVE_INFINITY;
  oldestMs = Number.POSITIVE_INFINITY;
  /** Relays beyond the first, where there are any. */
  readonly #others = new Map<number, readonly number[]>();

  constructor(spare: SpareWords) {
    this.events = new EventTable(spare);
  }

  add(key: IdKey, source: number, atMs: number): void {
    const number = this.events.add(key, atMs);
    this.note(number, source);
    if (atMs > this.newestMs) this.newestMs = atMs;
    if (atMs < this.oldestMs) this.oldestMs = atMs;
  }

  note(number: number, source: number): void {
    if (source === NOBODY) return;
    if (source < BITS) return this.events.setBits(number, this.events.bitsOf(number) | (1 << source));
    const others = this.#others.get(number) ?? [];
    if (!others.includes(source)) this.#others.set(number, [...others, source]);
  }

  /** Its events of a span of time. */
  *within({ fromMs, untilMs }: Span): Iterable<KnownEvent> {
    for (let number = 0; number < this.events.size; number += 1) {
      const atMs = this.events.atMs(number);
      if (atMs >= fromMs && atMs <= untilMs) yield { id: this.events.idOf(number), atMs };
    }
  }

  isFrom(number: number, source: number): boolean {
    if (source < BITS) return (this.events.bitsOf(number) & (1 << source)) !== 0;
    return this.#others.get(number)?.includes(source) ?? false;
  }
}

/**
 * The events that a subscription has delivered, so that it delivers each once. It forgets by generations: of the last fifty
 * thousand none, and beyond that none that a relay may send again after a gap, as far as there is room.
 */
export class Seen {
  /** The youngest first. */
  #generations: Generation[];
  readonly #relays: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #horizonMs: () => number;
  readonly #spare: SpareWords;
  #fromMs = 0;

  /** `horizonMs` tells from which time on events may be sent again. */
  constructor(horizonMs: () => number, spare = SPARE) {
    this.#horizonMs = horizonMs;
    this.#spare = spare;
    this.#generations = [new Generation(spare)];
  }

  get size(): number {
    return this.#generations.reduce((sum, { events }) => sum + events.size, 0);
  }

  /** The time of an event that has been delivered, of which it is noted that this relay has it too; nothing for others. */
  again(id: string | Place, source: number): number | undefined {
    if (!key.read(id)) return undefined;
    for (const generation of this.#generations) {
      const number = generation.events.numberOf(key);
      if (number < 0) continue;
      generation.note(number, source);
      return generation.events.atMs(number);
    }
    return undefined;
  }

  /** It is delivered now. Only what has been verified may be put here. False for what is no id, and could come again. */
  add(id: string | Place, source: number, atMs: number): boolean {
    if (!key.read(id)) return false;
    const young = this.#generations[0] as Generation;
    young.add(key, source, atMs);
    if (young.events.size >= SEEN.generation) this.#rotate();
    return true;
  }

  /** From when on all is remembered, and the oldest that is. */
  get remembered(): Remembered {
    const oldestMs = Math.min(...this.#generations.map((generation) => generation.oldestMs));
    return { fromMs: this.#fromMs, oldestMs: Number.isFinite(oldestMs) ? oldestMs : undefined };
  }

  /** The events of a span of time; where there are more, the newest of them. */
  within(span: Span, most: number): readonly KnownEvent[] {
    const known = this.#generations.flatMap((generation) => [...generation.within(span)]);
    if (known.length <= most) return known;
    return known.sort((one, other) => other.atMs - one.atMs).slice(0, most);
  }

  /** The relays that have sent an event, as far as it is remembered. */
  relaysOf(id: string): readonly string[] {
    if (!key.read(id)) return [];
    for (const generation of this.#generations) {
      const number = generation.events.numberOf(key);
      if (number >= 0) return this.#relays.filter((_, relay) => generation.isFrom(number, relay));
    }
    return [];
  }

  /** Nothing more is delivered. What was little is remembered nevertheless, for whoever asks where it came from. */
  close(): void {
    if (this.size <= SEEN.afterwards) return;
    for (const { events } of this.#generations) events.clear();
    this.#generations = [new Generation(this.#spare)];
  }

  /** The number by which a relay is known here. */
  sourceOf(relay: string): number {
    let number = this.#numbers.get(relay);
    if (number === undefined) {
      if (this.#relays.length >= RELAYS_REMEMBERED) return NOBODY;
      number = this.#relays.push(relay) - 1;
      this.#numbers.set(relay, number);
    }
    return number;
  }

  /** A generation goes as a whole: looking through it would take too long. */
  #rotate(): void {
    const horizonMs = this.#horizonMs();
    const [young, ...older] = this.#generations as [Generation, ...Generation[]];
    const kept = older.filter(({ newestMs }) => newestMs >= horizonMs).slice(0, SEEN.most / SEEN.generation - 2);
    this.#generations = [new Generation(this.#spare), young, ...kept];
    for (const old of older) {
      if (kept.includes(old)) continue;
      this.#fromMs = Math.max(this.#fromMs, old.newestMs + 1);
      old.events.clear();
    }
  }
}
