import { budgetAfterForged, type ForgeryBudget, FULL_BUDGET } from '../../machines/policy/forgery.ts';
import { VERIFIED_KEPT, VERIFY } from '../../machines/policy/limits.ts';
import type { Clock } from '../clock.ts';
import type { Verifier } from '../protocol/verifier.ts';

/** `failed` says nothing of the event: the verifier has failed. */
export type Verdict = 'genuine' | 'forged' | 'failed';

export interface VerificationNeeds {
  readonly clock: Clock;
  readonly verifier: Verifier;
  /** Whether two events are the same in every part. */
  isSame(one: unknown, other: unknown): boolean;
  /** The verifier has failed. */
  failed(problem: string): void;
  /** A relay has wasted so much of our time that what it has sent waits. */
  held(docket: Docket): void;
}

/** Something that waits for its turn: an event for its verdict, or what has to come after all that came before it. */
interface Entry {
  readonly id: string;
  readonly event: unknown;
  verdict: Verdict | undefined;
  isAsked: boolean;
  /** The same events from elsewhere, for which this one is verified too. */
  followers: Entry[] | undefined;
  readonly docket: Docket;
  settle(verdict: Verdict): void;
}

/** How late we are with what a relay has sent: so many milliseconds so far, in which so many events were judged. */
export interface Lateness {
  readonly lateMs: number;
  readonly judged: number;
}

/** What came from one relay, in its order. */
export class Docket {
  /** All that waits, the oldest first; and what has to be given to the verifier for it. */
  readonly entries = new Set<Entry>();
  readonly unasked = new Set<Entry>();
  /** Events among them. */
  events = 0;
  isDraining = false;
  /** How much time may still be wasted on it; and whether it waits because that was enough. */
  budget: ForgeryBudget = FULL_BUDGET;
  isHeld = false;
  /** Events of which it was found out whether they are genuine; and milliseconds in which some waited for that. */
  judged = 0;
  #lateMs = 0;
  #lateSinceMs: number | undefined;

  /** Events and marks that wait. */
  get size(): number {
    return this.entries.size;
  }

  /** Up to now. It is not us who are late where a relay has wasted our time. */
  lateness(now: number): Lateness {
    const lateMs = this.#lateMs + (this.#lateSinceMs === undefined ? 0 : now - this.#lateSinceMs);
    return { lateMs, judged: this.judged };
  }

  /** Something waits from now on, or nothing more does. */
  noteLateness(now: number): void {
    const isLate = this.size > 0 && !this.isHeld;
    if (isLate === (this.#lateSinceMs !== undefined)) return;
    this.#lateMs = this.lateness(now).lateMs;
    this.#lateSinceMs = isLate ? now : undefined;
  }
}

/**
 * Has events verified: in the order of each relay, in turns between relays, in short goes so that nothing else waits for
 * long, and the same event only once. A relay that sends what nobody signed waits once it has wasted enough of our time.
 * What is not known to be genuine is remembered by nobody.
 */
export class Verification {
  readonly #needs: VerificationNeeds;
  /** Dockets with something to verify, in turns. */
  readonly #waiting = new Set<Docket>();
  /** What is being verified or waits for it, by id. */
  readonly #pending = new Map<string, Entry>();
  /** Genuine ones, for as long as they are likely to come again. */
  #young = new Map<string, unknown>();
  #old = new Map<string, unknown>();
  #timer: unknown;
  #open = 0;
  /** Timers of verifiers that may hang, and of dockets that wait. */
  readonly #deadlines = new Set<unknown>();
  #ended = false;
  /** Events that were given to the verifier. */
  count = 0;

  constructor(needs: VerificationNeeds) {
    this.#needs = needs;
  }

  /** Settles an event with its verdict, after everything that this relay sent before it. */
  submit(docket: Docket, id: string, event: unknown, settle: (verdict: Verdict) => void): void {
    if (this.#isKnown(id, event)) return this.after(docket, () => settle('genuine'));
    const entry: Entry = { id, event, verdict: undefined, isAsked: false, followers: undefined, docket, settle };
    this.#enter(docket, entry);
    docket.events += 1;
    const leader = this.#pending.get(id);
    if (leader && this.#needs.isSame(leader.event, event)) {
      leader.followers ??= [];
      leader.followers.push(entry);
      // Whichever relay has its turn first: nobody waits behind what another one sends.
      return this.#want(docket, leader);
    }
    if (!leader) this.#pending.set(id, entry);
    this.#want(docket, entry);
  }

  #want(docket: Docket, entry: Entry): void {
    if (entry.isAsked) return;
    docket.unasked.add(entry);
    if (docket.isHeld) return;
    this.#waiting.add(docket);
    this.#schedule();
  }

  /** Calls back after everything that this relay sent before. */
  after(docket: Docket, settle: () => void): void {
    if (docket.size === 0 && !docket.isDraining) return settle();
    this.#enter(docket, {
      id: '',
      event: undefined,
      verdict: 'genuine',
      isAsked: true,
      followers: undefined,
      docket,
      settle,
    });
  }

  #enter(docket: Docket, entry: Entry): void {
    docket.entries.add(entry);
    if (docket.size === 1) docket.noteLateness(this.#needs.clock.now());
  }

