import { assertEvent, assign, enqueueActions, sendTo, setup } from 'xstate';
import { missingAction, missingActor } from '../placeholder.ts';
import { LOCK_OUT_MS } from '../policy/limits.ts';
import type { RelayStatus } from '../policy/status.ts';
import { scalingMachine } from '../scaling/scaling.machine.ts';
import type { SocketCommand, SocketInput } from '../socket.ts';
import {
  beginDeadline,
  beginSession,
  cameOfNetwork,
  circuitCause,
  closeCircuit,
  excuse,
  hastenRetry,
  hastenTrial,
  isExcusable,
  isOnTrial,
  isTripped,
  markWell,
  pardon,
  pardonNetwork,
  type RelayContext,
  type RelayInput,
  recordCallFailure,
  recordDeadline,
  recordLoss,
  recordTrip,
  resumeRest,
  scheduleRetry,
  scheduleReturn,
  scheduleTrial,
  setEjectable,
  settle,
} from './relay.context.ts';
import type { CircuitCause, GaveUpCause, RelayEvent, RelayFact } from './relay.events.ts';

const RESOLVE_TIMEOUT = { code: 1006, reason: 'the name was not resolved in time', errorCode: 'ETIMEOUT' };
const CONNECT_TIMEOUT = { code: 1006, reason: 'connecting took too long', errorCode: 'ETIMEDOUT' };
const NO_ANSWER = { code: 1006, reason: 'no answer to a probe' };
const SILENT = { code: 1006, reason: 'silent for too long' };
const CRASHED = { code: 1006, reason: 'the transport failed' };

const HAS_CONNECTION: ReadonlySet<RelayStatus> = new Set(['connected', 'degraded', 'half-open', 'closing']);

type Scope = { readonly context: RelayContext; readonly event: RelayEvent };

/** What a request to connect cannot undo. With reconnecting off, the application decides. */
const owedRest = ({ attempts, rest, settings }: RelayContext): RelayContext['rest'] | 'verdict' => {
  if (!settings.reconnect.enabled) return undefined;
  return rest ?? (attempts > 0 ? 'verdict' : undefined);
};

/** A fact goes to the supervisor; without one, it is emitted for whoever listens. */
const report = <Params = undefined>(fact: (scope: Scope, params: Params) => RelayFact) =>
  enqueueActions<RelayContext, RelayEvent, Params, RelayEvent, never, never, never, never, RelayFact>(
    ({ context, event, enqueue }, params) => {
      const reported = fact({ context, event }, params);
      if (context.supervisor) enqueue.sendTo(context.supervisor, reported);
      else enqueue.emit(reported);
    },
  );

