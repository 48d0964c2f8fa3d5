import { RecloserError, readable, shown } from '../../machines/policy/error.ts';
import { PUBLISH_LIMITS } from '../../machines/policy/limits.ts';
import { expiresAfterMs, isPriority, PRIORITIES, type Priority } from '../../machines/policy/priority.ts';
import { checkKeys, checkNumber, type PoolSettings } from '../../machines/policy/settings.ts';
import type { PoolCommand, PublicationListener, PublishOptions } from '../../machines/pool/pool.events.ts';
import type { PublicationFact, RefusalCause } from '../../machines/publication/publication.events.ts';
import type { Clock } from '../clock.ts';
import type { Ledger } from '../delivery/ledger.ts';
import type { Lease, Outbox } from '../delivery/outbox/outbox.ts';
import type { Publication } from '../delivery/publication.ts';
import { emptyReceipt, Waiter } from '../delivery/receipt.ts';
import type { Codec } from '../protocol/codec.ts';
import { keptBody, OutboxConsumer } from './outbox-consumer.ts';

type Publish = Extract<PoolCommand, { type: 'PUBLISH' }>;

export interface PublisherNeeds {
  readonly clock: Clock;
  readonly random: () => number;
  readonly codec: Codec;
  /** Settings as they are now. */
  settings(): PoolSettings;
  readonly ledger: Ledger;
  readonly outbox: Outbox | undefined;
  /** A fact that nobody asked for by name. */
  report(fact: PublicationFact): void;
  /** Tells whoever hears of everything. */
  tell(fact: PublicationFact): void;
  outboxFailed(problem: string): void;
}

/** The door of publishing: checks what is given, keeps it where there is an outbox, and hands it to the books. */
export class Publisher {
  readonly #needs: PublisherNeeds;
  readonly #consumer: OutboxConsumer | undefined;

  constructor(needs: PublisherNeeds) {
    this.#needs = needs;
    this.#consumer = needs.outbox && this.#consume(needs.outbox);
  }

