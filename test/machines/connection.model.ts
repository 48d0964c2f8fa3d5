import { type AnyMachineSnapshot, type EventObject, fromCallback } from 'xstate';
import { connectionMachine } from '../../machines/connection/connection.machine.ts';
import { DEFAULT_RELAY_SETTINGS } from '../../machines/policy/settings.ts';
import type { SocketCommand, SocketInput } from '../../machines/socket.ts';
import type { Rig } from '../kit/run.ts';

export const connectionInput = {
  url: 'wss://relay.example/',
  connection: 2,
  generation: 1,
  settings: DEFAULT_RELAY_SETTINGS,
  supervisor: undefined,
};

export const modelledConnection = connectionMachine.provide({
  actors: { socket: fromCallback<SocketCommand, SocketInput>(() => {}) },
});

const fact = (given: object): EventObject => ({ generation: 1, ...given }) as unknown as EventObject;
const closed = (report: object): EventObject =>
  fact({ type: 'socket.closed', report: { code: 1006, reason: '', ...report }, successesAt: [] });

/** Everything that can be said to a further connection. */
export const connectionEvents = (): readonly EventObject[] => [
  { type: 'DRAIN' },
  fact({ type: 'CONFIGURE', settings: { ...DEFAULT_RELAY_SETTINGS, closeTimeoutMs: 5 } }),
  fact({ type: 'socket.resolving' }),
  fact({ type: 'socket.resolved' }),
  fact({ type: 'socket.dialling' }),
  fact({ type: 'socket.opened' }),
  fact({ type: 'socket.drained' }),
  closed({}),
  fact({ type: 'socket.closing', report: { code: 3000, reason: '' }, successesAt: [] }),
  closed({ code: 3000 }),
  closed({ httpStatus: 429, retryAfterMs: 5_000 }),
  fact({ type: 'link.silent' }),
  fact({ type: 'link.heard' }),
  fact({ type: 'link.dead', silentMs: 5_000 }),
  { type: 'xstate.error.actor.socket', error: 'crash', actorId: 'socket' } as EventObject,
];

/** What is said of the relay's calls is not for a further connection. */
export const connectionDeadEnds = (): readonly EventObject[] => [
  fact({ type: 'socket.proved' }),
  fact({ type: 'health.recovered' }),
  fact({ type: 'operation.failed', successesAt: [] }),
];

export const projectConnection = ({ context }: AnyMachineSnapshot): unknown => context.end;

/** A real actor with a fake socket. */
export function connectionRig(machine: typeof connectionMachine): Rig {
  let live = 0;
  let tell: ((event: EventObject) => void) | undefined;
  const socket = fromCallback<SocketCommand | { type: 'CRASH' }, SocketInput>(({ sendBack, receive }) => {
    live += 1;
    tell = sendBack;
    receive((command) => {
      if (command.type !== 'CRASH') return;
      live -= 1;
      throw new Error('crash');
    });
    return () => {
      live -= 1;
    };
  });
  return {
    machine: machine.provide({ actors: { socket: socket as never } }),
    say(actor, event) {
      if (event.type === 'xstate.error.actor.socket') actor.getSnapshot().children.socket?.send({ type: 'CRASH' });
      else if (event.type === 'DRAIN' || event.type === 'CONFIGURE') actor.send(event);
      else tell?.(event);
    },
    check(snapshot) {
      const wanted = snapshot.status === 'active' && snapshot.matches('live') ? 1 : 0;
      return live === wanted ? undefined : `${live} live sockets, not ${wanted}`;
    },
  };
}
