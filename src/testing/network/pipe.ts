import type { Clock } from '../../clock.ts';
import type { Dice } from '../random.ts';

/** Milliseconds that a frame travels: never less than `minMs`, and `spreadMs` more on average, with a long tail. */
export interface Latency {
  readonly minMs: number;
  readonly spreadMs: number;
}

/** What one direction of a link is like at the moment. */
export interface PipeConditions {
  readonly latency: Latency;
  /** Nothing gets through. As with TCP it is not lost, and arrives when the way is free again. */
  readonly stalled: boolean;
  /** How fast the other end reads. */
  readonly bytesPerMs: number;
}

interface Packet {
  readonly bytes: number;
  readonly leavesAt: number;
  readonly arrivesAt: number;
  readonly deliver: () => void;
}

/** One direction of one connection: what is sent arrives in order and never at once, or not at all. */
export class Pipe {
  readonly #clock: Clock;
  readonly #conditions: () => PipeConditions;
  readonly #dice: Dice;
  readonly #packets: Packet[] = [];
  #leftAt = 0;
  #arrivedAt = 0;
  #timer: unknown;
  #held = false;
  #broken = false;

  constructor(clock: Clock, conditions: () => PipeConditions, dice: Dice) {
    this.#clock = clock;
    this.#conditions = conditions;
    this.#dice = dice;
  }

  /** Bytes that have not left yet. */
  get bufferedBytes(): number {
    const now = this.#clock.now();
    return this.#packets.reduce((sum, { bytes, leavesAt }) => (this.#held || leavesAt > now ? sum + bytes : sum), 0);
  }

  send(bytes: number, deliver: () => void): void {
    if (this.#broken) return;
    const { bytesPerMs } = this.#conditions();
    const leavesAt = Math.max(this.#clock.now(), this.#leftAt) + bytes / bytesPerMs;
    const arrivesAt = Math.max(this.#arrivedAt, leavesAt + this.#travelMs());
    this.#leftAt = leavesAt;
    this.#arrivedAt = arrivesAt;
    this.#packets.push({ bytes, leavesAt, arrivesAt, deliver });
    if (this.#packets.length === 1) this.#arm(arrivesAt);
  }

  /** Whatever is under way will not arrive, and nothing that is sent later. */
  break(): void {
    this.#broken = true;
    this.drop();
  }

  /** Whatever is under way will not arrive. */
  drop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#packets.length = 0;
    this.#held = false;
    this.#leftAt = 0;
    this.#arrivedAt = 0;
  }

  /** Conditions have changed: what is under way travels under the new ones, and what was held back is sent once more. */
  resume(): void {
    const packets = this.#packets.map(({ bytes, deliver }) => ({ bytes, deliver }));
    this.drop();
    for (const { bytes, deliver } of packets) this.send(bytes, deliver);
  }

  #travelMs(): number {
    const { minMs, spreadMs } = this.#conditions().latency;
    return spreadMs === 0 ? minMs : minMs - spreadMs * Math.log(1 - this.#dice());
  }

  #arm(arrivesAt: number): void {
    this.#timer = this.#clock.setTimeout(() => this.#arrive(), arrivesAt - this.#clock.now());
  }

  #arrive(): void {
    if (this.#conditions().stalled) {
      this.#held = true;
      return;
    }
    const packet = this.#packets.shift();
    const [next] = this.#packets;
    if (next) this.#arm(Math.max(next.arrivesAt, this.#clock.now()));
    packet?.deliver();
  }
}