  /** Accepts a PUBLISH, or answers why not. Never throws. */
  accept(command: Publish): void {
    let taken: Publish = { type: 'PUBLISH', event: undefined };
    try {
      // Read once: a command from an application can be anything.
      taken = readable('PUBLISH', () => ({ ...command }));
      this.#accept(
        taken,
        readable('The options of a publish', () => optionsOf(taken.options)),
      );
    } catch (error) {
      this.#reject(taken, error);
    }
  }

  /** Answers a PUBLISH that came too late. */
  refuse(command: Publish): void {
    this.#refuse(command, idOf(command.event), 'closing', 'the pool is closing');
  }

  /** Takes nothing more from the outbox. */
  drain(): void {
    this.#consumer?.drain();
  }

  /** Settles when the outbox has been told everything. */
  async end(): Promise<void> {
    await this.#consumer?.end();
  }

  /** A publication is over without its quorum, and the outbox still has it. */
  undelivered(publication: Publication, lease: Lease): void {
    this.#consumer?.undelivered(publication, lease);
  }

  #accept(command: Publish, options: PublishOptions): void {
    const { replyTo } = command;
    const waiter = command.waiter instanceof Waiter ? command.waiter : undefined;
    const consumer = this.#consumer;
    const event = this.#needs.codec.prepare(command.event);
    const { ledger } = this.#needs;
    ledger.checkSize(event, options);
    const priority = priorityOf(options);
    const { timeoutMs, expiresMs } = this.#deadlines(options, priority);
    if (waiter?.signal?.aborted) return waiter.resolve(emptyReceipt(event.id, 'cancelled'));
    if (ledger.publications.isSuperseded(event)) {
      return this.#refuse(command, event.id, 'superseded', 'a newer version of the event is being published');
    }
    checkKey(options.affinityKey);
    const body = consumer && readable('The options of a publish', () => keptBody(event, options));
    if (!ledger.publications.makeRoomFor(event, priority)) {
      return this.#refuse(command, event.id, 'backpressure', 'too much is open already; wait for receipts');
    }
    ledger.publish({
      event,
      options,
      waiter,
      timeoutMs,
      expiresMs,
      listener: replyTo ? (fact) => reply(replyTo, fact) : waiter ? undefined : (fact) => this.#needs.report(fact),
      ...(consumer && body !== undefined ? { keep: () => consumer.keep(event.id, body, priority) } : {}),
    });
  }

  #consume(outbox: Outbox): OutboxConsumer {
    const { ledger, settings, clock, random } = this.#needs;
    return new OutboxConsumer({
      outbox,
      publications: ledger.publications,
      settings: settings().publish,
      clock,
      random,
      publish: (event, options, lease) => {
        const deadlines = this.#deadlines(options, priorityOf(options));
        const listener = (fact: PublicationFact): void => this.#needs.report(fact);
        ledger.publish({ event, options, ...deadlines, waiter: undefined, listener, lease });
      },
      refused: (id, cause, problem) => {
        ledger.publications.refuse(id, emptyReceipt(id, 'refused', { cause, problem }), {
          type: 'publication.refused',
          id,
          cause,
          problem,
        });
      },
      undeliverable: (id, problem) => {
        this.#refuse({}, id, 'undeliverable', problem);
      },
      failed: (problem) => this.#needs.outboxFailed(problem),
    });
  }

  #deadlines(options: PublishOptions, priority: Priority): { timeoutMs: number; expiresMs: number } {
    const { publish } = this.#needs.settings();
    const timeoutMs = options.timeoutMs ?? publish.timeoutMs;
    const expiresMs = options.expiresMs ?? Math.max(expiresAfterMs(priority, publish), timeoutMs);
    checkNumber('timeoutMs', timeoutMs, PUBLISH_LIMITS.timeoutMs);
    checkNumber('expiresMs', expiresMs, PUBLISH_LIMITS.expiresMs);
    return { timeoutMs: Math.min(timeoutMs, expiresMs), expiresMs };
  }

  #refuse(
    { waiter, replyTo }: Pick<Publish, 'waiter' | 'replyTo'>,
    id: string,
    cause: RefusalCause,
    problem: string,
  ): void {
    const fact: PublicationFact = { type: 'publication.refused', id, cause, problem };
    if (waiter instanceof Waiter) waiter.resolve(emptyReceipt(id, 'refused', { cause, problem }));
    else if (replyTo) reply(replyTo, fact);
    else this.#needs.report(fact);
    this.#needs.tell(fact);
  }

  #reject(command: Publish, error: unknown): void {
    if (command.waiter instanceof Waiter) return command.waiter.reject(error);
    this.#refuse(command, idOf(command.event), 'invalid', error instanceof Error ? error.message : String(error));
  }
}

const PUBLISH_KEYS: readonly (keyof PublishOptions)[] = [
  'relays',
  'quorum',
  'priority',
  'affinityKey',
  'timeoutMs',
  'expiresMs',
];

function priorityOf({ priority = 'normal' }: PublishOptions): Priority {
  if (isPriority(priority)) return priority;
  throw new RecloserError('INVALID_OPTION', `priority is ${shown(priority)}; give one of ${PRIORITIES.join(', ')}.`);
}

function checkKey(key: unknown): void {
  if (key === undefined || typeof key === 'string') return;
  throw new RecloserError('INVALID_OPTION', `affinityKey is ${shown(key)}; give a string.`);
}

function optionsOf(options: unknown): PublishOptions {
  if (options === undefined) return {};
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) {
    checkKeys('publish', options, PUBLISH_KEYS);
    return { ...options };
  }
  throw new RecloserError('INVALID_OPTION', `The options of a publish are ${shown(options)}; give an object.`);
}

/** The id that something claims to have, for telling that it is none. Whatever it is, it may throw. */
function idOf(event: unknown): string {
  try {
    const id = typeof event === 'object' && event !== null && 'id' in event ? event.id : undefined;
    return typeof id === 'string' ? id.slice(0, 64) : '';
  } catch {
    return '';
  }
}

/** Whoever asked for a reply may have stopped, or may never have been an actor. */
function reply(replyTo: PublicationListener, fact: PublicationFact): void {
  try {
    replyTo.send(fact);
  } catch {
    // There is nobody else to tell: the reply was addressed to them alone.
  }
}
