import { webSocketTransport } from './web-socket.ts';

export const platformTransport = webSocketTransport();
