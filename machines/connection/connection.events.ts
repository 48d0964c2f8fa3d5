import type { HealthFact, SocketFact } from '../socket.ts';

/** How a connection came to its end. */
export type ConnectionEnd = 'drained' | 'lost' | 'refused';

/** What a further connection is asked to do. */
export type ConnectionCommand =
  /** Let what is in flight be answered, and close. */
  { readonly type: 'DRAIN' };

export type ConnectionEvent = ConnectionCommand | SocketFact | HealthFact;
