import { RELAYS_REMEMBERED, SEEN } from '../../machines/policy/limits.ts';

/** One event that has been delivered, and the relays that have sent it, by their numbers. */
interface Sighting {
  readonly atMs: number;
  /** One bit for each of the first relays; the others, where there are any. */
  bits: number;
  others: readonly number[] | undefined;
}

const BITS = 30;
/** The number of relays that are too many to be told apart. */
const NOBODY = -1;

function note(sighting: Sighting, relay: number): void {
  if (relay === NOBODY) return;
  if (relay < BITS) sighting.bits |= 1 << relay;
  else if (!sighting.others?.includes(relay)) sighting.others = [...(sighting.others ?? []), relay];
}

/** Events that were delivered one after the other, and the time of the newest of them. */
interface Generation {
  readonly sightings: Map<string, Sighting>;
  newestMs: number;
}

const emptyGeneration = (): Generation => ({ sightings: new Map(), newestMs: Number.NEGATIVE_INFINITY });

/**
 * The events that a subscription has delivered, so that it delivers each once. It forgets by generations: of the last fifty
 * thousand none, and beyond that none that a relay may send again after a gap, as far as there is room.
 */
export class Seen {
  /** The youngest first. */
  #generations: Generation[] = [emptyGeneration()];
  readonly #relays: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #horizonMs: () => number;

  /** `horizonMs` tells from which time on events may be sent again. */
  constructor(horizonMs: () => number) {
    this.#horizonMs = horizonMs;
  }

  get size(): number {
    return this.#generations.reduce((sum, { sightings }) => sum + sightings.size, 0);
  }

  /** The time of an event that has been delivered, of which it is noted that this relay has it too; nothing for others. */
  again(id: string, relay: string): number | undefined {
    const sighting = this.#find(id);
    if (!sighting) return undefined;
    note(sighting, this.#numberOf(relay));
    return sighting.atMs;
  }

  /** It is delivered now. Only what has been verified may be put here. */
  add(id: string, relay: string, atMs: number): void {
    const [young] = this.#generations as [Generation];
    const sighting: Sighting = { atMs, bits: 0, others: undefined };
    note(sighting, this.#numberOf(relay));
    young.sightings.set(id, sighting);
    if (atMs > young.newestMs) young.newestMs = atMs;
    if (young.sightings.size >= SEEN.generation) this.#rotate();
  }

  /** The relays that have sent an event, as far as it is remembered. */
  relaysOf(id: string): readonly string[] {
    const sighting = this.#find(id);
    if (!sighting) return [];
    return this.#relays.filter((_, number) =>
      number < BITS ? sighting.bits & (1 << number) : sighting.others?.includes(number),
    );
  }

  #find(id: string): Sighting | undefined {
    for (const { sightings } of this.#generations) {
      const sighting = sightings.get(id);
      if (sighting) return sighting;
    }
    return undefined;
  }

  #numberOf(relay: string): number {
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
    this.#generations = [emptyGeneration(), young, ...kept];
  }
}
