import type {
  ReceivedEvent,
  SubscriptionEnd,
  SubscriptionStanding,
} from '../../machines/subscription/subscription.events.ts';
import type { AbortSignals } from '../abort-signals.ts';
import type { Clock } from '../clock.ts';
import type { NostrEvent } from '../protocol/nostr/event.ts';
import { Reader, type WhenFull } from './reader.ts';
import type { Sink, Wanted } from './wanted.ts';

/** An event as an application receives it. It is verified, frozen, and comes once however many relays send it. */
export type Received = ReceivedEvent<NostrEvent>;

/** What an application does with what comes. One of these that throws surfaces as an uncaught error and harms nobody else. */
export interface SubscriptionHandlers {
  /** Where it is left out, events wait for a reader of the async iterator, of whom `bufferMax` and `whenFull` are about. */
  readonly onEvent?: ((received: Received) => void) | undefined;
  /**
   * Called once: all that was stored has come, from every relay that the subscription is on (`complete`) or from those
   * that were in time. Every event that came before it has been verified and delivered, but for those of relays that have
   * forged so many that the rest waits.
   */
  readonly onEose?: ((complete: boolean) => void) | undefined;
  /** Called once, when nothing more will come. */
  readonly onClosed?: ((cause: SubscriptionEnd) => void) | undefined;
}

/** A subscription, for as long as it is wanted: relays may come and go meanwhile. */
export interface Subscription extends AsyncIterable<Received, undefined>, Disposable {
  readonly id: string;
  readonly isClosed: boolean;
  /** Events that were delivered, and that were not because their reader was slow (with `whenFull: 'drop-oldest'`). */
  readonly delivered: number;
  readonly dropped: number;
  /**
   * How it stands at each relay that it is on, by URL: a relay that does not serve it says why. Once it is closed, how it stood
   * last.
   */
  status(): Readonly<Record<string, SubscriptionStanding>>;
  /**
   * The relays that have sent an event of this id, as far as it is remembered: of the last 50,000 at least. What is sent after it
   * was delivered is not looked at, and counts by its id alone. Once it is closed, for whatever
   * reason, nothing is remembered of more than 4,096; `onClosed` can still ask.
   */
  relaysOf(id: string): readonly string[];
  close(): void;
}

export interface LiveSubscriptionNeeds extends SubscriptionHandlers {
  readonly id: string;
  readonly clock: Clock;
  readonly bufferMax: number;
  readonly whenFull: WhenFull;
  readonly signal: AbortSignal | undefined;
  readonly signals: AbortSignals;
  end(wanted: Wanted, cause: SubscriptionEnd): void;
}

/** Calls back an application; what it throws is its own affair. */
function call<Given>(handler: ((given: Given) => void) | undefined, given: Given): void {
  try {
    handler?.(given);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Between a wanted subscription and the application. */
export class LiveSubscription implements Subscription, Sink {
  readonly id: string;
  isClosed = false;
  readonly #needs: LiveSubscriptionNeeds;
  readonly #readers = new Set<Reader<Received>>();
  /** Reads from the beginning, where nobody else hears of events. */
  #first: Reader<Received> | undefined;
  #wanted: Wanted | undefined;
  readonly #last = new Map<string, SubscriptionStanding>();
  #dropped = 0;
  /** Takes the callback of its signal away. */
  #release: (() => void) | undefined;

  constructor(needs: LiveSubscriptionNeeds) {
    this.id = needs.id;
    this.#needs = needs;
    if (!needs.onEvent) this.#first = this.#read();
  }

  /** It is wanted from now on. */
  begin(wanted: Wanted): void {
    this.#wanted = wanted;
    const { signal, signals } = this.#needs;
    if (signal?.aborted) return this.close();
    if (signal && !this.isClosed) this.#release = signals.onAbort(signal, () => this.close());
  }

  get delivered(): number {
    return this.#wanted?.delivered ?? 0;
  }

  get dropped(): number {
    return [...this.#readers].reduce((sum, reader) => sum + reader.dropped, this.#dropped);
  }

  status(): Readonly<Record<string, SubscriptionStanding>> {
    const now = this.#needs.clock.now();
    if (this.#wanted?.isOver !== false) return Object.fromEntries(this.#last);
    return Object.fromEntries([...this.#wanted.requests].map(([{ url }, request]) => [url, request.standing(now)]));
  }

  relaysOf(id: string): readonly string[] {
    return this.#wanted?.seen.relaysOf(id) ?? [];
  }

  close(): void {
    if (this.#wanted && !this.isClosed) this.#needs.end(this.#wanted, 'closed');
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Received, undefined> {
    const first = this.#first;
    this.#first = undefined;
    return first ?? this.#read();
  }

  event(received: ReceivedEvent): void {
    const given = received as Received;
    call(this.#needs.onEvent, given);
    if (this.#readers.size > 0) for (const reader of this.#readers) reader.push(given);
  }

  stored(complete: boolean): void {
    call(this.#needs.onEose, complete);
  }

  // When it is over, it is closed everywhere, which says nothing: what was before is what is worth knowing.
  changed(relay: string, standing: SubscriptionStanding): void {
    if (standing.state !== 'closed') this.#last.set(relay, standing);
    else if (this.#wanted?.isOver === false) this.#last.delete(relay);
  }

  counted(): void {}

  closed(cause: SubscriptionEnd): void {
    this.isClosed = true;
    this.#release?.();
    for (const reader of this.#readers) reader.end();
    call(this.#needs.onClosed, cause);
  }

  #read(): Reader<Received> {
    const { bufferMax, whenFull, onEvent } = this.#needs;
    const reader: Reader<Received> = new Reader({
      bufferMax,
      whenFull,
      overrun: () => {
        if (this.#wanted) this.#needs.end(this.#wanted, 'buffer-full');
      },
      stopped: () => {
        this.#dropped += reader.dropped;
        this.#readers.delete(reader);
        // Whoever leaves the loop that all of it was for wants nothing more.
        if (!onEvent && this.#readers.size === 0) this.close();
      },
    });
    if (this.isClosed) reader.end();
    else this.#readers.add(reader);
    return reader;
  }
}
