import { type AnyMachineSnapshot, assign, createMachine, type EventObject, fromCallback } from 'xstate';
import type { PoolContext } from '../../machines/pool/pool.context.ts';
import { poolMachine } from '../../machines/pool/pool.machine.ts';
import type { Rig } from '../kit/run.ts';

const A = 'wss://a.example/';
const B = 'wss://b.example/';
const C = 'wss://c.example/';
const D = 'wss://d.example/';

/** `relaysMax` of the pool that begins without a network. */
const OFFLINE_AT_FIRST = 5;

export const INPUTS = {
  'one relay, one restart': { relays: [A], options: { supervisor: { restartsMax: 1 } } },
  'two relays, not dialled': {
    relays: [A, B],
    connect: false,
    options: { supervisor: { restartsMax: 0, relaysMax: 2 } },
  },
  'four relays that come and go': { relays: [A, B, C, D], options: { supervisor: { relaysMax: 4 } } },
  'two relays whose network comes and goes': { relays: [A, B], options: { supervisor: { relaysMax: 3 } } },
  'two relays that begin offline': { relays: [A, B], options: { supervisor: { relaysMax: 5 } } },
  'no relay': { options: { supervisor: { relaysMax: 1 } } },
} as const;

/** The platform says that it is offline where a pool is named so. */
const readNetwork = ({ context }: { context: PoolContext }) =>
  context.settings.supervisor.relaysMax === OFFLINE_AT_FIRST ? { network: 'offline' as const } : {};

const passTime = ({ context }: { context: PoolContext }) => ({
  reading: { nowMs: context.reading.nowMs + 1_000, random: 0.5 },
});

/** A relay that does nothing but end or crash when it is told to. */
const fakeRelay = createMachine({
  initial: 'on',
  states: { on: { on: { FINISH: 'off', CRASH: { actions: 'crash' } } }, off: { type: 'final' } },
}).provide({
  actions: {
    crash: () => {
      throw new Error('crash');
    },
  },
});

const fakePlane = fromCallback<{ type: string }>(({ receive }) => {
  receive(() => {
    throw new Error('crash');
  });
});

const HANDS = [
  'acceptPublication',
  'refusePublication',
  'cancelPublication',
  'acceptSubscription',
  'refuseSubscription',
  'endSubscription',
  'openRelay',
  'tunePool',
  'tuneRelays',
  'updateRelay',
  'updateNetwork',
  'dropConnection',
  'closeRelay',
  'beginDraining',
  'giveUpPublications',
  'keepRelays',
] as const;

/** The chart with fakes for all that it needs. */
const withFakes = (machine: typeof poolMachine): typeof poolMachine =>
  machine.provide({
    actors: { relay: fakeRelay as never, dataPlane: fakePlane as never },
    actions: {
      takeReading: assign(passTime),
      readNetwork: assign(readNetwork),
      ...Object.fromEntries(HANDS.map((name) => [name, () => {}])),
    },
  });

export const modelledPool = withFakes(poolMachine);

const status = (url: string, to: string): EventObject & { url: string } =>
  ({ type: 'relay.status-changed', url, status: to, generation: 1 }) as EventObject & { url: string };

const fact = (given: object): EventObject => given as EventObject;

/** What makes a pool strained, and what makes it doubt its own network; alone, or the others would multiply it. */
function circumstances({ context }: AnyMachineSnapshot): readonly EventObject[] | undefined {
  const { relays, reading, settings } = context as PoolContext;
  if (settings.supervisor.relaysMax === 4)
    return Object.keys(relays).flatMap((url) => [status(url, 'connected'), status(url, 'backoff')]);
  if (settings.supervisor.relaysMax === OFFLINE_AT_FIRST)
    return [{ type: 'network.offline' }, { type: 'network.online' }];
  if (settings.supervisor.relaysMax !== 3) return undefined;
  return [
    ...[A, B].flatMap((url) => [
      status(url, 'connected'),
      status(url, 'backoff'),
      fact({ type: 'relay.suspected', url, atMs: reading.nowMs }),
      fact({ type: 'relay.disconnected', url, atMs: reading.nowMs, code: 1006, reason: '' }),
      fact({ type: 'relay.disconnected', url, atMs: reading.nowMs, code: 1006, reason: '', httpStatus: 403 }),
    ]),
    fact({ type: 'relay.suspected', url: A, atMs: reading.nowMs + 60_000 }),
    fact({ type: 'relay.connected', url: A, generation: 1 }),
    fact({ type: 'relay.reconnected', url: A, generation: 2, attempts: 1 }),
    fact({ type: 'relay.cleared', url: A }),
    { type: 'network.offline' },
    { type: 'network.online' },
  ];
}

