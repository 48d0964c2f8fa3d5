// A relay that is not ours, from npm, as a process: `relay.mjs '{ "file": …, "port": …, "pow": …, "requireAuth": … }'`.
import { NostrRelay } from '@nostr-relay/core';
import { CreatedAtLimitGuard } from '@nostr-relay/created-at-limit-guard';
import { EventRepositorySqlite } from '@nostr-relay/event-repository-sqlite';
import { PowGuard } from '@nostr-relay/pow-guard';
import { Throttler } from '@nostr-relay/throttler';
import { Validator } from '@nostr-relay/validator';
import { WebSocketServer } from 'ws';

const { file = ':memory:', port = 0, pow, eventsPerSecond, requireAuth = false } = JSON.parse(process.argv[2] ?? '{}');

const store = new EventRepositorySqlite(file);
await store.init();
// Its caches answer for an event before its signature is checked, and for a second after an event was stored.
const relay = new NostrRelay(store, {
  eventHandlingResultCacheTtl: 0,
  filterResultCacheTtl: 0,
  ...(requireAuth ? { hostname: '127.0.0.1' } : {}),
});
relay.register(new CreatedAtLimitGuard({ upperLimit: 60, lowerLimit: 3_600 }));
if (pow !== undefined) relay.register(new PowGuard(pow));
if (eventsPerSecond !== undefined) {
  relay.register(new Throttler({ EVENT: { ttl: 1_000, limit: eventsPerSecond, blockDuration: 500 } }));
}
if (requireAuth) {
  relay.register({
    async handleMessage(client, message, next) {
      if (message[0] !== 'EVENT' || client.pubkey) return next();
      const text = 'auth-required: only for people who say who they are';
      client.sendMessage(['OK', message[1].id, false, text]);
      return { messageType: 'EVENT', success: false, message: text };
    },
  });
}

const validator = new Validator();
const server = new WebSocketServer({ host: '127.0.0.1', port });
server.on('connection', (socket, request) => {
  socket.on('message', async (data) => {
    try {
      await relay.handleMessage(socket, await validator.validateIncomingMessage(data));
    } catch (error) {
      if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(['NOTICE', String(error.message)]));
    }
  });
  socket.on('close', () => relay.handleDisconnect(socket));
  socket.on('error', () => {});
  relay.handleConnection(socket, request.socket.remoteAddress);
});
server.on('listening', () => process.send(server.address().port));
process.on('disconnect', () => process.exit());
