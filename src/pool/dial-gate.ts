import { DIALS_MAX, TRIALS_SHARE_MAX } from '../../machines/policy/limits.ts';

/** Somebody who waits to dial, or dials. */
export interface Turn {
  readonly isTrial: boolean;
  readonly begin: () => void;
  /** The dial itself is over, so that only a trial still holds on to its turn. */
  dialled: boolean;
}

/**
 * Few dials at one time, and few trials of relays that have failed: a thousand relays that come back together, or a
 * network that does, would otherwise be a thousand handshakes in one moment. Who comes first is first.
 */
export class DialGate {
  readonly #relays: () => number;
  readonly #waiting = new Set<Turn>();
  readonly #holding = new Set<Turn>();
  #dialsMax: number = DIALS_MAX.usual;

  /** `relays` counts all relays of the pool. */
  constructor(relays: () => number) {
    this.#relays = relays;
  }

  /** While our own network is in doubt, fewer dial at one time. */
  set isInDoubt(inDoubt: boolean) {
    this.#dialsMax = inDoubt ? DIALS_MAX.inDoubt : DIALS_MAX.usual;
    this.#admit();
  }

  /** Calls back when it may dial, perhaps at once. */
  enter(isTrial: boolean, begin: () => void): Turn {
    const turn: Turn = { isTrial, begin, dialled: false };
    this.#waiting.add(turn);
    this.#admit();
    return turn;
  }

  /** The connection is open, and the next may be dialled. */
  dialled(turn: Turn): void {
    turn.dialled = true;
    if (!turn.isTrial) this.#holding.delete(turn);
    this.#admit();
  }

  /** It is over, or has passed its trial. */
  leave(turn: Turn): void {
    this.#waiting.delete(turn);
    this.#holding.delete(turn);
    this.#admit();
  }

  #admit(): void {
    for (const turn of this.#waiting) {
      const held = [...this.#holding];
      if (held.filter(({ dialled }) => !dialled).length >= this.#dialsMax) return;
      const trialsMax = Math.max(1, Math.ceil(TRIALS_SHARE_MAX * this.#relays()));
      if (turn.isTrial && held.filter(({ isTrial }) => isTrial).length >= trialsMax) continue;
      this.#waiting.delete(turn);
      this.#holding.add(turn);
      turn.begin();
    }
  }
}
