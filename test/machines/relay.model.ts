import { type AnyMachineSnapshot, assign, type EventObject, fromCallback } from 'xstate';
import { type RelayOptions, relaySettings } from '../../machines/policy/settings.ts';
import { cameOfNetwork, isExcusable, type RelayContext } from '../../machines/relay/relay.context.ts';
import { relayMachine } from '../../machines/relay/relay.machine.ts';
import type { SocketCommand, SocketInput } from '../../machines/socket.ts';
import type { Rig } from '../kit/run.ts';

/** Time passes by a second whenever somebody looks, in the model as on the real actor. */
const passTime = ({ context }: { context: RelayContext }) => ({
  reading: { nowMs: context.reading.nowMs + 1_000, random: 0.5 },
});

/** Small enough that every branch is near; together they reach all of them. */
export const POLICIES: Readonly<Record<string, RelayOptions>> = {
  'two failures open, two probes close': {
    connectionsMax: 2,
    reconnect: { refusalsMax: 2, strategy: 'exponential' },
    breaker: { failureThreshold: 2, successThreshold: 2 },
  },
  'two attempts and it is given up': {
    reconnect: { attemptsMax: 2, refusalsMax: 2, strategy: 'linear' },
    breaker: { failureThreshold: 3, successThreshold: 1 },
  },
  'the network comes and goes': {
    reconnect: { refusalsMax: 1, strategy: 'decorrelated' },
    breaker: { failureThreshold: 1, successThreshold: 1 },
  },
  'no reconnecting': {
    reconnect: { enabled: false, refusalsMax: 2, strategy: 'fixed' },
    breaker: { failureThreshold: 1, successThreshold: 1 },
  },
};

export const inputOf = (options: RelayOptions) => ({ url: 'wss://relay.example/', settings: relaySettings(options) });

/** The chart as the model runs it: time stands still, and no actor is ever started. */
export const modelledRelay = relayMachine.provide({
  actors: { socket: fromCallback<SocketCommand, SocketInput>(() => {}), scaling: fromCallback(() => {}) as never },
  actions: { takeReading: assign(passTime) },
});

const close = (report: object): object => ({
  type: 'socket.closed',
  report: { code: 1006, reason: '', ...report },
  successesAt: [],
});

const isClosing = (fact: object): boolean => 'type' in fact && fact.type === 'socket.closing';

const closing = (report: object): object => ({ ...close(report), type: 'socket.closing' });

const FACTS: readonly object[] = [
  { type: 'socket.resolving' },
  { type: 'socket.resolved' },
  { type: 'socket.dialling' },
  { type: 'socket.opened' },
  { type: 'socket.proved' },
  close({}),
  closing({ code: 1000 }),
  { type: 'health.degraded', reasons: ['slow'] },
  { type: 'health.recovered' },
  { type: 'link.silent' },
  { type: 'link.heard' },
  { type: 'link.dead', silentMs: 5_000 },
  { type: 'operation.failed', successesAt: [] },
  { type: 'probe.succeeded', latencyMs: 10 },
  { type: 'probe.failed', successesAt: [] },
];

/** More of the same facts, told apart by a guard. */
const VARIANTS: readonly object[] = [
  close({ code: 3000 }),
  close({ code: 1012 }),
  close({ httpStatus: 410 }),
  { type: 'probe.succeeded', latencyMs: 60_000 },
];

/** Everything that can be said to a relay, in every version that a guard tells apart. */
export function relayEvents(snapshot: AnyMachineSnapshot): readonly EventObject[] {
  const { generation, settings, reading } = snapshot.context as RelayContext;
  const { strategy } = settings.reconnect;
  // Polite ends lead where others do; they only have to be walked once.
  const isTold = (fact: object): boolean => strategy === 'exponential' || !isClosing(fact);
  const facts = [
    ...[...FACTS, ...VARIANTS].filter(isTold).map((fact) => ({ ...fact, generation })),
    { type: 'xstate.error.actor.socket', error: 'crash', actorId: 'socket' },
  ];
  const other = { ...settings, reconnect: { ...settings.reconnect, enabled: !settings.reconnect.enabled } };
  // Switching reconnection only matters to some; for the others it would double every state.
  const isSwitched = strategy === 'fixed' || snapshot.matches('paused');
  const switches = isSwitched ? [{ type: 'CONFIGURE', settings: other }] : [];
  const network = (state: string, atMs = reading.nowMs) => ({ type: 'SET_NETWORK', network: state, atMs });
  const doubts = strategy === 'decorrelated' ? [network('suspect'), network('suspect', reading.nowMs + 60_000)] : [];
  const caps = [true, false].map((ejectable) => ({ type: 'SET_EJECTABLE', ejectable }));
  const outages = strategy === 'decorrelated' ? [network('offline'), network('well')] : [];
  return [
    { type: 'CONNECT' },
    { type: 'DISCONNECT' },
    { type: 'STOP' },
    { type: 'CONFIGURE', settings: { ...settings, stableMs: settings.stableMs + 1 } },
    ...switches,
    ...(snapshot.matches('session') && strategy === 'linear' ? caps : []),
    ...doubts,
    ...(strategy === 'decorrelated' ? [{ type: 'RETURN_TO_NETWORK' }] : []),
    ...outages,
    // Waiting with urgency differs in its length only, under every policy.
    ...(strategy === 'exponential' ? [true, false].map((urgent) => ({ type: 'SET_URGENCY', urgent })) : []),
    // Who waits for its turn to dial has nothing else to say.
    ...(snapshot.matches({ session: { connecting: 'queued' } })
      ? // Names are resolved in the same way under every policy.
        [...(strategy === 'exponential' ? ['socket.resolving'] : []), 'socket.dialling'].map((type) => ({
          type,
          generation,
        }))
      : facts),
  ] as EventObject[];
}

