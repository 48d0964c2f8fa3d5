import type { RelaySettings } from '../policy/settings.ts';
import type { HealthFact, SocketFact } from '../socket.ts';

/** How a connection came to its end. */
export type ConnectionEnd = 'drained' | 'lost' | 'refused';

export type ConnectionEvent =
  /** It is not needed any more: let what is in flight be answered, and close. */
  | { readonly type: 'DRAIN' }
  /** The relay's settings have changed. */
  | { readonly type: 'CONFIGURE'; readonly settings: RelaySettings }
  | SocketFact
  | HealthFact;
