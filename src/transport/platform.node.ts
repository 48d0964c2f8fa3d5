export { wsTransport as platformTransport } from './ws.ts';
