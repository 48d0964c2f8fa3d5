import { connectionSetup } from './connection.setup.ts';

/**
 * One more connection of a relay, beside its first.
 *
 * It is there for throughput alone. How the relay is doing is judged by its first connection, and this one goes with that
 * one: it has no breaker and no second attempt. While it is silent, nothing is sent on it; one that has been silent for
 * too long is given up. When it is not needed any more, what is in flight is answered before it closes.
 *
 * Invariants: a socket exactly while it is `live`; every state but `serving` and `suspected` ends by itself.
 */
export const connectionMachine = connectionSetup.createMachine({
  id: 'connection',
  context: ({ input }) => ({ ...input, end: 'lost', retryAfterMs: 0 }),
  output: ({ context: { end, retryAfterMs } }) => ({ end, retryAfterMs }),
  initial: 'live',
  states: {
    live: {
      invoke: {
        id: 'socket',
        src: 'socket',
        input: ({ context: { url, connection, generation, settings, supervisor } }) => ({
          url,
          generation,
          settings,
          connection,
          supervisor,
        }),
        onError: { target: 'closed' },
      },
      initial: 'connecting',
      on: {
        CONFIGURE: { actions: ['applySettings', 'tuneSocket'] },
        'socket.closing': { target: '.closing', actions: 'recordClose' },
        'socket.closed': { target: 'closed', actions: 'recordClose' },
        'link.dead': { target: 'closed' },
      },
      states: {
        connecting: {
          initial: 'queued',
          on: { DRAIN: { target: '#connection.closed', actions: 'markDrained' } },
          states: {
            queued: { on: { 'socket.resolving': { target: 'resolving' }, 'socket.dialling': { target: 'dialling' } } },
            resolving: {
              after: { resolveTimeout: { target: '#connection.closed' } },
              on: { 'socket.resolved': { target: 'queued' } },
            },
            dialling: {
              after: { connectTimeout: { target: '#connection.closed' } },
              on: { 'socket.opened': { target: '#connection.live.serving' } },
            },
          },
        },
        serving: {
          entry: 'serve',
          on: { DRAIN: { target: 'draining' }, 'link.silent': { target: 'suspected' } },
        },
        suspected: {
          entry: 'rest',
          on: { DRAIN: { target: 'draining' }, 'link.heard': { target: 'serving' } },
        },
        draining: {
          entry: ['markDrained', 'drain'],
          on: { 'socket.drained': { target: 'closing' } },
        },
        closing: {
          entry: 'closeSocket',
          after: { closeTimeout: { target: '#connection.closed' } },
        },
      },
    },
    closed: { type: 'final' },
  },
});
