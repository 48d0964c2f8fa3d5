import { initialRelayContext } from './relay.context.ts';
import { relaySetup } from './relay.setup.ts';

/** The relay begins to close a connection that was open, or breaks the protocol on it. */
const ENDS = [
  { guard: 'isStale' },
  { target: '#relay.session.ending', actions: ['takeReading', 'recordLoss'] },
] as const;

/**
 * The life of one relay connection.
 *
 * A session owns the socket: it is invoked on entering `session` and terminated on leaving it, so a relay can never
 * have two. Everything a session reports carries the generation of its socket, and what an older one says moves
 * nothing. Whatever ends a session passes through `assessing`, the one place that decides what comes next: another
 * attempt after a backoff, an open circuit, a pause while there is no network, idling, or giving the relay up. Where
 * nothing failed, `obeying` does what
 * was asked for last: stop, stay idle, or connect, and then no sooner than the last failure allows. Backoff and the
 * open circuit are the only ways back to `connecting` after a failure; nobody can shorten them. Attempts are forgotten
 * only when a session has `settled`: it has served for a while and somebody has answered. A circuit closes only after
 * several probes in a row.
 *
 * Silence has two verdicts. `suspected` comes after one answer timeout, closes nothing, and ends with whatever arrives;
 * a connection that is dead is one that was suspected and stayed silent for much longer.
 *
 * Resolving the name and dialling have a deadline each; waiting for a turn has none. A relay that is locked out is dialled
 * once a day, and when it is asked for.
 *
 * Invariants: a socket exists exactly while the state is within `session`; `resolving`, `dialling` and `half-open` always
 * end by their own deadline; `stopped` is the only state that cannot be left.
 */
