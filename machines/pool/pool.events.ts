import type { ActorRef, Snapshot } from 'xstate';
import type { TripTrigger } from '../policy/breaker.ts';
import type { Priority } from '../policy/priority.ts';
import type { RelayOptions, RunningOptions } from '../policy/settings.ts';
import type { StatedLimits } from '../policy/stated-limits.ts';
import type { PublicationFact } from '../publication/publication.events.ts';
import type { RelayFact } from '../relay/relay.events.ts';
import type { SubscriptionFact } from '../subscription/subscription.events.ts';

/**
 * Which relays a publication goes to: all of the pool, as many as given, those named, as many of those named, or a cluster
 * of the pool's options, as a whole or as many of it.
 */
export type RelayTarget =
  | 'all'
  | number
  | readonly string[]
  | { readonly among: readonly string[]; readonly copies: number }
  | { readonly cluster: string; readonly copies?: number };

/** How one event is published. */
export interface PublishOptions {
  /** Default `all`. */
  readonly relays?: RelayTarget | undefined;
  /** Distinct relays that must accept; `all` means every relay asked. Default 1. */
  readonly quorum?: number | 'all' | undefined;
  /**
   * `critical` goes before everything else; of 13 turns, `high` has 8, `normal` 4 and `low` 1. When the pool is full, what
   * matters less is given up for what matters more, and told so. Default `normal`.
   */
  readonly priority?: Priority | undefined;
  /** Events of the same key go to the same relay while it serves, by the strategy `affinity`. Default: the event's id. */
  readonly affinityKey?: string | undefined;
  /** Milliseconds that the caller waits for its receipt. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds after which the pool gives the publication up. Default: by its priority, and not before `timeoutMs`. */
  readonly expiresMs?: number | undefined;
}

/** Whoever hears how a publication goes. */
export type PublicationListener = ActorRef<Snapshot<unknown>, PublicationFact>;

/** What is subscribed to, and where. */
export interface SubscribeOptions {
  /**
   * Which relays serve it. Default `all`. Of a number, or of as many of some, each that is lost has another take its place.
   */
  readonly relays?: RelayTarget | undefined;
  /** Subscriptions of the same key go to the same relays while those serve, by the strategy `affinity`. Default: its id. */
  readonly affinityKey?: string | undefined;
  /**
   * Of events that replace each other, whether only those are wanted that are newer than what has come already, with the
   * lower id at equal times (NIP-01), or all. Default `newest`.
   */
  readonly versions?: 'newest' | 'all' | undefined;
}

/** Whoever hears what a subscription brings. */
export type SubscriptionListener = ActorRef<Snapshot<unknown>, SubscriptionFact>;

/** What the pool is asked to do. */
export type PoolCommand =
  /** Publish an event. Who asks for no reply can listen to the pool's `publication.*` facts. */
  | {
      readonly type: 'PUBLISH';
      readonly event: unknown;
      readonly options?: PublishOptions;
      /** An actor that is told how it goes, instead of everybody. */
      readonly replyTo?: PublicationListener;
      /** Who waits for the receipt; for the parts of the pool that make promises of it. */
      readonly waiter?: object;
    }
  /** Stop publishing the event with this id. */
  | { readonly type: 'CANCEL'; readonly id: string }
  /** Subscribe. The id names it for `UNSUBSCRIBE`, and takes the place of a subscription of the same name. */
  | {
      readonly type: 'SUBSCRIBE';
      readonly id: string;
      readonly filters: unknown;
      readonly options?: SubscribeOptions;
      /** An actor that is told what comes, instead of everybody. */
      readonly replyTo?: SubscriptionListener;
    }
  | { readonly type: 'UNSUBSCRIBE'; readonly id: string }
  | { readonly type: 'ADD_RELAY'; readonly url: string; readonly options?: RelayOptions }
  | { readonly type: 'REMOVE_RELAY'; readonly url: string }
  /** Change options of one relay, laid over what it has. */
  | { readonly type: 'CONFIGURE_RELAY'; readonly url: string; readonly options: RelayOptions }
  /**
   * Change the options that relays have unless they were given their own, and `balance`, `publish` or `clusters` of the pool.
   */
  | { readonly type: 'CONFIGURE'; readonly options: RunningOptions }
  /** Dial one relay, or all. */
  | { readonly type: 'CONNECT'; readonly url?: string }
  /** Close one connection gracefully, or all. */
  | { readonly type: 'DISCONNECT'; readonly url?: string }
  /** Accept nothing more, finish what is open within `timeoutMs`, then stop. */
  | { readonly type: 'DRAIN'; readonly timeoutMs?: number }
  /** Stop now. What is open is given up, and its callers are told. */
  | { readonly type: 'STOP' };

/** Facts of the data plane. */
type PlaneFact =
  | { readonly type: 'ledger.emptied' }
  /** A caller waits for this relay, or no longer does. */
  | { readonly type: 'plane.need-changed'; readonly url: string; readonly isNeeded: boolean };

/** The outbox cannot be read. It is tried again; what is published meanwhile may be refused. */
type OutboxFact = { readonly type: 'outbox.failed'; readonly problem: string };

