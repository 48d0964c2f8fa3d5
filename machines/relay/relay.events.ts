import type { TripTrigger } from '../policy/breaker.ts';
import type { CloseReport } from '../policy/close.ts';
import type { DegradedReason } from '../policy/degraded.ts';
import type { RelaySettings } from '../policy/settings.ts';
import type { NetworkState, RelayStatus } from '../policy/status.ts';

/** What a relay connection is asked to do. */
type RelayCommand =
  /** Dial, and stay connected. Leaves `locked-out`; cannot shorten a backoff. */
  | { readonly type: 'CONNECT' }
  /** Close gracefully, and stay away. */
  | { readonly type: 'DISCONNECT' }
  /** Replace the settings; they hold from the next decision on. */
  | { readonly type: 'CONFIGURE'; readonly settings: RelaySettings }
  /** Whether nothing else serves, so that retries come sooner. */
  | { readonly type: 'SET_URGENCY'; readonly urgent: boolean }
  /** Whether the circuit may open for how the relay answers; too many may have theirs open already. */
  | { readonly type: 'SET_EJECTABLE'; readonly ejectable: boolean }
  /** What is known of our own network. While it is in doubt, nothing that fails is the relay's fault. */
  | { readonly type: 'SET_NETWORK'; readonly network: NetworkState; readonly atMs: number }
  /** Close gracefully, and end. */
  | { readonly type: 'STOP' };

/** Every fact of a session names the generation of its socket; one of an older socket moves nothing. */
interface OfSession {
  readonly generation: number;
}

/** What the socket saw. `socket.closed` comes exactly once, and last. */
export type SocketFact =
  /** Its turn to dial has come. */
  | ({ readonly type: 'socket.dialling' } & OfSession)
  | ({ readonly type: 'socket.opened' } & OfSession)
  /** The first frame arrived: there is somebody on the other side. */
  | ({ readonly type: 'socket.proved' } & OfSession)
  | ({
      readonly type: 'socket.closed';
      readonly report: CloseReport;
      readonly successesAt: readonly number[];
    } & OfSession);

/** What measuring the session showed. Only what can change a state is told. */
export type HealthFact =
  | ({ readonly type: 'health.degraded'; readonly reasons: readonly DegradedReason[] } & OfSession)
  | ({ readonly type: 'health.recovered' } & OfSession)
  /** It owes an answer and says nothing; it says something again; it has been silent for too long. */
  | ({ readonly type: 'link.silent' } & OfSession)
  | ({ readonly type: 'link.heard' } & OfSession)
  | ({ readonly type: 'link.dead'; readonly silentMs: number } & OfSession)
  /** A call failed; with the times of the successes since the last such fact, so that successes cost nothing. */
  | ({ readonly type: 'operation.failed'; readonly successesAt: readonly number[] } & OfSession)
  | ({ readonly type: 'probe.succeeded'; readonly latencyMs: number } & OfSession)
  | ({ readonly type: 'probe.failed'; readonly successesAt: readonly number[] } & OfSession);

export type RelayEvent = RelayCommand | SocketFact | HealthFact;

/** What the socket actor is asked to do. */
export type SocketCommand =
  /** Ask the relay for a sign of life; answered by `probe.succeeded` or `probe.failed`. */
  | { readonly type: 'PROBE' }
  /** The connection is degraded: watch its calls, and tell when they are well again. */
  | { readonly type: 'WATCH' }
  /** Close politely; answered by `socket.closed`. */
  | { readonly type: 'CLOSE' };

/** Why a relay was given up. */
export type GaveUpCause = 'attempts' | 'refused' | 'gone';

/** Why a circuit opened: a rule of the breaker, a trial that failed, or a relay that does not want us. */
export type CircuitCause = TripTrigger | 'trial' | 'refused';

/** What a relay connection reports to its supervisor; without one, it emits it. */
export type RelayFact = {
  readonly url: string;
} /** `retryAtMs`, on the pool's clock, comes with `backoff` and `open-circuit`. */ & (
  | {
      readonly type: 'relay.status-changed';
      readonly status: RelayStatus;
      readonly generation: number;
      readonly retryAtMs?: number;
      /** It is degraded because it is silent, and nothing should be sent there. */
      readonly suspect?: true;
      /** Its circuit was opened, while it was connected, for how it answered; it has not closed since. */
      readonly ejected?: true;
    }
  | { readonly type: 'relay.connected'; readonly generation: number }
  | { readonly type: 'relay.reconnected'; readonly generation: number; readonly attempts: number }
  /** `atMs`, here and below, is on the pool's clock. */
  | { readonly type: 'relay.disconnected'; readonly code: number; readonly reason: string; readonly atMs: number }
  /** It owes an answer and has been silent for longer than it ever is; what is on its way there goes elsewhere. */
  | { readonly type: 'relay.suspected'; readonly atMs: number }
  /** It has said something again. */
  | { readonly type: 'relay.cleared' }
  /** The next attempt comes after `delayMs`; `attempt` counts from 1 since the last settled session. */
  | { readonly type: 'relay.reconnecting'; readonly attempt: number; readonly delayMs: number }
  | { readonly type: 'relay.degraded'; readonly reasons: readonly DegradedReason[] }
  | { readonly type: 'relay.recovered' }
  /** The next trial comes after `delayMs`; `trips` counts open circuits that have not been forgiven. */
  | {
      readonly type: 'relay.circuit-opened';
      readonly cause: CircuitCause;
      readonly trips: number;
      readonly delayMs: number;
    }
  | { readonly type: 'relay.circuit-closed' }
  | { readonly type: 'relay.gave-up'; readonly cause: GaveUpCause }
);