export const relayMachine = relaySetup.createMachine({
  id: 'relay',
  context: ({ input }) => initialRelayContext(input),
  initial: 'idle',
  on: {
    CONFIGURE: { actions: 'applySettings' },
    SET_URGENCY: { actions: 'setUrgency' },
    SET_EJECTABLE: { actions: 'setEjectable' },
    SET_NETWORK: { actions: 'setNetwork' },
    STOP: { target: '.stopped' },
  },
  states: {
    idle: {
      tags: 'offline',
      entry: { type: 'reportStatus', params: { status: 'idle' } },
      on: {
        CONNECT: { target: 'obeying', actions: 'want' },
        DISCONNECT: { actions: 'unwant' },
        CONFIGURE: { guard: 'turnsReconnectOn', target: 'obeying', actions: 'applySettings' },
      },
    },
    session: {
      entry: 'beginSession',
      exit: 'stopScaling',
      invoke: {
        id: 'socket',
        src: 'socket',
        input: ({ context }) => ({
          url: context.url,
          generation: context.generation,
          settings: context.settings,
          connection: 1,
          supervisor: context.supervisor,
        }),
        onError: { target: 'assessing', actions: ['takeReading', 'recordCrash', 'reportDisconnected'] },
      },
      initial: 'connecting',
      on: {
        CONFIGURE: { actions: ['applySettings', 'tuneScaling', 'tuneSocket'] },
        DISCONNECT: { target: '.closing', actions: 'unwant' },
        STOP: { target: '.closing', actions: 'beginStopping' },
        'socket.proved': [{ guard: 'isStale' }, { actions: 'markProven' }],
        'socket.closed': [
          { guard: 'isStale' },
          { target: 'assessing', actions: ['takeReading', 'recordLoss', 'reportDisconnected'] },
        ],
      },
      states: {
        connecting: {
          entry: { type: 'reportStatus', params: { status: 'connecting' } },
          on: {
            DISCONNECT: { target: '#relay.idle', actions: 'unwant' },
            STOP: { target: '#relay.stopped' },
          },
          initial: 'queued',
          states: {
            // Few names are resolved, and few relays dialled, at one time.
            queued: {
              on: {
                'socket.resolving': [
                  { guard: 'isStale' },
                  { target: 'resolving', actions: ['takeReading', 'beginDeadline'] },
                ],
                'socket.dialling': [
                  { guard: 'isStale' },
                  { target: 'dialling', actions: ['takeReading', 'beginDeadline'] },
                ],
              },
            },
            resolving: {
              after: {
                resolveTimeout: {
                  target: '#relay.assessing',
                  actions: ['takeReading', 'recordResolveTimeout', 'reportDisconnected'],
                },
              },
              on: { 'socket.resolved': [{ guard: 'isStale' }, { target: 'queued' }] },
            },
            dialling: {
              after: {
                connectTimeout: {
                  target: '#relay.assessing',
                  actions: ['takeReading', 'recordConnectTimeout', 'reportDisconnected'],
                },
              },
              on: {
                'socket.opened': [
                  { guard: 'isStale' },
                  {
                    guard: 'isOnTrial',
                    target: '#relay.session.half-open',
                    actions: ['markOpened', 'takeReading', 'beginDeadline', 'beginTrial'],
                  },
                  {
                    target: '#relay.session.connected',
                    actions: ['markOpened', 'reportConnected', 'markServed'],
                  },
                ],
              },
            },
          },
        },
        connected: {
          tags: 'routable',
          entry: [{ type: 'reportStatus', params: { status: 'connected' } }, 'startScaling'],
          always: [
            { guard: 'isEjected', target: '#relay.assessing', actions: ['takeReading', 'recordTrip'] },
            { guard: 'isTripped', target: 'degraded', actions: ['markUnwell', 'reportCapped'] },
          ],
          on: {
            'socket.closing': ENDS,
            'health.degraded': [
              { guard: 'isStale' },
              { target: 'degraded', actions: ['markUnwell', 'reportDegraded'] },
            ],
            'operation.failed': [{ guard: 'isStale' }, { actions: ['takeReading', 'recordCallFailure'] }],
            // Asked while it was unproven; anything that arrived since has proved it.
            'probe.failed': [
              { guard: 'isStale' },
              { guard: 'isProven' },
              { target: '#relay.assessing', actions: ['takeReading', 'recordNoAnswer', 'reportDisconnected'] },
            ],
            'link.silent': [
              { guard: 'isStale' },
              { target: 'degraded.suspected', actions: ['takeReading', 'reportSuspected'] },
            ],
          },
          initial: 'fresh',
          states: {
            fresh: {
              after: { stableDelay: [{ guard: 'isProven', target: 'settled' }, { target: 'unproven' }] },
            },
            unproven: {
              entry: 'probeLiveness',
              on: {
                'socket.proved': [{ guard: 'isStale' }, { target: 'settled', actions: 'markProven' }],
              },
            },
            settled: {
              entry: 'settle',
              after: { forgivenessDelay: { target: 'settled', reenter: true, actions: 'forgiveTrip' } },
            },
          },
        },
        degraded: {
          tags: 'routable',
          always: { guard: 'isEjected', target: '#relay.assessing', actions: ['takeReading', 'recordTrip'] },
          on: {
            'socket.closing': ENDS,
            'operation.failed': [{ guard: 'isStale' }, { actions: ['takeReading', 'recordCallFailure'] }],
            'probe.failed': [{ guard: 'isStale' }, { actions: ['takeReading', 'recordCallFailure'] }],
          },
          initial: 'unwell',
          states: {
            unwell: {
              entry: [{ type: 'reportStatus', params: { status: 'degraded' } }, 'watchCalls'],
              on: {
                'health.recovered': [
                  { guard: 'isStale' },
                  { target: '#relay.session.connected', actions: ['markWell', 'reportRecovered'] },
                ],
                'link.silent': [
                  { guard: 'isStale' },
                  { target: 'suspected', actions: ['takeReading', 'reportSuspected'] },
                ],
              },
              initial: 'watched',
              states: {
                // Less is sent there now, perhaps nothing, so it is asked how it is.
                watched: {
                  after: { recoveryCheckDelay: { target: 'watched', reenter: true, actions: 'checkQuality' } },
                },
              },
            },
            // It owes an answer and says nothing. That can be taken back at any moment, so it closes nothing.
            suspected: {
              entry: { type: 'reportStatus', params: { status: 'degraded', suspect: true } },
              on: {
                'link.heard': [
                  { guard: 'isStale' },
                  { guard: 'isUnwell', target: 'unwell', actions: 'reportCleared' },
                  { target: '#relay.session.connected', actions: 'reportCleared' },
                ],
                'link.dead': [
                  { guard: 'isStale' },
                  {
                    target: '#relay.assessing',
                    actions: ['takeReading', 'recordSilence', 'reportDisconnected'],
                  },
                ],
                'health.degraded': [{ guard: 'isStale' }, { actions: ['markUnwell', 'reportDegraded'] }],
                'health.recovered': [{ guard: 'isStale' }, { actions: ['markWell', 'reportRecovered'] }],
              },
            },
          },
        },
        'half-open': {
          tags: 'probing',
          entry: [{ type: 'reportStatus', params: { status: 'half-open' } }, 'probeLiveness'],
          after: {
            halfOpenTimeout: {
              target: '#relay.assessing',
              actions: ['takeReading', 'recordTrialTimeout', 'reportDisconnected'],
            },
          },
          on: {
            'socket.closing': ENDS,
            'probe.succeeded': [
              { guard: 'isStale' },
              {
                guard: 'isProbeSlow',
                target: '#relay.assessing',
                actions: ['takeReading', 'recordNoAnswer', 'reportDisconnected'],
              },
              {
                guard: 'isLastProbe',
                target: 'connected',
                actions: ['closeCircuit', 'reportCircuitClosed', 'reportConnected', 'markServed'],
              },
              { actions: ['countProbe', 'probeLiveness'] },
            ],
            'probe.failed': [
              { guard: 'isStale' },
              {
                target: '#relay.assessing',
                actions: ['takeReading', 'recordNoAnswer', 'reportDisconnected'],
              },
            ],
          },
        },
        // The relay closes, or broke the protocol. It has its time to close the socket, and is not waited for beyond that.
        ending: {
          entry: [{ type: 'reportStatus', params: { status: 'closing' } }, 'stopScaling'],
          after: { closeTimeout: { target: '#relay.ended' } },
          on: {
            CONNECT: { actions: 'want' },
            DISCONNECT: { actions: 'unwant' },
            STOP: { actions: 'beginStopping' },
            'socket.closed': [{ guard: 'isStale' }, { target: '#relay.ended' }],
            'xstate.error.actor.socket': { target: '#relay.ended' },
          },
        },
        closing: {
          entry: [{ type: 'reportStatus', params: { status: 'closing' } }, 'stopScaling', 'closeSocket'],
          after: { closeTimeout: { target: '#relay.obeying' } },
          on: {
            CONNECT: { actions: 'want' },
            DISCONNECT: { actions: 'unwant' },
            STOP: { actions: 'beginStopping' },
            'socket.closed': [{ guard: 'isStale' }, { target: '#relay.obeying' }],
            'xstate.error.actor.socket': { target: '#relay.obeying' },
          },
        },
      },
    },
    obeying: {
      always: [
        { guard: 'isStopping', target: 'stopped' },
        { guard: 'isUnwanted', target: 'idle' },
        { guard: 'isOffline', target: 'paused' },
        { guard: 'owesTrial', target: 'open-circuit', actions: ['takeReading', 'resumeRest'] },
        { guard: 'owesRetry', target: 'backoff', actions: ['takeReading', 'resumeRest'] },
        { guard: 'owesVerdict', target: 'assessing', actions: 'takeReading' },
        // Where nothing retries by itself, asking is the only way back, and nothing that went before stands in it.
        { guard: 'staysAway', target: 'session', actions: 'pardon' },
        { target: 'session' },
      ],
    },
    ended: {
      entry: 'reportDisconnected',
      always: [
        { guard: 'isStopping', target: 'stopped' },
        { guard: 'isUnwanted', target: 'idle' },
        { target: 'assessing', actions: 'takeReading' },
      ],
    },
    assessing: {
      always: [
        {
          guard: 'isGone',
          target: 'locked-out',
          actions: { type: 'reportGaveUp', params: { cause: 'gone' } },
        },
        {
          guard: 'isRefusedTooOften',
          target: 'locked-out',
          actions: { type: 'reportGaveUp', params: { cause: 'refused' } },
        },
        { guard: 'staysAway', target: 'idle' },
        { guard: 'isOffline', target: 'paused' },
        {
          guard: 'isOutOfAttempts',
          target: 'locked-out',
          actions: { type: 'reportGaveUp', params: { cause: 'attempts' } },
        },
        { guard: 'opensCircuit', target: 'open-circuit', actions: ['scheduleTrial', 'reportCircuitOpened'] },
        { target: 'backoff', actions: ['scheduleRetry', 'reportReconnecting'] },
      ],
    },
    backoff: {
      tags: 'offline',
      entry: { type: 'reportStatus', params: { status: 'backoff' } },
      after: { retryDelay: { target: 'session' } },
      on: {
        DISCONNECT: { target: 'idle', actions: 'unwant' },
        CONFIGURE: { guard: 'turnsReconnectOff', target: 'idle', actions: 'applySettings' },
        SET_URGENCY: {
          guard: 'becomesUrgent',
          target: 'backoff',
          reenter: true,
          actions: ['setUrgency', 'takeReading', 'hastenRetry'],
        },
        SET_NETWORK: [
          { guard: 'goesOffline', target: 'paused', actions: 'setNetwork' },
          {
            guard: 'isExcusable',
            target: 'backoff',
            reenter: true,
            actions: ['setNetwork', 'takeReading', 'excuse', 'reportReconnecting'],
          },
        ],
        RETURN_TO_NETWORK: {
          guard: 'cameOfNetwork',
          target: 'backoff',
          reenter: true,
          actions: ['takeReading', 'pardonNetwork', 'reportReconnecting'],
        },
      },
    },
    'open-circuit': {
      tags: 'offline',
      entry: { type: 'reportStatus', params: { status: 'open-circuit' } },
      after: {
        retryDelay: [
          { guard: 'isOffline', target: 'paused', actions: 'beginTrial' },
          { target: 'session', actions: 'beginTrial' },
        ],
      },
      on: {
        DISCONNECT: { target: 'idle', actions: 'unwant' },
        CONFIGURE: { guard: 'turnsReconnectOff', target: 'idle', actions: 'applySettings' },
        SET_URGENCY: {
          guard: 'becomesUrgentTrial',
          target: 'open-circuit',
          reenter: true,
          actions: ['setUrgency', 'takeReading', 'hastenTrial'],
        },
        SET_NETWORK: {
          guard: 'isExcusable',
          target: 'backoff',
          actions: ['setNetwork', 'takeReading', 'excuse', 'reportReconnecting'],
        },
        RETURN_TO_NETWORK: {
          guard: 'cameOfNetwork',
          target: 'backoff',
          actions: ['takeReading', 'pardonNetwork', 'reportReconnecting'],
        },
      },
    },
    // The platform says that there is no network: nothing is dialled, and nothing is anybody's failure.
    paused: {
      tags: 'offline',
      entry: { type: 'reportStatus', params: { status: 'paused' } },
      on: {
        DISCONNECT: { target: 'idle', actions: 'unwant' },
        CONFIGURE: { guard: 'turnsReconnectOff', target: 'idle', actions: 'applySettings' },
        SET_NETWORK: {
          guard: 'comesBack',
          target: 'backoff',
          actions: ['setNetwork', 'takeReading', 'scheduleReturn', 'reportReconnecting'],
        },
      },
    },
    'locked-out': {
      tags: 'offline',
      entry: { type: 'reportStatus', params: { status: 'locked-out' } },
      // Operators change their minds, and so do proxies.
      after: {
        lockOutDelay: [
          { guard: 'isOffline', target: 'paused', actions: 'beginTrial' },
          { target: 'session', actions: 'beginTrial' },
        ],
      },
      on: {
        CONNECT: { target: 'session', actions: 'pardon' },
        DISCONNECT: { target: 'idle', actions: ['pardon', 'unwant'] },
        SET_NETWORK: {
          guard: 'isExcusable',
          target: 'backoff',
          actions: ['setNetwork', 'takeReading', 'excuse', 'reportReconnecting'],
        },
        RETURN_TO_NETWORK: {
          guard: 'cameOfNetwork',
          target: 'backoff',
          actions: ['takeReading', 'pardonNetwork', 'reportReconnecting'],
        },
      },
    },
    stopped: {
      type: 'final',
      entry: { type: 'reportStatus', params: { status: 'stopped' } },
    },
  },
});
