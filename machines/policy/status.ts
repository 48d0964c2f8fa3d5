/** What a relay connection is doing, as one word. */
export type RelayStatus =
  | 'idle'
  | 'connecting'
  | 'connected'
  | 'degraded'
  | 'half-open'
  | 'closing'
  | 'backoff'
  | 'open-circuit'
  | 'locked-out'
  | 'stopped';

/** Whether messages of users may be sent there now. */
export const isRoutable = (status: RelayStatus): boolean => status === 'connected' || status === 'degraded';

/** Whether the relay will not be dialled again unless somebody asks. */
export const isOutOfService = (status: RelayStatus): boolean => status === 'locked-out' || status === 'stopped';
