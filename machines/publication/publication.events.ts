import type { Refusal } from '../policy/refusal.ts';
import type { RelayStatus } from '../policy/status.ts';

/** What a publication hears from its deliveries, its caller and its clock. */
export type PublicationEvent =
  /** A relay accepted; with the distinct hosts that have accepted by now. */
  | { readonly type: 'delivery.accepted'; readonly accepted: number }
  /** A relay will not accept, or left; with the distinct hosts that have not accepted and still may. */
  | { readonly type: 'delivery.rejected'; readonly open: number }
  /** Another caller published the same event, perhaps to more relays or with a larger quorum. */
  | { readonly type: 'WIDEN'; readonly quorum: number; readonly open: number }
  | { readonly type: 'CANCEL' }
  | { readonly type: 'deadline.passed' };

/** How it went at one relay. */
export type Outcome = {
  /** Milliseconds since the event was accepted for publishing. */
  readonly atMs: number;
} & (
  | { readonly status: 'queued' | 'sent' }
  /** `latencyMs` is the time from the last send to the answer; `duplicate` when the relay had it already. */
  | { readonly status: 'accepted'; readonly latencyMs: number; readonly duplicate: boolean }
  | { readonly status: 'rejected'; readonly refusal: Refusal }
  /** Sent, and no answer came: it may be stored there. */
  | { readonly status: 'unknown' }
  /** Not sent, because the relay does not serve. `retryInMs` is when it will be tried again, where that is known. */
  | { readonly status: 'skipped'; readonly relay: RelayStatus; readonly retryInMs?: number }
);

export type PublicationStatus = 'pending' | 'partly-confirmed' | 'confirmed' | 'failed' | 'cancelled';

/**
 * Why a publication failed: the quorum is out of reach, time is up, the pool closed (with an outbox it is published after a
 * restart), what matters more needed its place, or a newer version of the event is published instead.
 */
export type FailureCause = 'rejected' | 'expired' | 'closed' | 'evicted' | 'superseded';

/**
 * Why a publication was not accepted at all. Nothing was sent. `not-kept`: its outbox failed, such as on a full disk;
 * `undeliverable`: its outbox has it from before a restart, but it cannot be read, or its relays are not there; it is a
 * dead letter now.
 */
export type RefusalCause = 'backpressure' | 'closing' | 'invalid' | 'superseded' | 'not-kept' | 'undeliverable';

interface OfPublication {
  readonly id: string;
}

/** What is reported of a publication. */
export type PublicationFact =
  /** It will be sent. `durability` says what that survives: nothing, this process, or the loss of power. */
  | ({
      readonly type: 'publication.accepted';
      readonly relays: number;
      readonly quorum: number;
      readonly durability: 'none' | 'process-crash' | 'power-loss';
    } & OfPublication)
  | ({ readonly type: 'publication.refused'; readonly cause: RefusalCause; readonly problem: string } & OfPublication)
  /** The first relay accepted. */
  | ({ readonly type: 'publication.acknowledged'; readonly relay: string; readonly latencyMs: number } & OfPublication)
  /** The quorum accepted. */
  | ({ readonly type: 'publication.confirmed'; readonly latencyMs: number } & OfPublication)
  | ({
      readonly type: 'publication.failed';
      readonly cause: FailureCause;
      readonly outcomes: Readonly<Record<string, Outcome>>;
    } & OfPublication)
  | ({ readonly type: 'publication.cancelled' } & OfPublication)
  /** The last outcome is known, and nothing more will be sent. */
  | ({
      readonly type: 'publication.completed';
      readonly status: PublicationStatus;
      readonly outcomes: Readonly<Record<string, Outcome>>;
    } & OfPublication)
  /** A relay is late with its answer, `afterMs` after the event was sent to it, and another one is asked as well. */
  | ({
      readonly type: 'delivery.hedged';
      readonly relay: string;
      readonly to: string;
      readonly afterMs: number;
    } & OfPublication)
  /** One relay's outcome became known, or was upgraded by a late answer. */
  | ({ readonly type: 'delivery.settled'; readonly relay: string; readonly outcome: Outcome } & OfPublication);
