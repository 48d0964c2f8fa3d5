import { assertEvent, assign, type EventObject, emit, enqueueActions, raise, setup, stopChild } from 'xstate';
import { missingAction, missingActor } from '../placeholder.ts';
import { NETWORK_DOUBT } from '../policy/limits.ts';
import type { PoolSettings } from '../policy/settings.ts';
import type { NetworkState } from '../policy/status.ts';
import type { PublicationFact } from '../publication/publication.events.ts';
import type { RelayInput, RelaySupervisor } from '../relay/relay.context.ts';
import { relayMachine } from '../relay/relay.machine.ts';
import type { SubscriptionFact } from '../subscription/subscription.events.ts';
import {
  abandonRelay,
  actorIdOf,
  addRelay,
  addressed,
  census,
  configure,
  configureRelay,
  forgetNetworkLoss,
  forgetRelay,
  hasActor,
  hasRoutable,
  isEjectionAllowed,
  isEveryRelayDown,
  isStarting,
  isStrained,
  makesNetworkDoubtful,
  markSpawned,
  mayRestartRelay,
  newRelays,
  type PoolContext,
  type PoolInput,
  problemOf,
  type RelayPhase,
  recordNeed,
  recordNetworkLoss,
  recordRestart,
  recordWish,
  removeRelay,
  renewRelay,
  subjectOf,
  trackStatus,
  urlOf,
} from './pool.context.ts';
import type { PoolCommand, PoolEvent, PoolFact } from './pool.events.ts';

/** The relay that the event is about; for actions and guards of events that are about one. */
const subject = (context: PoolContext, event: PoolEvent): string => subjectOf(context, event) ?? '';

const phaseOf = (context: PoolContext, event: PoolEvent): RelayPhase | undefined =>
  context.relays[subject(context, event)]?.phase;

/** What the data plane is started with. */
export interface DataPlaneInput {
  /** The pool that it works for. */
  readonly pool: RelaySupervisor;
  readonly settings: PoolSettings;
}

function relayInput(context: PoolContext, url: string, supervisor: RelaySupervisor): RelayInput {
  const record = context.relays[url];
  return {
    url,
    urgent: isUrgent(context, url),
    ejectable: context.ejectable,
    network: context.network,
    generation: record?.generation ?? 0,
    settings: record?.settings ?? context.settings.relay,
    supervisor,
  };
}

/** Returns true if a relay is retried without relaxation: too few relays serve, or a caller waits for this one. */
const isUrgent = (context: PoolContext, url: string): boolean =>
  context.relays[url]?.needed === true || !hasRoutable(context) || isStrained(context);

/** Tells every relay, and whoever dials, what is known of our own network. */
const tellNetwork = (network: NetworkState) =>
  enqueueActions<PoolContext, PoolEvent, undefined, PoolEvent, never, never, never, never, never>(
    ({ context, enqueue }) => {
      enqueue.assign({ network, lostAtMs: {}, refusedUpgrades: {} });
      const { nowMs: atMs } = context.reading;
      for (const [url, record] of Object.entries(context.relays)) {
        if (hasActor(record)) enqueue.sendTo(actorIdOf(url), { type: 'SET_NETWORK', network, atMs });
      }
    },
  );

