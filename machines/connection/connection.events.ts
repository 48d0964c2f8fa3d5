import type { HealthFact, SocketFact } from '../socket.ts';

/** How a connection came to its end. */
export type ConnectionEnd = 'drained' | 'lost' | 'refused';

export type ConnectionEvent =
  /** It is not needed any more: let what is in flight be answered, and close. */
  { readonly type: 'DRAIN' } | SocketFact | HealthFact;
