import type { Latency, PipeConditions } from './pipe.ts';

/** What the way to a server is like. `up` is towards the server. */
export interface LinkConditions {
  /** Each way. */
  readonly latency: Latency;
  readonly upStalled: boolean;
  readonly downStalled: boolean;
  /** How fast the server reads. */
  readonly bytesPerMs: number;
  /** The server's name is resolved at once, after its servers have not answered, or not at all. */
  readonly name: 'known' | 'hangs' | 'unknown';
}

const CLEAR: LinkConditions = Object.freeze({
  latency: { minMs: 0, spreadMs: 0 },
  upStalled: false,
  downStalled: false,
  bytesPerMs: Number.POSITIVE_INFINITY,
  name: 'known',
});

/** A connection as its link sees it. */
export interface Linked {
  /** Conditions have changed; what was held back may go on. */
  resume(): void;
  /** Nothing arrives any more, in either direction, and nobody is told. */
  lose(): void;
  /** Both sides are told, without a close frame. */
  cut(): void;
  /** The client is told at once, whatever the way is like. */
  reset(): void;
}

/** The way to one server, shared by all connections to it. */
export class SimulatedLink {
  readonly connections = new Set<Linked>();
  readonly #lost = new Set<Linked>();
  #conditions = CLEAR;

  /** Changes conditions; those that are not named stay as they are. */
  set(conditions: Partial<LinkConditions>): void {
    const { bytesPerMs = 1 } = conditions;
    if (!(bytesPerMs > 0)) throw new RangeError(`bytesPerMs is ${bytesPerMs}; to let nothing through, stall the link.`);
    this.#conditions = { ...this.#conditions, ...conditions };
    for (const connection of this.connections) connection.resume();
  }

  /** Loses every connection without a word: nothing that either side sends arrives, and nobody is told. */
  lose(): void {
    for (const connection of [...this.connections]) {
      connection.lose();
      this.#lost.add(connection);
    }
  }

  /** Ends every connection, also those that are lost: the client's machine is told, as when its network changes. */
  reset(): void {
    for (const connection of [...this.#lost, ...this.connections]) connection.reset();
    this.#lost.clear();
  }

  /** Cuts every connection: both sides are told, without a close frame. */
  cut(): void {
    for (const connection of [...this.connections]) connection.cut();
  }

  /** The client's end is closed; there is nobody left to tell. */
  forget(connection: Linked): void {
    this.#lost.delete(connection);
  }

  get name(): LinkConditions['name'] {
    return this.#conditions.name;
  }

  get up(): PipeConditions {
    const { latency, upStalled, bytesPerMs } = this.#conditions;
    return { latency, stalled: upStalled, bytesPerMs };
  }

  get down(): PipeConditions {
    const { latency, downStalled } = this.#conditions;
    return { latency, stalled: downStalled, bytesPerMs: Number.POSITIVE_INFINITY };
  }
}