/** Everything that can be said to a pool, in every version that a guard tells apart. */
export function poolEvents(snapshot: AnyMachineSnapshot): readonly EventObject[] {
  const { relays } = snapshot.context as PoolContext;
  const given = circumstances(snapshot);
  if (given) return given;
  const present = Object.keys(relays);
  return [
    { type: 'ADD_RELAY', url: A, options: { stableMs: 50 } },
    { type: 'REMOVE_RELAY', url: A },
    { type: 'CONFIGURE', options: { closeTimeoutMs: 5 } },
    fact({ type: 'plane.need-changed', url: A, isNeeded: true }),
    fact({ type: 'plane.need-changed', url: A, isNeeded: false }),
    { type: 'CONFIGURE_RELAY', url: A, options: { closeTimeoutMs: 7 } },
    { type: 'CONNECT' },
    { type: 'DISCONNECT', url: A },
    { type: 'DRAIN', timeoutMs: 5 },
    { type: 'STOP' },
    { type: 'ledger.emptied' },
    status(A, 'connected'),
    status(A, 'backoff'),
    ...(present.includes(B) ? [status(B, 'degraded'), status(B, 'open-circuit')] : []),
    ...present.flatMap((url) => [
      { type: `xstate.error.actor.relay:${url}`, error: 'crash', actorId: `relay:${url}` },
      { type: `xstate.done.actor.relay:${url}`, output: undefined, actorId: `relay:${url}` },
    ]),
    { type: 'xstate.error.actor.dataPlane', error: 'crash', actorId: 'dataPlane' },
  ].filter((event) => isPossible(event, relays)) as EventObject[];
}

/** Only an actor that is there can end or crash. */
function isPossible(event: EventObject, relays: PoolContext['relays']): boolean {
  const url = /^xstate\.(?:error|done)\.actor\.relay:(.*)$/.exec(event.type)?.[1];
  if (url === undefined) return true;
  const phase = relays[url]?.phase;
  return phase === 'present' || phase === 'leaving' || phase === 'returning';
}

/** What leads nowhere: refused commands, and what is only passed on. */
const REFUSED: readonly EventObject[] = [
  { type: 'PUBLISH', event: {} },
  { type: 'CANCEL', id: 'x' },
  { type: 'SUBSCRIBE', id: 'x', filters: {} },
  { type: 'UNSUBSCRIBE', id: 'x' },
  { type: 'ADD_RELAY', url: 'ws://10.0.0.1/' },
  { type: 'ADD_RELAY', url: B, options: { connectTimeoutMs: -1 } },
  { type: 'REMOVE_RELAY', url: 'wss://nobody.example/' },
  { type: 'CONFIGURE', options: { stableMs: 'long' } },
  { type: 'CONFIGURE_RELAY', url: 'wss://nobody.example/', options: {} },
  { type: 'CONNECT', url: 'wss://nobody.example/' },
  { type: 'DISCONNECT', url: 'wss://nobody.example/' },
  { type: 'DRAIN', timeoutMs: -1 },
  status('wss://nobody.example/', 'connected'),
  { type: 'relay.recovered', url: A },
  { type: 'publication.cancelled', id: 'x' },
  { type: 'outbox.failed', problem: 'the disk is full' },
  { type: 'state.failed', problem: 'the disk is full' },
  { type: 'verifier.failed', problem: 'it threw' },
  { type: 'subscription.accepted', id: 'x' },
  { type: 'delivery.settled', id: 'x', relay: A, outcome: { status: 'unknown', atMs: 1 } },
] as EventObject[];

export const deadEnds = (snapshot: AnyMachineSnapshot): readonly EventObject[] =>
  circumstances(snapshot) ? [] : REFUSED;

export function projectPool(snapshot: AnyMachineSnapshot): unknown {
  const { relays, settings, network, lostAtMs, reading } = snapshot.context as PoolContext;
  return [
    network,
    Object.entries(lostAtMs).map(([url, at]) => [url, at >= reading.nowMs]),
    Object.entries(relays).map(([url, record]) => [url, record.phase, record.status, record.restartsAt.length]),
    settings.supervisor.restartsMax,
  ];
}

/** A real pool actor over fake relays, whose ends and crashes are real ones. */
export function poolRig(machine: typeof poolMachine): Rig {
  return {
    machine: withFakes(machine),
    say(actor, event) {
      const [, kind, id] = /^xstate\.(error|done)\.actor\.(.*)$/.exec(event.type) ?? [];
      const child = id === undefined ? undefined : actor.getSnapshot().children[id];
      if (child) child.send({ type: kind === 'error' ? 'CRASH' : 'FINISH' });
      else actor.send(event);
    },
    check(snapshot) {
      const { relays } = snapshot.context as PoolContext;
      const actors = Object.keys(snapshot.children).filter((id) => id.startsWith('relay:'));
      const wanted = Object.keys(relays).filter((url) => !['new', 'abandoned'].includes(relays[url]?.phase ?? ''));
      if (snapshot.status !== 'active') return undefined;
      const differs =
        actors.sort().join(' ') !==
        wanted
          .map((url) => `relay:${url}`)
          .sort()
          .join(' ');
      return differs ? `actors ${actors.join(' ')}, not ${wanted.join(' ')}` : undefined;
    },
  };
}
