import { type AnyActorRef, assertEvent, assign, sendTo, setup } from 'xstate';
import { missingActor } from '../placeholder.ts';
import { closeMeaning } from '../policy/close.ts';
import type { RelaySettings } from '../policy/settings.ts';
import type { SocketCommand, SocketInput } from '../socket.ts';
import type { ConnectionEnd, ConnectionEvent } from './connection.events.ts';

export interface ConnectionInput {
  readonly url: string;
  /** Its number among the relay's connections, from 2. */
  readonly connection: number;
  /** The generation of the relay's first connection, which this one stands beside. */
  readonly generation: number;
  readonly settings: RelaySettings;
  readonly supervisor: AnyActorRef | undefined;
}

export interface ConnectionContext extends ConnectionInput {
  readonly end: ConnectionEnd;
  /** Milliseconds that the relay asked to be left alone. */
  readonly retryAfterMs: number;
}

/** How it ended, for whoever decides about the next one. */
export type ConnectionOutput = Pick<ConnectionContext, 'end' | 'retryAfterMs'>;

export const connectionSetup = setup({
  types: {
    context: {} as ConnectionContext,
    events: {} as ConnectionEvent,
    input: {} as ConnectionInput,
    output: {} as ConnectionOutput,
    children: {} as { socket: 'socket' },
  },
  actors: {
    socket: missingActor<SocketCommand, SocketInput>('socket', 'connection'),
  },
  delays: {
    resolveTimeout: ({ context }) => context.settings.resolveTimeoutMs,
    connectTimeout: ({ context }) => context.settings.connectTimeoutMs,
    closeTimeout: ({ context }) => context.settings.closeTimeoutMs,
  },
  actions: {
    applySettings: assign(({ event }) => {
      assertEvent(event, 'CONFIGURE');
      return { settings: event.settings };
    }),
    tuneSocket: sendTo('socket', ({ context }) => ({ type: 'CONFIGURE' as const, settings: context.settings })),
    markDrained: assign({ end: 'drained' }),
    recordClose: assign(({ context, event }) => {
      assertEvent(event, ['socket.closed', 'socket.closing']);
      const { report } = event;
      const isRefused = closeMeaning(report) !== 'lost';
      const end = context.end === 'drained' ? context.end : isRefused ? 'refused' : 'lost';
      return { end, retryAfterMs: report.retryAfterMs ?? 0 };
    }),
    serve: sendTo('socket', { type: 'SERVE' }),
    rest: sendTo('socket', { type: 'REST' }),
    drain: sendTo('socket', { type: 'DRAIN' }),
    closeSocket: sendTo('socket', { type: 'CLOSE' }),
  },
});
