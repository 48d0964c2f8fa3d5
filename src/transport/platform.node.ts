export { unknownNetwork as platformNetwork } from './network-status.ts';
export { wsTransport as platformTransport } from './ws.ts';
