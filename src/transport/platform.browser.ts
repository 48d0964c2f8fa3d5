import { browserNetwork, type NetworkEvents, type NetworkStatus, unknownNetwork } from './network-status.ts';
import { webSocketTransport } from './web-socket.ts';

export { fetchInformation as platformInformation } from './fetch-information.ts';

export const platformTransport = webSocketTransport();

/** Runtimes without a window or a worker's scope have no such events. */
export const platformNetwork: NetworkStatus =
  'addEventListener' in globalThis && 'navigator' in globalThis
    ? browserNetwork(globalThis as unknown as NetworkEvents)
    : unknownNetwork;