export const relaySetup = setup({
  types: {
    context: {} as RelayContext,
    events: {} as RelayEvent,
    input: {} as RelayInput,
    emitted: {} as RelayFact,
    tags: {} as 'routable' | 'probing' | 'offline',
    children: {} as { socket: 'socket'; scaling: 'scaling' },
  },
  actors: {
    socket: missingActor<SocketCommand, SocketInput>('socket', 'relay'),
    scaling: scalingMachine,
  },
  delays: {
    resolveTimeout: ({ context }) => context.settings.resolveTimeoutMs,
    connectTimeout: ({ context }) => context.settings.connectTimeoutMs,
    closeTimeout: ({ context }) => context.settings.closeTimeoutMs,
    stableDelay: ({ context }) => context.settings.stableMs,
    recoveryCheckDelay: ({ context }) => context.settings.recoveryCheckMs,
    forgivenessDelay: ({ context }) => context.settings.forgivenessMs,
    halfOpenTimeout: ({ context }) => context.settings.breaker.halfOpenTimeoutMs,
    retryDelay: ({ context }) => context.delayMs,
    lockOutDelay: LOCK_OUT_MS,
  },
  guards: {
    isStale: ({ context, event }) => 'generation' in event && event.generation !== context.generation,
    /** Whether it has to prove itself: it comes out of an open circuit, or would go into one. */
    isOnTrial: ({ context }) => isOnTrial(context),
    isProven: ({ context }) => context.proven,
    isUnwanted: ({ context }) => !context.wanted,
    isStopping: ({ context }) => context.stopping,
    isTripped: ({ context }) => isTripped(context),
    isEjected: ({ context }) => isTripped(context) && context.ejectable && !context.spared,
    isUnwell: ({ context }) => context.unwell,
    isOffline: ({ context }) => context.network === 'offline',
    goesOffline: ({ event }) => event.type === 'SET_NETWORK' && event.network === 'offline',
    comesBack: ({ event }) => event.type === 'SET_NETWORK' && event.network !== 'offline',
    isExcusable: ({ context, event }) =>
      event.type === 'SET_NETWORK' && event.network === 'suspect' && isExcusable(context, event.atMs),
    cameOfNetwork: ({ context }) => cameOfNetwork(context),
    isProbeSlow: ({ context, event }) =>
      event.type === 'probe.succeeded' && event.latencyMs > context.settings.breaker.slowProbeMs,
    isLastProbe: ({ context }) => context.probes + 1 >= context.settings.breaker.successThreshold,
    isGone: ({ context }) => context.loss.meaning === 'gone',
    isRefusedTooOften: ({ context }) => context.refusals >= context.settings.reconnect.refusalsMax,
    isOutOfAttempts: ({ context }) => context.attempts >= context.settings.reconnect.attemptsMax,
    opensCircuit: ({ context }) => circuitCause(context) !== undefined,
    staysAway: ({ context }) => !context.settings.reconnect.enabled,
    owesTrial: ({ context }) => owedRest(context) === 'open-circuit',
    owesRetry: ({ context }) => owedRest(context) === 'backoff',
    owesVerdict: ({ context }) => owedRest(context) === 'verdict',
    turnsReconnectOff: ({ event }) => event.type === 'CONFIGURE' && !event.settings.reconnect.enabled,
    turnsReconnectOn: ({ context, event }) =>
      event.type === 'CONFIGURE' &&
      event.settings.reconnect.enabled &&
      !context.settings.reconnect.enabled &&
      context.wanted,
    becomesUrgent: ({ context, event }) => event.type === 'SET_URGENCY' && event.urgent && !context.urgent,
    /** As above, unless the relay itself said when it wants to be asked again, or not to be. */
    becomesUrgentTrial: ({ context, event }) =>
      event.type === 'SET_URGENCY' && event.urgent && !context.urgent && context.loss.meaning !== 'refused',
  },
  actions: {
    /** Time and chance come in here, and nowhere else: an `assign` of `reading`. */
    takeReading: missingAction('takeReading', 'relay'),
    want: assign({ wanted: true }),
    unwant: assign({ wanted: false }),
    beginStopping: assign({ stopping: true, wanted: false }),
    applySettings: assign(({ event }) => {
      assertEvent(event, 'CONFIGURE');
      return { settings: event.settings };
    }),
    setUrgency: assign(({ event }) => {
      assertEvent(event, 'SET_URGENCY');
      return { urgent: event.urgent };
    }),
    setEjectable: assign(({ context, event }) => {
      assertEvent(event, 'SET_EJECTABLE');
      return setEjectable(context, event.ejectable);
    }),
    setNetwork: assign(({ event }) => {
      assertEvent(event, 'SET_NETWORK');
      return { network: event.network };
    }),
    beginSession: assign(({ context }) => beginSession(context)),
    beginTrial: assign({ trial: true }),
    beginDeadline: assign(({ context }) => beginDeadline(context)),
    markOpened: assign({ opened: true }),
    markUnwell: assign({ unwell: true }),
    markWell: assign(() => markWell()),
    markProven: assign({ proven: true }),
    markServed: assign({ served: true }),
    settle: assign(({ context }) => settle(context)),
    forgiveTrip: assign(({ context }) => ({ trips: Math.max(0, context.trips - 1) })),
    recordLoss: assign(({ context, event }) => {
      assertEvent(event, ['socket.closed', 'socket.closing']);
      return recordLoss(context, event.report, event.successesAt);
    }),
    recordResolveTimeout: assign(({ context }) =>
      recordDeadline(context, RESOLVE_TIMEOUT, context.settings.resolveTimeoutMs),
    ),
    recordConnectTimeout: assign(({ context }) =>
      recordDeadline(context, CONNECT_TIMEOUT, context.settings.connectTimeoutMs),
    ),
    recordTrialTimeout: assign(({ context }) =>
      recordDeadline(context, NO_ANSWER, context.settings.breaker.halfOpenTimeoutMs),
    ),
    recordNoAnswer: assign(({ context }) => recordLoss(context, NO_ANSWER, [])),
    recordSilence: assign(({ context }) => recordLoss(context, SILENT, [], true)),
    recordCrash: assign(({ context }) => recordLoss(context, CRASHED, [])),
    recordCallFailure: assign(({ context, event }) => {
      assertEvent(event, ['operation.failed', 'probe.failed']);
      return recordCallFailure(context, event.successesAt);
    }),
    recordTrip: assign(({ context }) => recordTrip(context)),
    countProbe: assign(({ context }) => ({ probes: context.probes + 1 })),
    closeCircuit: assign(() => closeCircuit()),
    pardon: assign(() => pardon()),
    pardonNetwork: assign(({ context }) => pardonNetwork(context)),
    scheduleRetry: assign(({ context }) => scheduleRetry(context)),
    hastenRetry: assign(({ context }) => hastenRetry(context)),
    hastenTrial: assign(({ context }) => hastenTrial(context)),
    scheduleReturn: assign(({ context }) => scheduleReturn(context)),
    excuse: assign(({ context }) => excuse(context)),
    resumeRest: assign(({ context }) => resumeRest(context)),
    scheduleTrial: assign(({ context }) => scheduleTrial(context)),
    probeLiveness: sendTo('socket', { type: 'PROBE' }),
    checkQuality: sendTo('socket', { type: 'CHECK' }),
    tuneSocket: sendTo('socket', ({ context }) => ({ type: 'CONFIGURE' as const, settings: context.settings })),
    watchCalls: sendTo('socket', { type: 'WATCH' }),
    closeSocket: sendTo('socket', { type: 'CLOSE' }),
    /** Further connections, where it may have any, come and go with the load while this one serves. */
    startScaling: enqueueActions(({ context, enqueue }) => {
      const { url, generation, settings, supervisor, isScaling } = context;
      if (isScaling || settings.connectionsMax === 1) return;
      enqueue.assign({ isScaling: true });
      enqueue.spawnChild('scaling', { id: 'scaling', input: { url, generation, settings, supervisor } });
    }),
    tuneScaling: enqueueActions(({ context, enqueue }) => {
      const { settings, isScaling } = context;
      if (isScaling) enqueue.sendTo('scaling', { type: 'CONFIGURE', settings });
    }),
    stopScaling: enqueueActions(({ context, enqueue }) => {
      if (!context.isScaling) return;
      enqueue.assign({ isScaling: false });
      enqueue.stopChild('scaling');
    }),
    reportStatus: report<{ status: RelayStatus; suspect?: true }>(({ context }, { status, suspect }) => ({
      type: 'relay.status-changed',
      url: context.url,
      status,
      generation: context.generation,
      ...(suspect ? { suspect } : {}),
      ...(context.ejected ? { ejected: true } : {}),
      ...(status === 'backoff' || status === 'open-circuit' ? { retryAtMs: context.retryAtMs } : {}),
      ...(context.end === undefined || HAS_CONNECTION.has(status) ? {} : { reason: context.end.reason }),
    })),
    reportConnected: report(({ context }) =>
      context.served
        ? { type: 'relay.reconnected', url: context.url, generation: context.generation, attempts: context.attempts }
        : { type: 'relay.connected', url: context.url, generation: context.generation },
    ),
    reportDisconnected: report(({ context }) => ({
      type: 'relay.disconnected',
      url: context.url,
      ...(context.end ?? { code: 1006, reason: '', atMs: context.reading.nowMs }),
    })),
    reportSuspected: report(({ context }) => ({
      type: 'relay.suspected',
      url: context.url,
      atMs: context.reading.nowMs,
    })),
    reportCleared: report(({ context }) => ({ type: 'relay.cleared', url: context.url })),
    reportCapped: report(({ context }) => ({ type: 'relay.degraded', url: context.url, reasons: ['capped'] })),
    reportReconnecting: report(({ context }) => ({
      type: 'relay.reconnecting',
      url: context.url,
      attempt: Math.max(1, context.attempts),
      delayMs: context.delayMs,
      reason: context.end?.reason ?? '',
    })),
    reportDegraded: report(({ context, event }) => {
      assertEvent(event, 'health.degraded');
      return { type: 'relay.degraded', url: context.url, reasons: event.reasons };
    }),
    reportRecovered: report(({ context }) => ({ type: 'relay.recovered', url: context.url })),
    reportCircuitOpened: report(({ context }) => ({
      type: 'relay.circuit-opened',
      url: context.url,
      cause: circuitCause(context) as CircuitCause,
      trips: context.trips,
      delayMs: context.delayMs,
      reason: context.end?.reason ?? '',
    })),
    reportCircuitClosed: report(({ context }) => ({ type: 'relay.circuit-closed', url: context.url })),
    reportGaveUp: report<{ cause: GaveUpCause }>(({ context }, { cause }) => ({
      type: 'relay.gave-up',
      url: context.url,
      cause,
      reason: context.end?.reason ?? '',
    })),
  },
});
