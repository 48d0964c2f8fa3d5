import { RecloserError } from '../../machines/policy/error.ts';
import { expiresAfterMs, type Priority } from '../../machines/policy/priority.ts';
import { resendDelayMs } from '../../machines/policy/resend.ts';
import type { PublishSettings } from '../../machines/policy/settings.ts';
import type { PublishOptions } from '../../machines/pool/pool.events.ts';
import type { FailureCause, Outcome, RefusalCause } from '../../machines/publication/publication.events.ts';
import type { Clock } from '../clock.ts';
import type { Lease, Outbox } from '../delivery/outbox/outbox.ts';
import type { Publications } from '../delivery/publications.ts';
import type { PreparedEvent } from '../protocol/codec.ts';

export interface OutboxConsumerNeeds {
  readonly outbox: Outbox;
  readonly publications: Publications;
  readonly settings: PublishSettings;
  readonly clock: Clock;
  readonly random: () => number;
  /** Publishes what was kept before a restart. Throws where it cannot be, such as when its relays are not there. */
  publish(event: PreparedEvent, options: PublishOptions, lease: Lease): void;
  /** An event could not be kept. */
  refused(id: string, cause: RefusalCause, problem: string): void;
  /** What was kept before a restart has become a dead letter without having been published. */
  undeliverable(id: string, problem: string): void;
  /** The outbox cannot be read. It is tried again. */
  failed(problem: string): void;
}

/** How a publication ended without its quorum. */
export interface Undelivered {
  readonly status: string;
  readonly failureCause: FailureCause | undefined;
  outcomes(): Readonly<Record<string, Outcome>>;
}

/**
 * Between the books and an outbox: keeps what is published, takes what is handed out to where it waits, and tells the
 * outbox how it ended.
 */
export class OutboxConsumer {
  readonly #needs: OutboxConsumerNeeds;
  readonly #stopping = new AbortController();
  /** Events that are being kept, and have not been handed out. */
  readonly #keeping = new Set<string>();
  /** What the outbox has been told and has not answered yet. */
  readonly #telling = new Set<Promise<unknown>>();
  /** When what cannot be published was first handed out. */
  readonly #strandedAt = new Map<string, number>();
  readonly #running: Promise<void>;
  #retryTimer: unknown;
  #endWait: () => void = () => {};
  #isDraining = false;

  constructor(needs: OutboxConsumerNeeds) {
    this.#needs = needs;
    this.#running = this.#run();
  }

  /** Keeps what `keptBody` made of an event; the books hear when it may be sent, or that it may not. */
  keep(id: string, body: string, priority: Priority): void {
    this.#keeping.add(id);
    const enqueue = async (): Promise<unknown> => this.#needs.outbox.enqueue([{ id, body, priority }]);
    enqueue().catch((error: unknown) => {
      this.#kept(id);
      const isFull = error instanceof RecloserError && error.code === 'OUTBOX_FULL';
      this.#needs.refused(id, isFull ? 'backpressure' : 'not-kept', messageOf(error));
    });
  }

  /** A publication is over, and its outbox still has it. */
  undelivered(publication: Undelivered, lease: Lease): void {
    const { status, failureCause } = publication;
    if (status !== 'failed' || failureCause === 'superseded') return this.#tell(lease.settle());
    if (failureCause === 'closed') return this.#tell(lease.nack({ delayMs: 0, reason: 'the pool closed' }));
    this.#tell(lease.bury(`${failureCause}: ${summary(publication.outcomes())}`));
  }

  /** Nothing more is taken on than what has been accepted. */
  drain(): void {
    this.#isDraining = true;
    this.#checkDrained();
  }

  /** Stops, and settles when the outbox has been told everything. */
  async end(): Promise<void> {
    this.#stopping.abort();
    this.#needs.clock.clearTimeout(this.#retryTimer);
    this.#endWait();
    await this.#running;
    while (this.#telling.size > 0) await Promise.all(this.#telling);
  }

  async #run(): Promise<void> {
    const { outbox, settings, failed } = this.#needs;
    const { signal } = this.#stopping;
    for (let tries = 1; !signal.aborted; tries += 1) {
      try {
        for await (const lease of outbox.lease({ window: settings.publicationsMax, signal })) {
          tries = 1;
          this.#deliver(lease);
        }
        return;
      } catch (error) {
        failed(messageOf(error));
        await this.#wait(this.#retryDelayMs(tries));
      }
    }
  }

  #deliver(lease: Lease): void {
    const { publications, publish, clock, settings } = this.#needs;
    const isKnown = publications.release(lease);
    this.#kept(lease.id);
    if (isKnown) {
      this.#strandedAt.delete(lease.id);
      return;
    }
    const kept = readBody(lease);
    if (!kept) return this.#bury(lease, 'it cannot be read');
    try {
      publish(kept.event, kept.options, lease);
      this.#strandedAt.delete(lease.id);
    } catch (error) {
      // Its relays may be added later.
      const since = this.#strandedAt.get(lease.id) ?? clock.now();
      this.#strandedAt.set(lease.id, since);
      const reason = messageOf(error);
      if (clock.now() - since < (kept.options.expiresMs ?? expiresAfterMs(lease.priority, settings))) {
        return this.#tell(lease.nack({ delayMs: this.#retryDelayMs(lease.attempt), reason }));
      }
      this.#strandedAt.delete(lease.id);
      this.#bury(lease, reason);
    }
  }

  #bury(lease: Lease, reason: string): void {
    this.#tell(lease.bury(reason));
    this.#needs.undeliverable(lease.id, reason);
  }

  #kept(id: string): void {
    this.#keeping.delete(id);
    this.#checkDrained();
  }

  #checkDrained(): void {
    if (this.#isDraining && this.#keeping.size === 0) this.#stopping.abort();
  }

  #tell(told: Promise<void>): void {
    // An outbox that cannot be told delivers once more, which does no harm.
    const safe = told.catch(() => undefined);
    this.#telling.add(safe);
    void safe.then(() => this.#telling.delete(safe));
  }

  #wait(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#endWait = resolve;
      if (this.#stopping.signal.aborted) return resolve();
      this.#retryTimer = this.#needs.clock.setTimeout(resolve, forMs);
    });
  }

  #retryDelayMs(tries: number): number {
    return resendDelayMs(this.#needs.settings, tries, this.#needs.random());
  }
}

/** What is kept of an event and of how it is published. */
export function keptBody({ frame, version }: PreparedEvent, options: PublishOptions): string {
  const { relays, quorum, expiresMs, affinityKey } = options;
  return JSON.stringify({ frame, version, relays, quorum, expiresMs, affinityKey });
}

/** Reads what was kept, by whichever version of this library; nothing where it is not that. */
function readBody({ id, body, priority }: Lease): { event: PreparedEvent; options: PublishOptions } | undefined {
  try {
    const { frame, version, relays, quorum, expiresMs, affinityKey } = JSON.parse(body);
    if (typeof frame !== 'string') return undefined;
    const isVersion = typeof version?.key === 'string' && typeof version?.at === 'number';
    const event = { id, frame, ...(isVersion ? { version: { key: version.key, at: version.at } } : {}) };
    return { event, options: { relays, quorum, expiresMs, affinityKey, priority } };
  } catch {
    return undefined;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const summary = (outcomes: Readonly<Record<string, Outcome>>): string =>
  Object.entries(outcomes)
    .map(([url, outcome]) => `${url} ${outcome.status === 'rejected' ? outcome.refusal.text : outcome.status}`)
    .join(', ')
    .slice(0, 1_000);
