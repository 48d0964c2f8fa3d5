export { httpInformation as platformInformation } from './http-information.ts';
export { unknownNetwork as platformNetwork } from './network-status.ts';
export { wsTransport as platformTransport } from './ws.ts';