/** The verifier has failed; what it was given is asked for again. */
type VerifierFact = { readonly type: 'verifier.failed'; readonly problem: string };

/** What should outlast this process could not be written. It is tried again. */
type StateFact = { readonly type: 'state.failed'; readonly problem: string };

/** An actor of the pool crashed; raised by the pool for itself. */
type CrashFact = { readonly type: 'relay.crashed'; readonly url: string; readonly error: unknown };

/** What the platform, or an application that knows better, says of the network. */
type PlatformFact = { readonly type: 'network.offline' } | { readonly type: 'network.online' };

export type PoolEvent =
  | PoolCommand
  | PlatformFact
  | RelayFact
  | CrashFact
  | PlaneFact
  | OutboxFact
  | StateFact
  | VerifierFact
  | PublicationFact
  | SubscriptionFact
  | { readonly type: `xstate.error.actor.${string}`; readonly error: unknown; readonly actorId: string }
  | { readonly type: `xstate.done.actor.${string}`; readonly output: unknown; readonly actorId: string };

/** The way of the one event of a failover that took longest, in milliseconds from the detected loss: negative before it. */
export interface MovedEvent {
  readonly id: string;
  /** The relay that accepted it. */
  readonly relay: string;
  readonly publishedMs: number;
  /** When it was sent to the relay that failed; left out where that is not known. */
  readonly sentMs?: number;
  readonly movedMs: number;
  readonly acceptedMs: number;
}

/** What the pool reports of itself and of its relays. */
export type PoolFact =
  | RelayFact
  | CrashFact
  | { readonly type: 'relay.added'; readonly url: string }
  /**
   * What was on its way to a relay that fell silent (`silent`), was lost, or became `unfit`, has been accepted by others.
   * Milliseconds count from the detected loss: until the last event was sent elsewhere, and until it was accepted.
   */
  | {
      readonly type: 'relay.failed-over';
      readonly url: string;
      readonly cause: 'silent' | 'lost' | 'unfit';
      readonly to: readonly string[];
      readonly count: number;
      readonly movedMs: number;
      readonly ms: number;
      readonly slowest: MovedEvent;
    }
  /** A relay wants to know who we are, and `authenticate` says never; it knows a key of ours by now; or that came to nothing. */
  | { readonly type: 'relay.auth-requested'; readonly url: string }
  | { readonly type: 'relay.authenticated'; readonly url: string; readonly pubkey: string }
  | { readonly type: 'relay.auth-failed'; readonly url: string; readonly problem: string }
  /** A relay has said what it takes (NIP-11), and is asked for no more. */
  | { readonly type: 'relay.informed'; readonly url: string; readonly limits: StatedLimits }
  /**
   * The write circuit of a relay opened: its answers to events failed, and no event is sent there but trials, the next of
   * which comes after `delayMs`. Its connection and subscriptions go on. Then a trial succeeded.
   */
  | {
      readonly type: 'relay.publishing-suspended';
      readonly url: string;
      readonly cause: TripTrigger | 'trial';
      readonly trips: number;
      readonly delayMs: number;
      readonly reason: string;
    }
  | { readonly type: 'relay.publishing-resumed'; readonly url: string }
  /** The same of requests: relays are preferred that serve them. */
  | {
      readonly type: 'relay.requests-suspended';
      readonly url: string;
      readonly cause: TripTrigger | 'trial';
      readonly trips: number;
      readonly delayMs: number;
      readonly reason: string;
    }
  | { readonly type: 'relay.requests-resumed'; readonly url: string }
  /** An event was lost with its connection each time that it was sent there, and is not sent there any more. */
  | { readonly type: 'relay.event-given-up'; readonly url: string; readonly id: string; readonly reason: string }
  /** The relay closed its connection because a message of this size was too large; such messages are not sent there. */
  | { readonly type: 'relay.limit-learned'; readonly url: string; readonly frameBytesMax: number }
  | { readonly type: 'relay.removed'; readonly url: string }
  | { readonly type: 'relay.restarted'; readonly url: string; readonly restarts: number }
  /** The relay crashed too often and stays down until it is removed and added again. */
  | { readonly type: 'relay.abandoned'; readonly url: string }
  /** No relay can be reached. What was accepted is kept. */
  | { readonly type: 'pool.stranded' }
  /** A relay can be reached again. */
  | { readonly type: 'pool.recovered' }
  /** So few relays serve that none can be spared: none is put aside for how it answers, and the others retry sooner. */
  | { readonly type: 'pool.strained'; readonly routable: number; readonly total: number }
  /** Enough relays serve again. */
  | { readonly type: 'pool.relieved' }
  | OutboxFact
  | StateFact
  | VerifierFact
  /** So many relays failed at one time that it must be our own network; or the platform says that it is gone. */
  | { readonly type: 'pool.network-suspected'; readonly relays: number }
  | { readonly type: 'pool.network-offline' }
  | { readonly type: 'pool.network-recovered' }
  /** A command could not be carried out. */
  | { readonly type: 'pool.command-refused'; readonly command: string; readonly problem: string }
  | { readonly type: 'pool.draining' }
  | { readonly type: 'pool.closed' };
