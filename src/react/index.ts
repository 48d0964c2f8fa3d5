export type { PoolStatus, RelayConnection, RelayHealth } from './pool-store.ts';
export { RelaySettings, type RelaySettingsProps } from './relay-settings.tsx';
export { RelayStatus, type RelayStatusProps } from './relay-status.tsx';
export { usePoolStatus } from './use-pool-status.ts';
export { type Relay, type RelayMessage, type RelayPool, useRelayPool } from './use-relay-pool.ts';
