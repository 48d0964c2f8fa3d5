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
  | 'paused'
  | 'locked-out'
  | 'stopped';

/** Whether messages of users may be sent there now. */
export const isRoutable = (status: RelayStatus): boolean => status === 'connected' || status === 'degraded';

/** Whether the relay will not be dialled again unless somebody asks. */
export const isOutOfService = (status: RelayStatus): boolean => status === 'locked-out' || status === 'stopped';

/** Our own way to all relays: well, in doubt because many failed at once, or gone by what the platform says. */
export type NetworkState = 'well' | 'suspect' | 'offline';