/** Facts of an older socket: nothing may come of any of them. */
export const staleEvents = (snapshot: AnyMachineSnapshot): readonly EventObject[] =>
  FACTS.map(
    (fact) => ({ ...fact, generation: (snapshot.context as RelayContext).generation - 1 }) as unknown as EventObject,
  );

/**
 * What decides the guards of the states that can still be reached, with counters cut where they stop mattering. It is
 * coarser than the context in which a state remembers what only matters later; paths are replayed, so none can lie.
 */
export function projectRelay(snapshot: AnyMachineSnapshot): unknown {
  const context = snapshot.context as RelayContext;
  const { settings, window } = context;
  const { strategy } = settings.reconnect;
  const within = (value: string | object): boolean => snapshot.matches(value as never);
  const isEnding = within({ session: 'ending' });
  const inSession = within('session') && !isEnding;
  return [
    within('idle') || within({ session: 'closing' }) || isEnding ? [context.wanted, context.stopping] : null,
    within('backoff') || within('open-circuit') ? [context.urgent, context.before !== undefined] : null,
    inSession ? [context.proven, context.settled, context.unwell, context.spared] : null,
    [context.network, context.ejectable],
    within({ session: 'connected' }) ? Math.min(context.trips, 1) : null,
    context.trial,
    // Counted for nothing where there is no end to them.
    Number.isFinite(settings.reconnect.attemptsMax) ? Math.min(context.attempts, 2) : 0,
    Math.min(context.refusals, settings.reconnect.refusalsMax),
    context.probes,
    Math.min(window.failuresInRow, settings.breaker.failureThreshold),
    inSession ? null : [context.loss.meaning, context.rest],
    strategy === 'decorrelated' && !inSession
      ? [cameOfNetwork(context), within('locked-out') && isExcusable(context, 0)]
      : null,
    settings.reconnect.enabled,
  ];
}

/** A real actor with a fake socket: one that does nothing by itself, and shows whether it lives. */
export function relayRig(machine: typeof relayMachine): Rig {
  const live = new Map<number, (event: EventObject) => void>();
  let most = 0;
  const socket = fromCallback<SocketCommand | { type: 'CRASH' }, SocketInput>(({ input, sendBack, receive }) => {
    live.set(input.generation, sendBack);
    most = Math.max(most, live.size);
    receive((command) => {
      if (command.type !== 'CRASH') return;
      live.delete(input.generation);
      throw new Error('crash');
    });
    return () => live.delete(input.generation);
  });
  let isScaling = false;
  const scaling = fromCallback(() => {
    isScaling = true;
    return () => {
      isScaling = false;
    };
  });
  return {
    machine: machine.provide({
      actors: { socket: socket as never, scaling: scaling as never },
      actions: { takeReading: assign(passTime) },
    }),
    say(actor, event) {
      const sendBack = live.get((event as { generation?: number }).generation ?? -1);
      if (event.type === 'xstate.error.actor.socket' && live.size > 0) {
        actor.getSnapshot().children.socket?.send({ type: 'CRASH' });
      } else if (sendBack) sendBack(event);
      else actor.send(event);
    },
    check(snapshot) {
      const wanted = snapshot.status === 'active' && snapshot.matches('session') ? 1 : 0;
      if (live.size !== wanted) return `${live.size} live sockets, not ${wanted}`;
      if (most > 1) return 'two sockets at once';
      const { settings } = snapshot.context as RelayContext;
      const serves = snapshot.matches({ session: 'connected' }) || snapshot.matches({ session: 'degraded' });
      const scales = snapshot.status === 'active' && serves && settings.connectionsMax > 1;
      if (isScaling !== scales) return `its connections are ${isScaling ? '' : 'not '}watched`;
      return undefined;
    },
  };
}
