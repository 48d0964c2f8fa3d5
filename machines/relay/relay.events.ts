import type { TripTrigger } from '../policy/breaker.ts';
import type { DegradedReason } from '../policy/degraded.ts';
import type { RelaySettings } from '../policy/settings.ts';
import type { NetworkState, RelayStatus } from '../policy/status.ts';
import type { HealthFact, SocketFact } from '../socket.ts';

/** What a relay connection is asked to do. */
type RelayCommand =
  /** Dial, and stay connected. Leaves `locked-out`; cannot shorten a backoff. */
  | { readonly type: 'CONNECT' }
  /** Close gracefully, and stay away. */
  | { readonly type: 'DISCONNECT' }
  /** Replace the settings; they hold from the next decision on. */
  | { readonly type: 'CONFIGURE'; readonly settings: RelaySettings }
  /** Retry sooner: too few relays serve, or a caller waits for this one. */
  | { readonly type: 'SET_URGENCY'; readonly urgent: boolean }
  /** Whether the circuit may open for how the relay answers; too many may have theirs open already. */
  | { readonly type: 'SET_EJECTABLE'; readonly ejectable: boolean }
  /** What is known of our own network. While it is in doubt, nothing that fails is the relay's fault. */
  | { readonly type: 'SET_NETWORK'; readonly network: NetworkState; readonly atMs: number }
  /** The network is back: end every wait and lock-out that it can have caused. */
  | { readonly type: 'RETURN_TO_NETWORK' }
  /** Close gracefully, and end. */
  | { readonly type: 'STOP' };

export type RelayEvent = RelayCommand | SocketFact | HealthFact;

/** End of a session or an attempt as people read it. */
export interface RelayEnd {
  /** One line: the system's error code, the HTTP status, or the close code and text. */
  readonly reason: string;
  /** Close code of RFC 6455; 1006 if no Close frame arrived. */
  readonly code: number;
  /** Code of the platform's error, such as `ECONNREFUSED`. */
  readonly errorCode?: string;
  /** Status of the HTTP response that refused the upgrade. */
  readonly httpStatus?: number;
  /** Milliseconds of the pool's clock. */
  readonly atMs: number;
}

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
      /** End of the last session or attempt, in one line; comes with every status without a connection. */
      readonly reason?: string;
    }
  | { readonly type: 'relay.connected'; readonly generation: number }
  | { readonly type: 'relay.reconnected'; readonly generation: number; readonly attempts: number }
  /** `atMs`, here and below, is on the pool's clock. */
  | ({ readonly type: 'relay.disconnected' } & RelayEnd)
  /** It owes an answer and has been silent for longer than it ever is; what is on its way there goes elsewhere. */
  | { readonly type: 'relay.suspected'; readonly atMs: number }
  /** It has said something again. */
  | { readonly type: 'relay.cleared' }
  /** The next attempt comes after `delayMs`; `attempt` counts from 1 since the last settled session. */
  | { readonly type: 'relay.reconnecting'; readonly attempt: number; readonly delayMs: number; readonly reason: string }
  | { readonly type: 'relay.degraded'; readonly reasons: readonly DegradedReason[] }
  | { readonly type: 'relay.recovered' }
  /** The next trial comes after `delayMs`; `trips` counts open circuits that have not been forgiven. */
  | {
      readonly type: 'relay.circuit-opened';
      readonly cause: CircuitCause;
      readonly trips: number;
      readonly delayMs: number;
      readonly reason: string;
    }
  | { readonly type: 'relay.circuit-closed' }
  | { readonly type: 'relay.gave-up'; readonly cause: GaveUpCause; readonly reason: string }
  /** It has so many connections now, or dials them; told where it may have more than one. They all end with its first. */
  | { readonly type: 'relay.resized'; readonly connections: number }
);
