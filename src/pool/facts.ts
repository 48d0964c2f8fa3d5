import { shown as formatValue, RecloserError } from '../../machines/policy/error.ts';
import { nearestName } from '../../machines/policy/nearest.ts';
import type { PoolFact } from '../../machines/pool/pool.events.ts';
import type { PublicationFact } from '../../machines/publication/publication.events.ts';
import type { SubscriptionFact } from '../../machines/subscription/subscription.events.ts';
import type { Step } from '../steps.ts';

/** A frame as it came from a relay. Told only to who asks for it by its name, and not to who hears everything. */
export interface FrameFact {
  readonly type: 'relay.frame';
  readonly url: string;
  readonly frame: string | Uint8Array;
}

/**
 * A publication, a delivery, a subscription at a relay or an authentication took a step of its chart. Told only to who asks
 * for it by its name. The context is the record's own: it goes on changing, so copy what is needed.
 */
export interface StepFact extends Step {
  readonly type: 'record.stepped';
}

/** Everything that a pool tells, by type. */
export type Fact = PoolFact | PublicationFact | SubscriptionFact | FrameFact | StepFact;
export type FactOf<Type extends Fact['type']> = Extract<Fact, { type: Type }>;

/** Every type of fact, for checking the names that applications listen to. */
const FACT_TYPES = {
  'relay.status-changed': true,
  'relay.connected': true,
  'relay.reconnected': true,
  'relay.disconnected': true,
  'relay.suspected': true,
  'relay.cleared': true,
  'relay.reconnecting': true,
  'relay.degraded': true,
  'relay.recovered': true,
  'relay.circuit-opened': true,
  'relay.circuit-closed': true,
  'relay.gave-up': true,
  'relay.resized': true,
  'relay.crashed': true,
  'relay.added': true,
  'relay.failed-over': true,
  'relay.auth-requested': true,
  'relay.authenticated': true,
  'relay.auth-failed': true,
  'relay.informed': true,
  'relay.publishing-suspended': true,
  'relay.publishing-resumed': true,
  'relay.requests-suspended': true,
  'relay.requests-resumed': true,
  'relay.event-given-up': true,
  'relay.limit-learned': true,
  'relay.removed': true,
  'relay.restarted': true,
  'relay.abandoned': true,
  'relay.frame': true,
  'pool.stranded': true,
  'pool.recovered': true,
  'pool.strained': true,
  'pool.relieved': true,
  'pool.network-suspected': true,
  'pool.network-offline': true,
  'pool.network-recovered': true,
  'pool.command-refused': true,
  'pool.draining': true,
  'pool.closed': true,
  'outbox.failed': true,
  'state.failed': true,
  'verifier.failed': true,
  'publication.accepted': true,
  'publication.refused': true,
  'publication.acknowledged': true,
  'publication.confirmed': true,
  'publication.failed': true,
  'publication.cancelled': true,
  'publication.completed': true,
  'delivery.hedged': true,
  'delivery.settled': true,
  'subscription.accepted': true,
  'subscription.refused': true,
  'subscription.event': true,
  'subscription.eose': true,
  'subscription.status-changed': true,
  'subscription.closed': true,
  'record.stepped': true,
} as const satisfies Record<Fact['type'], true>;

/** Throws `INVALID_OPTION` for what is no type of fact, or no function that listens to it. */
export function checkListener(type: unknown, listener: unknown): void {
  if (typeof type !== 'string' || (type !== '*' && !Object.hasOwn(FACT_TYPES, type))) {
    const nearest = typeof type === 'string' ? nearestName(type, Object.keys(FACT_TYPES)) : undefined;
    const hint = nearest === undefined ? "Give one of the types of Fact, or '*'" : `Did you mean ${nearest}?`;
    throw new RecloserError('INVALID_OPTION', `There is no fact ${formatValue(type)}. ${hint}`);
  }
  if (typeof listener === 'function') return;
  throw new RecloserError('INVALID_OPTION', `The listener of ${type} is ${formatValue(listener)}; give a function.`);
}

/** So many, and so large, that who hears everything does not hear these. */
const ONLY_BY_NAME: ReadonlySet<string> = new Set(['relay.frame', 'record.stepped'] satisfies Fact['type'][]);

type Handler = (fact: Fact) => void;

/** Calls listeners by type. One that throws harms nobody: its error surfaces as uncaught, as if it had run alone. */
export class FactEmitter {
  readonly #handlers = new Map<string, Set<Handler>>();

  on(type: string, handler: Handler): () => void {
    let handlers = this.#handlers.get(type);
    if (!handlers) {
      handlers = new Set();
      this.#handlers.set(type, handlers);
    }
    // Wrapped, so that the same function can be added twice and taken away once.
    const entry: Handler = (fact) => handler(fact);
    handlers.add(entry);
    return () => {
      handlers.delete(entry);
      if (handlers.size === 0) this.#handlers.delete(type);
    };
  }

  /** Whether somebody listens to this very type. */
  hearsOf(type: string): boolean {
    return this.#handlers.has(type);
  }

  /** Whether somebody listens to any fact with one of these prefixes, or to everything. */
  hears(prefixes: readonly string[]): boolean {
    for (const type of this.#handlers.keys()) {
      if (type === '*' || prefixes.some((prefix) => type.startsWith(prefix))) return true;
    }
    return false;
  }

  emit(fact: Fact): void {
    this.#call(fact.type, fact);
    if (!ONLY_BY_NAME.has(fact.type)) this.#call('*', fact);
  }

  clear(): void {
    this.#handlers.clear();
  }

  #call(type: string, fact: Fact): void {
    for (const handler of this.#handlers.get(type) ?? []) {
      try {
        handler(fact);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
