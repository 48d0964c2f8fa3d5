import type { Refusal } from '../policy/refusal.ts';
import type { RelayStatus } from '../policy/status.ts';

/** Events of a publication. */
export type PublicationEvent =
  /** A relay accepted; with the distinct hosts that have, and the acceptances that are still missing for the quorums. */
  | { readonly type: 'delivery.accepted'; readonly accepted: number; readonly missing: number }
  /** A relay will not accept, or left; with the number of calls that have their quorum or may still reach it. */
  | { readonly type: 'delivery.rejected'; readonly standing: number }
  /** Another call publishes the same event, perhaps to other relays or with a larger quorum. */
  | { readonly type: 'WIDEN'; readonly quorum: number; readonly missing: number; readonly standing: number }
  | { readonly type: 'CANCEL' }
  | { readonly type: 'deadline.passed' };

/** Outcome at one relay. */
export type Outcome = {
  /** Milliseconds since the event was accepted for publishing. */
  readonly atMs: number;
} /**
 * Waiting to be sent. `relay` and `reason` say why the relay cannot be sent to now, `retryInMs` when it is dialled next;
 * `refusal` is its last answer, after which it is asked again if copies are missing.
 */ & (
  | {
      readonly status: 'queued';
      readonly relay?: RelayStatus;
      readonly reason?: string;
      readonly retryInMs?: number;
      readonly refusal?: Refusal;
    }
  | { readonly status: 'sent' }
  /** `latencyMs` is the time from the last send to the answer; `duplicate` says that the relay had the event already. */
  | { readonly status: 'accepted'; readonly latencyMs: number; readonly duplicate: boolean }
  | { readonly status: 'rejected'; readonly refusal: Refusal }
  /** Sent, and no answer came, for this reason: the relay may have it. */
  | { readonly status: 'unknown'; readonly reason?: string }
  /** Not sent, because the relay does not serve, for this reason. `retryInMs` is the time until it is tried next. */
  | { readonly status: 'skipped'; readonly relay: RelayStatus; readonly reason?: string; readonly retryInMs?: number }
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
