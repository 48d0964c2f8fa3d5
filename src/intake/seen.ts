import { SEEN } from '../../machines/policy/limits.ts';

/** One event that has been delivered, and the relays that have sent it, by their numbers. */
interface Sighting {
  readonly atMs: number;
  /** One bit for each of the first relays; the others, where there are any. */
  bits: number;
  others: readonly number[] | undefined;
}

const BITS = 30;

function note(sighting: Sighting, relay: number): void {
  if (relay < BITS) sighting.bits |= 1 << relay;
  else if (!sighting.others?.includes(relay)) sighting.others = [...(sighting.others ?? []), relay];
}

/**
 * The events that a subscription has delivered, so that it delivers each once. It forgets by generations: of the last fifty
 * thousand none, and beyond that none that a relay may send again after a gap, as far as there is room.
 */
export class Seen {
  #young = new Map<string, Sighting>();
  #old = new Map<string, Sighting>();
  readonly #relays: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #horizonMs: () => number;

  /** `horizonMs` tells from which time on events may be sent again. */
  constructor(horizonMs: () => number) {
    this.#horizonMs = horizonMs;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The time of an event that has been delivered, of which it is noted that this relay has it too; nothing for others. */
  again(id: string, relay: string): number | undefined {
    const sighting = this.#young.get(id) ?? this.#old.get(id);
    if (!sighting) return undefined;
    note(sighting, this.#numberOf(relay));
    return sighting.atMs;
  }

  /** It is delivered now. Only what has been verified may be put here. */
  add(id: string, relay: string, atMs: number): void {
    const sighting: Sighting = { atMs, bits: 0, others: undefined };
    note(sighting, this.#numberOf(relay));
    this.#young.set(id, sighting);
    if (this.#young.size >= SEEN.generation) this.#rotate();
  }

  /** The relays that have sent an event, as far as it is remembered. */
  relaysOf(id: string): readonly string[] {
    const sighting = this.#young.get(id) ?? this.#old.get(id);
    if (!sighting) return [];
    return this.#relays.filter((_, number) =>
      number < BITS ? sighting.bits & (1 << number) : sighting.others?.includes(number),
    );
  }

  #numberOf(relay: string): number {
    let number = this.#numbers.get(relay);
    if (number === undefined) {
      number = this.#relays.push(relay) - 1;
      this.#numbers.set(relay, number);
    }
    return number;
  }

  #rotate(): void {
    const horizonMs = this.#horizonMs();
    const kept = [...this.#old].filter(([, { atMs }]) => atMs >= horizonMs);
    this.#old = new Map([...kept.slice(-(SEEN.most - 2 * SEEN.generation)), ...this.#young]);
    this.#young = new Map();
  }
}