  /** Forgets everything; nobody hears any more. */
  end(): void {
    this.#ended = true;
    this.#needs.clock.clearTimeout(this.#timer);
    for (const timer of this.#deadlines) this.#needs.clock.clearTimeout(timer);
    this.#waiting.clear();
    this.#pending.clear();
  }

  #isKnown(id: string, event: unknown): boolean {
    const known = this.#young.get(id) ?? this.#old.get(id);
    return known !== undefined && this.#needs.isSame(known, event);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#ended || this.#open >= this.#needs.verifier.parallel) return;
    this.#timer = this.#needs.clock.setTimeout(() => {
      this.#timer = undefined;
      this.#go();
    }, 0);
  }

  #go(): void {
    const { clock, verifier } = this.#needs;
    const until = clock.now() + VERIFY.sliceMs;
    while (this.#waiting.size > 0 && this.#open < verifier.parallel && !this.#ended) {
      this.#ask(this.#take(verifier.batchMax));
      if (clock.now() >= until) break;
    }
    if (this.#waiting.size > 0) this.#schedule();
  }

  /** One from each relay in turn. */
  #take(most: number): Entry[] {
    const batch: Entry[] = [];
    while (batch.length < most && this.#waiting.size > 0) {
      for (const docket of this.#waiting) {
        const entry = nextOf(docket);
        // Whoever has had a turn goes to the end of the row.
        this.#waiting.delete(docket);
        if (docket.unasked.size > 0) this.#waiting.add(docket);
        if (!entry) continue;
        entry.isAsked = true;
        batch.push(entry);
        break;
      }
    }
    return batch;
  }

  #ask(batch: readonly Entry[]): void {
    if (batch.length === 0) return;
    const { clock, verifier, failed } = this.#needs;
    this.count += batch.length;
    let timer: unknown;
    let isOver = false;
    const end = (verdicts: readonly boolean[] | undefined, problem: string): void => {
      // What comes after its time has been given up.
      if (isOver) return;
      isOver = true;
      clock.clearTimeout(timer);
      this.#deadlines.delete(timer);
      this.#open -= 1;
      if (this.#ended) return;
      const isComplete = verdicts?.length === batch.length;
      if (!isComplete) failed(problem);
      this.#judge(batch, isComplete ? verdicts : undefined);
      if (this.#waiting.size > 0) this.#schedule();
    };
    const take = (verdicts: readonly boolean[]): void =>
      end(verdicts, `${verifier.name} gave ${verdicts?.length} verdicts for ${batch.length} events`);
    const fail = (error: unknown): void => end(undefined, `${verifier.name} failed: ${String(error)}`);
    this.#open += 1;
    try {
      const answer = verifier.verify(batch.map(({ event }) => event));
      if (!('then' in answer)) return take(answer);
      timer = clock.setTimeout(() => fail(`no verdict in ${VERIFY.timeoutMs} ms`), VERIFY.timeoutMs);
      this.#deadlines.add(timer);
      answer.then(take, fail);
    } catch (error) {
      fail(error);
    }
  }

  #judge(batch: readonly Entry[], verdicts: readonly boolean[] | undefined): void {
    const dockets = new Set<Docket>();
    batch.forEach((entry, index) => {
      const verdict = verdicts === undefined ? 'failed' : verdicts[index] === true ? 'genuine' : 'forged';
      if (verdict === 'genuine') this.#keep(entry);
      if (this.#pending.get(entry.id) === entry) this.#pending.delete(entry.id);
      const same = [entry, ...(entry.followers ?? [])];
      for (const each of same) {
        each.verdict = verdict;
        each.docket.unasked.delete(entry);
        dockets.add(each.docket);
      }
      // All that have sent it, or several could lend each other turns.
      if (verdict === 'forged') for (const docket of new Set(same.map((each) => each.docket))) this.#charge(docket);
    });
    for (const docket of dockets) this.#drain(docket);
    // What was found out together with it has been told by now.
    for (const docket of dockets) if (docket.isHeld) this.#needs.held(docket);
  }

  #charge(docket: Docket): void {
    const { clock } = this.#needs;
    const { budget, waitMs } = budgetAfterForged(docket.budget, clock.now());
    docket.budget = budget;
    if (waitMs === 0 || docket.isHeld) return;
    docket.isHeld = true;
    docket.noteLateness(clock.now());
    this.#waiting.delete(docket);
    const timer = clock.setTimeout(() => {
      this.#deadlines.delete(timer);
      docket.isHeld = false;
      docket.noteLateness(clock.now());
      if (docket.unasked.size === 0) return;
      this.#waiting.add(docket);
      this.#schedule();
    }, waitMs);
    this.#deadlines.add(timer);
  }

  #keep({ id, event }: Entry): void {
    this.#young.set(id, event);
    if (this.#young.size < VERIFIED_KEPT) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  #drain(docket: Docket): void {
    if (docket.isDraining) return;
    docket.isDraining = true;
    try {
      for (const entry of docket.entries) {
        if (entry.verdict === undefined) return;
        docket.entries.delete(entry);
        if (entry.event !== undefined) docket.events -= 1;
        if (entry.event !== undefined && entry.verdict !== 'failed') docket.judged += 1;
        entry.settle(entry.verdict);
      }
    } finally {
      docket.isDraining = false;
      docket.noteLateness(this.#needs.clock.now());
    }
  }
}

/** What is given to the verifier next, and leaves; nothing where all of it has been, in somebody else's turn. */
function nextOf({ unasked }: Docket): Entry | undefined {
  for (const entry of unasked) {
    unasked.delete(entry);
    if (!entry.isAsked) return entry;
  }
  return undefined;
}
