import { type AnyActorRef, assign, fromCallback } from 'xstate';
import { connectionMachine as bareConnectionMachine } from '../../machines/connection/connection.machine.ts';
import { actorIdOf, isStrained, keptPool, subjectOf } from '../../machines/pool/pool.context.ts';
import type { PoolEvent } from '../../machines/pool/pool.events.ts';
import { poolMachine as barePoolMachine } from '../../machines/pool/pool.machine.ts';
import type { DataPlaneInput } from '../../machines/pool/pool.setup.ts';
import { relayMachine as bareRelayMachine } from '../../machines/relay/relay.machine.ts';
import { numberOf } from '../../machines/scaling/scaling.context.ts';
import { scalingMachine as bareScalingMachine } from '../../machines/scaling/scaling.machine.ts';
import type { SocketCommand, SocketInput } from '../../machines/socket.ts';
import { steadyClock } from '../clock.ts';
import { unknownNetwork } from '../transport/network-status.ts';
import { DataPlane } from './data-plane.ts';
import type { PoolParts } from './parts.ts';
import type { Session } from './session.ts';

/** The data plane of every running pool. A pool's chart holds no hands; this is where they are found. */
const planes = new WeakMap<object, DataPlane>();

/** The data plane of a running pool; nothing before it starts. */
export const dataPlaneOf = (pool: object): DataPlane | undefined => planes.get(pool);

function planeOf(pool: AnyActorRef): DataPlane {
  const plane = planes.get(pool);
  if (!plane) throw new Error('The pool has not started.');
  return plane;
}

const isPublish = (event: PoolEvent): event is Extract<PoolEvent, { type: 'PUBLISH' }> => event.type === 'PUBLISH';

function obey(session: Session, command: SocketCommand): void {
  switch (command.type) {
    case 'PROBE':
      return session.probe();
    case 'CHECK':
      return session.check();
    case 'CONFIGURE':
      return session.tune(command.settings);
    case 'WATCH':
      return session.watch();
    case 'SERVE':
      return session.serve();
    case 'REST':
      return session.rest();
    case 'DRAIN':
      return session.drain();
    case 'CLOSE':
      return session.close();
  }
}

/** Gives the pool's chart its parts. The same clock must be given to `createActor` for the charts' own delays. */
export function providePoolMachine(given: PoolParts) {
  const parts = { ...given, clock: steadyClock(given.clock) };
  const { network = unknownNetwork } = given;
  const reading = () => ({ nowMs: parts.clock.now(), random: parts.random() });

  const socket = fromCallback<SocketCommand, SocketInput>(({ input, sendBack, receive }) => {
    if (!input.supervisor) throw new Error('A relay with this socket needs a pool as its supervisor.');
    const session = planeOf(input.supervisor).links.open(input, sendBack);
    receive((command) => {
      try {
        obey(session, command);
      } catch (error) {
        // An actor that fails is not cleaned up after.
        session.end();
        throw error;
      }
    });
    return () => session.end();
  });

  const scaling = bareScalingMachine.provide({
    actors: { connection: bareConnectionMachine.provide({ actors: { socket } }) },
    actions: {
      takeReading: assign(() => ({ reading: reading() })),
      takeLook: assign(({ context: { url, supervisor } }) =>
        supervisor ? { look: planeOf(supervisor).lookAt(url) } : {},
      ),
      dropConnection: ({ context: { url, supervisor }, event }) => {
        if (supervisor && 'actorId' in event) planeOf(supervisor).links.dropFurther(url, numberOf(event.actorId));
      },
    },
  });

  const dataPlane = fromCallback<{ type: string }, DataPlaneInput>(({ input }) => {
    const { pool, settings } = input;
    const plane = new DataPlane(parts, settings, {
      report: (fact) => pool.send(fact as never),
      emptied: () => pool.send({ type: 'ledger.emptied' } as never),
      needChanged: (url, isNeeded) => pool.send({ type: 'plane.need-changed', url, isNeeded } as never),
    });
    planes.set(pool, plane);
    const hear = (online: boolean): void => pool.send({ type: online ? 'network.online' : 'network.offline' } as never);
    const forget = network.subscribe(hear);
    return () => {
      forget();
      plane.dispose();
    };
  });

  return barePoolMachine.provide({
    actors: {
      relay: bareRelayMachine.provide({
        actors: { socket, scaling },
        actions: { takeReading: assign(() => ({ reading: reading() })) },
      }),
      dataPlane,
    },
    actions: {
      takeReading: assign(() => ({ reading: reading() })),
      readNetwork: assign(() => (network.isOnline ? {} : { network: 'offline' as const })),
      acceptPublication: ({ self, event }) => isPublish(event) && planeOf(self).publisher.accept(event),
      refusePublication: ({ self, event }) => isPublish(event) && planeOf(self).publisher.refuse(event),
      cancelPublication: ({ self, event }) => {
        if (event.type === 'CANCEL') planeOf(self).ledger.publications.cancel(event.id);
      },
      acceptSubscription: ({ self, event }) => {
        if (event.type === 'SUBSCRIBE') planeOf(self).subscriber.accept(event);
      },
      refuseSubscription: ({ self, event }) => {
        if (event.type === 'SUBSCRIBE') planeOf(self).subscriber.refuse(event);
      },
      endSubscription: ({ self, event }) => {
        if (event.type === 'UNSUBSCRIBE') planeOf(self).subscriber.end(event.id);
      },
      openRelay: ({ self, context }) => {
        for (const [url, { phase, settings, history }] of Object.entries(context.relays)) {
          if (phase === 'new' || phase === 'returning') planeOf(self).openRelay(url, settings, history);
        }
      },
      tunePool: ({ self, context }) => planeOf(self).tune(context.settings),
      tuneRelays: ({ self, context }) => {
        for (const [url, { settings }] of Object.entries(context.relays)) planeOf(self).tuneRelay(url, settings);
      },
      updateRelay: ({ self, context, event }) => {
        const url = subjectOf(context, event);
        const record = url === undefined ? undefined : context.relays[url];
        if (url === undefined || !record) return;
        const retryAtMs = event.type === 'relay.status-changed' ? event.retryAtMs : undefined;
        const { status, suspect, reason } = record;
        planeOf(self).isStrained = isStrained(context);
        planeOf(self).updateRelay(url, { status, suspect, retryAtMs, reason });
      },
      updateNetwork: ({ self, context }) => {
        planeOf(self).isNetworkInDoubt = context.network !== 'well';
      },
      dropConnection: ({ self, context, event }) => {
        const url = subjectOf(context, event);
        if (url === undefined) return;
        planeOf(self).links.drop(url);
        // XState does not stop the actors of one that throws.
        const relay = self.getSnapshot().children[actorIdOf(url)];
        relay?.getSnapshot().children.scaling?.send({ type: 'STOP' });
      },
      closeRelay: ({ self, context, event }) => {
        const url = subjectOf(context, event);
        if (url !== undefined) planeOf(self).closeRelay(url);
      },
      beginDraining: ({ self }) => planeOf(self).drain(),
      giveUpPublications: ({ self }) => planeOf(self).giveUp(),
      keepRelays: ({ self, context }) => dataPlaneOf(self)?.keepRelays(keptPool(context)),
    },
  });
}
