import { useSyncExternalStore } from 'react';
import type { Pool } from '../index.ts';
import { NO_STATUS, type PoolStatus, storeOf } from './pool-store.ts';

const nothing = (): (() => void) => () => {};
const noStatus = (): PoolStatus => NO_STATUS;

/** How a pool is: drawn anew when a relay changes its state, and once a second when its measurements have changed. */
export function usePoolStatus(pool: Pool | undefined): PoolStatus {
  const store = pool && storeOf(pool);
  return useSyncExternalStore(store?.subscribe ?? nothing, store?.getSnapshot ?? noStatus, noStatus);
}