export const poolSetup = setup({
  types: {
    context: {} as PoolContext,
    events: {} as PoolEvent,
    input: {} as PoolInput | undefined,
    emitted: {} as PoolFact | PublicationFact | SubscriptionFact,
    tags: {} as 'accepting',
    children: {} as { dataPlane: 'dataPlane' } & { [id: `relay:${string}`]: 'relay' },
  },
  actors: {
    relay: relayMachine,
    dataPlane: missingActor<EventObject, DataPlaneInput>('dataPlane', 'pool'),
  },
  delays: {
    doubtDelay: NETWORK_DOUBT.lastsMs,
    drainTimeout: ({ context }) => context.drainMs,
    // Relays close within their own time; this only bounds one that does not.
    stopTimeout: ({ context }) =>
      1_000 + Math.max(0, ...Object.values(context.relays).map((record) => record.settings.closeTimeoutMs)),
  },
  guards: {
    isRefused: ({ context, event }) => problemOf(context, event as PoolCommand) !== undefined,
    isKnownRelay: ({ context, event }) => phaseOf(context, event) !== undefined,
    isPresentAlready: ({ context, event }) => phaseOf(context, event) === 'present',
    isLeaving: ({ context, event }) => phaseOf(context, event) === 'leaving',
    isReturning: ({ context, event }) => phaseOf(context, event) === 'returning',
    isAbandoned: ({ context, event }) => phaseOf(context, event) === 'abandoned',
    mayRestartRelay: ({ context, event }) => mayRestartRelay(context, subject(context, event)),
    isOffline: ({ context }) => context.network === 'offline',
    hasRoutable: ({ context }) => hasRoutable(context),
    hasNoRoutable: ({ context }) => !hasRoutable(context),
    isEveryRelayDown: ({ context }) => isEveryRelayDown(context),
    beginsServing: ({ context }) => hasRoutable(context) && !isStrained(context),
    beginsStrained: ({ context }) => hasRoutable(context) && isStrained(context) && !isStarting(context),
    isStrained: ({ context }) => hasRoutable(context) && isStrained(context),
    isRelieved: ({ context }) => !isStrained(context),
    makesNetworkDoubtful: ({ context, event }) =>
      (event.type === 'relay.suspected' || event.type === 'relay.disconnected') && makesNetworkDoubtful(context, event),
    isDeserted: ({ context }) => Object.keys(context.relays).length === 0,
  },
  actions: {
    /** Time and chance come in here, and nowhere else: an `assign` of `reading`. */
    takeReading: missingAction('takeReading', 'pool'),
    /** The platform's word on our own network comes in here: an `assign` of `network`. */
    readNetwork: missingAction('readNetwork', 'pool'),
    /** The data plane's part: what a publication needs done. */
    acceptPublication: missingAction('acceptPublication', 'pool'),
    refusePublication: missingAction('refusePublication', 'pool'),
    cancelPublication: missingAction('cancelPublication', 'pool'),
    acceptSubscription: missingAction('acceptSubscription', 'pool'),
    refuseSubscription: missingAction('refuseSubscription', 'pool'),
    endSubscription: missingAction('endSubscription', 'pool'),
    /** The data plane's part: what it has to know of relays. */
    openRelay: missingAction('openRelay', 'pool'),
    tunePool: missingAction('tunePool', 'pool'),
    tuneRelays: missingAction('tuneRelays', 'pool'),
    updateRelay: missingAction('updateRelay', 'pool'),
    updateNetwork: missingAction('updateNetwork', 'pool'),
    dropConnection: missingAction('dropConnection', 'pool'),
    closeRelay: missingAction('closeRelay', 'pool'),
    /** The data plane's part: what outlasts the process, where anything does. */
    keepRelays: missingAction('keepRelays', 'pool'),
    beginDraining: missingAction('beginDraining', 'pool'),
    giveUpPublications: missingAction('giveUpPublications', 'pool'),

    addRelay: assign(({ context, event }) => {
      assertEvent(event, 'ADD_RELAY');
      return addRelay(context, event);
    }),
    removeRelay: assign(({ context, event }) => {
      assertEvent(event, 'REMOVE_RELAY');
      return removeRelay(context, subject(context, event));
    }),
    configureRelay: assign(({ context, event }) => {
      assertEvent(event, ['CONFIGURE_RELAY', 'ADD_RELAY']);
      return configureRelay(context, { type: 'CONFIGURE_RELAY', url: event.url, options: event.options ?? {} });
    }),
    configure: assign(({ context, event }) => {
      assertEvent(event, 'CONFIGURE');
      return configure(context, event);
    }),
    trackStatus: assign(({ context, event }) => {
      assertEvent(event, 'relay.status-changed');
      return trackStatus(context, event);
    }),
    recordNetworkLoss: assign(({ context, event }) => {
      assertEvent(event, ['relay.suspected', 'relay.disconnected']);
      return recordNetworkLoss(context, event);
    }),
    forgetNetworkLoss: assign(({ context, event }) => forgetNetworkLoss(context, subject(context, event))),
    tellDoubt: tellNetwork('suspect'),
    tellOffline: tellNetwork('offline'),
    tellWell: tellNetwork('well'),
    tellEjectable: enqueueActions(({ context, enqueue }) => {
      const ejectable = isEjectionAllowed(context);
      if (ejectable === context.ejectable) return;
      enqueue.assign({ ejectable });
      for (const [url, record] of Object.entries(context.relays)) {
        if (hasActor(record)) enqueue.sendTo(actorIdOf(url), { type: 'SET_EJECTABLE', ejectable });
      }
    }),
    setDrainTime: assign(({ context, event }) => {
      assertEvent(event, 'DRAIN');
      return { drainMs: event.timeoutMs ?? context.settings.supervisor.drainMs };
    }),
    recordRestart: assign(({ context, event }) => recordRestart(context, subject(context, event))),
    abandonRelay: assign(({ context, event }) => abandonRelay(context, subject(context, event))),

    /** Starts an actor for every relay that is new. */
    spawnRelays: enqueueActions(({ context, enqueue, self }) => {
      for (const url of newRelays(context)) {
        enqueue.spawnChild('relay', { id: actorIdOf(url), input: relayInput(context, url, self) });
        if (context.relays[url]?.wanted) enqueue.sendTo(actorIdOf(url), { type: 'CONNECT' });
      }
      enqueue.assign(markSpawned(context));
    }),
    respawnRelay: enqueueActions(({ context, event, enqueue, self }) => {
      const url = subject(context, event);
      enqueue.stopChild(actorIdOf(url));
      enqueue.spawnChild('relay', { id: actorIdOf(url), input: relayInput(context, url, self) });
      if (context.relays[url]?.wanted) enqueue.sendTo(actorIdOf(url), { type: 'CONNECT' });
      enqueue.emit({ type: 'relay.restarted', url, restarts: context.relays[url]?.restarts ?? 0 });
    }),
    raiseCrash: raise(({ context, event }) => {
      const url = subject(context, event);
      return { type: 'relay.crashed', url, error: 'error' in event ? event.error : undefined };
    }),
    forgetRelay: enqueueActions(({ context, event, enqueue }) => {
      const url = subject(context, event);
      enqueue.stopChild(actorIdOf(url));
      enqueue.assign(forgetRelay(context, url));
      enqueue.emit({ type: 'relay.removed', url });
    }),
    renewRelay: enqueueActions(({ context, event, enqueue }) => {
      const url = subject(context, event);
      enqueue.stopChild(actorIdOf(url));
      enqueue.assign(renewRelay(context, url));
    }),
    recordWish: assign(({ context, event }) => {
      assertEvent(event, ['CONNECT', 'DISCONNECT']);
      return recordWish(context, event);
    }),
    stopCrashed: stopChild(({ context, event }) => actorIdOf(subject(context, event))),

    tellRelays: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, ['CONNECT', 'DISCONNECT']);
      for (const url of addressed(context, event.url)) {
        if (hasActor(context.relays[url])) enqueue.sendTo(actorIdOf(url), { type: event.type });
      }
    }),
    tellSettings: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, ['CONFIGURE', 'CONFIGURE_RELAY', 'ADD_RELAY']);
      const isForAll = event.type === 'CONFIGURE';
      for (const url of addressed(context, isForAll ? undefined : event.url)) {
        const record = context.relays[url];
        if (!hasActor(record)) continue;
        // Several may trip by them in the same moment, each of which takes the others to serve: nobody is ejected by that alone.
        if (isForAll) enqueue.sendTo(actorIdOf(url), { type: 'SET_EJECTABLE', ejectable: false });
        enqueue.sendTo(actorIdOf(url), { type: 'CONFIGURE', settings: record.settings });
        if (isForAll) enqueue.sendTo(actorIdOf(url), { type: 'SET_EJECTABLE', ejectable: context.ejectable });
      }
    }),
    tellUrgency: enqueueActions(({ context, enqueue }) => {
      for (const [url, record] of Object.entries(context.relays)) {
        if (hasActor(record)) enqueue.sendTo(actorIdOf(url), { type: 'SET_URGENCY', urgent: isUrgent(context, url) });
      }
    }),
    recordNeed: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'plane.need-changed');
      const { url, isNeeded } = event;
      const next = { ...context, ...recordNeed(context, url, isNeeded) };
      enqueue.assign({ relays: next.relays });
      if (!hasActor(next.relays[url])) return;
      enqueue.sendTo(actorIdOf(url), { type: 'SET_URGENCY', urgent: isUrgent(next, url) });
    }),
    returnToNetwork: enqueueActions(({ context, enqueue }) => {
      for (const [url, record] of Object.entries(context.relays)) {
        if (hasActor(record)) enqueue.sendTo(actorIdOf(url), { type: 'RETURN_TO_NETWORK' });
      }
    }),
    stopRelay: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'REMOVE_RELAY');
      enqueue.sendTo(actorIdOf(urlOf(context, event.url)), { type: 'STOP' });
    }),
    stopRelays: enqueueActions(({ context, enqueue }) => {
      for (const [url, record] of Object.entries(context.relays)) {
        if (hasActor(record)) enqueue.sendTo(actorIdOf(url), { type: 'STOP' });
      }
    }),
    forgetAbandoned: assign(({ context }) => ({
      relays: Object.fromEntries(Object.entries(context.relays).filter(([, record]) => record.phase !== 'abandoned')),
    })),

    reportFact: emit(({ event }) => event as PoolFact | PublicationFact | SubscriptionFact),
    reportAdded: emit(({ context, event }): PoolFact => {
      assertEvent(event, 'ADD_RELAY');
      return { type: 'relay.added', url: urlOf(context, event.url) };
    }),
    reportAbandoned: emit(
      ({ context, event }): PoolFact => ({ type: 'relay.abandoned', url: subject(context, event) }),
    ),
    reportRefused: emit(({ context, event }): PoolFact => {
      const problem = problemOf(context, event as PoolCommand)?.message ?? '';
      return { type: 'pool.command-refused', command: event.type, problem };
    }),
    reportStranded: emit((): PoolFact => ({ type: 'pool.stranded' })),
    reportRecovered: emit((): PoolFact => ({ type: 'pool.recovered' })),
    reportStrained: emit(({ context }): PoolFact => {
      const { routable, total } = census(context);
      return { type: 'pool.strained', routable, total };
    }),
    reportRelieved: emit((): PoolFact => ({ type: 'pool.relieved' })),
    reportDoubt: emit(
      ({ context }): PoolFact => ({
        type: 'pool.network-suspected',
        relays: Object.keys(context.lostAtMs).length,
      }),
    ),
    reportOffline: emit((): PoolFact => ({ type: 'pool.network-offline' })),
    reportOnline: emit((): PoolFact => ({ type: 'pool.network-recovered' })),
    reportDraining: emit((): PoolFact => ({ type: 'pool.draining' })),
    reportClosed: emit((): PoolFact => ({ type: 'pool.closed' })),
  },
});
