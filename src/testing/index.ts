export { createMemoryNetwork, type MemoryNetwork, type MemoryPeer } from '../transport/memory.ts';
export type { StoreAnswer } from './event-store.ts';
export { FaultableRelay, type FaultableRelayOptions } from './faultable-relay.ts';
export { NO_FAULTS, type RelayFaults } from './faults.ts';
export { seededRandom } from './random.ts';
export { signedEvents } from './signed-events.ts';
export { VirtualClock } from './virtual-clock.ts';
