import { VERIFY } from '../../machines/policy/limits.ts';
import { graceMs } from '../../machines/policy/stored-end.ts';
import { type Clock, setAwakeTimeout } from '../clock.ts';
import type { Wanted } from './wanted.ts';

/** What telling the end of what is stored needs from around it. */
export interface StoredEndsNeeds {
  readonly clock: Clock;
  /** Calls back when all that has come for it so far has been looked at. */
  afterAll(wanted: Wanted, then: () => void): void;
  /** Does something, and then what follows from it. */
  around(act: () => void): void;
  /** It is reviewed once what is being done is done. */
  unsettle(wanted: Wanted): void;
  told(wanted: Wanted, isComplete: boolean): void;
}

/**
 * Tells of every subscription once that all that is stored has come: from every relay that it is on, or from those that were in
 * time. What came before the end is delivered before it, and while we are late ourselves, nobody's time runs.
 */
export class StoredEnds {
  readonly #needs: StoredEndsNeeds;

  constructor(needs: StoredEndsNeeds) {
    this.#needs = needs;
  }

  /** The time begins that relays have for it. */
  begin(wanted: Wanted, timeoutMs: number): void {
    wanted.stored.timeoutMs = timeoutMs;
    this.#run(wanted, timeoutMs);
  }

  /** Something has happened to it. */
  review(wanted: Wanted): void {
    const { stored, pending } = wanted;
    if (!stored.isNear && isStoredOver(wanted)) {
      stored.isNear = true;
      this.#needs.afterAll(wanted, () => this.#needs.around(() => this.#end(wanted)));
    }
    if (!stored.isDue || stored.isTold) return;
    // Nobody waits any longer for those who have sent so much that is forged.
    if ([...pending.keys()].every(({ isHeld }) => isHeld)) this.#end(wanted);
  }

  /** It is not told any more. */
  stop({ stored }: Wanted): void {
    stored.cancelTimer?.();
  }

  #run(wanted: Wanted, delayMs: number): void {
    const now = this.#needs.clock.now();
    for (const request of wanted.requests.values()) request.lateness = request.feed.docket.lateness(now);
    this.#setTimer(wanted, delayMs, () => this.#expire(wanted));
  }

  #expire(wanted: Wanted): void {
    const { stored } = wanted;
    const moreMs = graceMs({ ...stored, lateMs: this.#lateMs(wanted) });
    stored.addedMs += moreMs;
    if (moreMs > 0) return this.#run(wanted, moreMs);
    stored.isDue = true;
    this.#needs.unsettle(wanted);
    // Whoever verifies may never come back.
    this.#setTimer(wanted, VERIFY.timeoutMs, () => this.#end(wanted));
  }

  /** For how long since the time began to run we were late with what one of the relays had sent that are waited for. */
  #lateMs({ requests }: Wanted): number {
    const now = this.#needs.clock.now();
    const spans = [...requests.values()].map(({ feed: { docket }, isStoredComplete, lateness }) => {
      const { lateMs, judged } = docket.lateness(now);
      // A verifier that gets nowhere is not waited for, nor is a relay that is not believed for now.
      const counts = !isStoredComplete && !docket.isHeld && judged > lateness.judged;
      return counts ? lateMs - lateness.lateMs : 0;
    });
    return Math.max(0, ...spans);
  }

  #setTimer({ isOver, stored }: Wanted, delayMs: number, act: () => void): void {
    const { clock, around } = this.#needs;
    stored.cancelTimer?.();
    stored.cancelTimer = undefined;
    if (isOver || stored.isTold) return;
    stored.cancelTimer = setAwakeTimeout(
      clock,
      () => {
        stored.cancelTimer = undefined;
        around(act);
      },
      delayMs,
    );
  }

  /** All that had come has been looked at. */
  #end(wanted: Wanted): void {
    const requests = [...wanted.requests.values()];
    const isComplete = requests.length > 0 && requests.every((each) => each.isStoredComplete && !each.hasMore);
    if (isStoredOver(wanted)) return this.#tell(wanted, isComplete);
    // It has moved to another relay meanwhile, which may have more.
    wanted.stored.isNear = false;
    this.#needs.unsettle(wanted);
  }

  #tell(wanted: Wanted, isComplete: boolean): void {
    if (wanted.isOver || wanted.stored.isTold) return;
    wanted.stored.isTold = true;
    this.stop(wanted);
    this.#needs.told(wanted, isComplete);
  }
}

/** Whether the end of what is stored can be told: its time is up, or nobody who is there or on the way has anything to add. */
function isStoredOver({ stored, restTimer, requests }: Wanted): boolean {
  if (stored.isDue) return true;
  if (restTimer !== undefined) return false;
  const all = [...requests.values()];
  const open = all.filter(({ isStoredComplete, record }) => !isStoredComplete && record.state !== 'refused');
  if (open.some(({ feed }) => feed.isPromising)) return false;
  return all.length > 0 && (open.length === 0 || open.length < all.length);
}
