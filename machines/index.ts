/**
 * The bare charts, for those who give them parts of their own with `machine.provide(…)`, draw them or explore them.
 * The machines with their parts are exported by `recloser`.
 */
export { authMachine } from './auth/auth.machine.ts';
export { circuitMachine } from './circuit/circuit.machine.ts';
export { connectionMachine } from './connection/connection.machine.ts';
export { deliveryMachine } from './delivery/delivery.machine.ts';
export { poolMachine } from './pool/pool.machine.ts';
export { publicationMachine } from './publication/publication.machine.ts';
export { relayMachine } from './relay/relay.machine.ts';
export { scalingMachine } from './scaling/scaling.machine.ts';
export { subscriptionMachine } from './subscription/subscription.machine.ts';
