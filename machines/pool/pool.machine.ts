import { initialPoolContext } from './pool.context.ts';
import { poolSetup } from './pool.setup.ts';

/**
 * The supervisor of all relays.
 *
 * It spawns one actor per relay, restarts one that throws within an intensity limit, and outlives all of them. It
 * admits publications, and hands them to its data plane, which moves the bytes. `serving` has relays that messages can
 * be sent to; `strained` has so few of them that nobody can be spared; `stranded` has none, and keeps what it accepted. In
 * both every relay retries sooner. Beside that it judges our own network: where many relays fail in one moment, it is
 * `suspect` and not they, and while the platform says `offline`, nobody dials. `draining` accepts nothing more and waits
 * for what is open, `stopping` waits for the relays to close.
 *
 * Invariants: a relay has at most one actor; nothing is accepted outside `running`; in `closed` no actor is left.
 */
export const poolMachine = poolSetup.createMachine({
  id: 'pool',
  context: ({ input }) => initialPoolContext(input ?? {}),
  invoke: {
    id: 'dataPlane',
    src: 'dataPlane',
    input: ({ context, self }) => ({ pool: self, settings: context.settings }),
    onError: { target: '.closed' },
  },
  entry: 'readNetwork',
  initial: 'running',
  on: {
    PUBLISH: { actions: 'refusePublication' },
    CANCEL: { actions: 'cancelPublication' },
    SUBSCRIBE: { actions: 'refuseSubscription' },
    UNSUBSCRIBE: { actions: 'endSubscription' },
    STOP: { target: '.stopping' },
    'relay.status-changed': {
      guard: 'isKnownRelay',
      actions: ['trackStatus', 'tellEjectable', 'updateRelay', 'reportFact'],
    },
    'plane.need-changed': { actions: 'recordNeed' },
    'relay.crashed': { actions: ['dropConnection', 'reportFact', 'closeRelay', 'forgetRelay'] },
    'relay.*': { actions: 'reportFact' },
    'publication.*': { actions: 'reportFact' },
    'delivery.*': { actions: 'reportFact' },
    'subscription.*': { actions: 'reportFact' },
    'outbox.failed': { actions: 'reportFact' },
    'state.failed': { actions: 'reportFact' },
    'verifier.failed': { actions: 'reportFact' },
    'xstate.error.actor.*': { actions: ['takeReading', 'raiseCrash'] },
    'xstate.done.actor.*': { actions: ['closeRelay', 'forgetRelay'] },
  },
  states: {
    running: {
      tags: 'accepting',
      entry: ['openRelay', 'spawnRelays', 'keepRelays'],
      on: {
        PUBLISH: { actions: 'acceptPublication' },
        SUBSCRIBE: { actions: 'acceptSubscription' },
        ADD_RELAY: [
          { guard: 'isRefused', actions: 'reportRefused' },
          { guard: 'isPresentAlready', actions: ['configureRelay', 'tellSettings', 'tuneRelays', 'keepRelays'] },
          { actions: ['addRelay', 'openRelay', 'spawnRelays', 'reportAdded', 'keepRelays'] },
        ],
        REMOVE_RELAY: [
          { guard: 'isRefused', actions: 'reportRefused' },
          { guard: 'isAbandoned', actions: ['closeRelay', 'forgetRelay', 'keepRelays'] },
          { guard: 'isLeaving' },
          { actions: ['removeRelay', 'closeRelay', 'stopRelay', 'keepRelays'] },
        ],
        CONFIGURE_RELAY: [
          { guard: 'isRefused', actions: 'reportRefused' },
          { actions: ['configureRelay', 'tellSettings', 'tuneRelays', 'keepRelays'] },
        ],
        CONFIGURE: [
          { guard: 'isRefused', actions: 'reportRefused' },
          { actions: ['configure', 'tellSettings', 'tunePool', 'tuneRelays', 'keepRelays'] },
        ],
        CONNECT: [{ guard: 'isRefused', actions: 'reportRefused' }, { actions: ['recordWish', 'tellRelays'] }],
        DISCONNECT: [{ guard: 'isRefused', actions: 'reportRefused' }, { actions: ['recordWish', 'tellRelays'] }],
        DRAIN: [
          { guard: 'isRefused', actions: 'reportRefused' },
          { target: 'draining', actions: 'setDrainTime' },
        ],
        'relay.crashed': [
          { guard: 'isLeaving', actions: ['dropConnection', 'reportFact', 'closeRelay', 'forgetRelay'] },
          {
            guard: 'mayRestartRelay',
            actions: ['dropConnection', 'reportFact', 'recordRestart', 'updateRelay', 'respawnRelay'],
          },
          {
            actions: ['dropConnection', 'reportFact', 'stopCrashed', 'abandonRelay', 'updateRelay', 'reportAbandoned'],
          },
        ],
        'xstate.done.actor.*': { guard: 'isReturning', actions: ['renewRelay', 'spawnRelays'] },
      },
      type: 'parallel',
      states: {
        service: {
          initial: 'starting',
          states: {
            starting: {
              always: [
                { guard: 'isEveryRelayDown', target: 'stranded', actions: 'reportStranded' },
                { guard: 'beginsServing', target: 'serving', actions: 'tellUrgency' },
                { guard: 'beginsStrained', target: 'strained', actions: 'reportStrained' },
              ],
            },
            serving: {
              always: [
                { guard: 'hasNoRoutable', target: 'stranded', actions: ['reportStranded', 'tellUrgency'] },
                { guard: 'isStrained', target: 'strained', actions: ['reportStrained', 'tellUrgency'] },
              ],
            },
            strained: {
              always: [
                { guard: 'hasNoRoutable', target: 'stranded', actions: 'reportStranded' },
                { guard: 'isRelieved', target: 'serving', actions: ['reportRelieved', 'tellUrgency'] },
              ],
            },
            stranded: {
              always: [
                { guard: 'isStrained', target: 'strained', actions: ['reportRecovered', 'reportStrained'] },
                { guard: 'hasRoutable', target: 'serving', actions: ['reportRecovered', 'tellUrgency'] },
              ],
            },
          },
        },
        network: {
          on: {
            'relay.cleared': { actions: ['forgetNetworkLoss', 'reportFact'] },
            'network.offline': {
              target: '.offline',
              actions: ['takeReading', 'tellOffline', 'updateNetwork', 'reportOffline'],
            },
          },
          initial: 'starting',
          states: {
            starting: {
              always: [{ guard: 'isOffline', target: 'offline', actions: 'reportOffline' }, { target: 'well' }],
            },
            well: {
              on: {
                'network.online': { actions: 'returnToNetwork' },
                'relay.suspected': [
                  {
                    guard: 'makesNetworkDoubtful',
                    target: 'suspect',
                    actions: [
                      'recordNetworkLoss',
                      'reportFact',
                      'reportDoubt',
                      'takeReading',
                      'tellDoubt',
                      'updateNetwork',
                    ],
                  },
                  { actions: ['recordNetworkLoss', 'reportFact'] },
                ],
                'relay.disconnected': [
                  {
                    guard: 'makesNetworkDoubtful',
                    target: 'suspect',
                    actions: [
                      'recordNetworkLoss',
                      'reportFact',
                      'reportDoubt',
                      'takeReading',
                      'tellDoubt',
                      'updateNetwork',
                    ],
                  },
                  { actions: ['recordNetworkLoss', 'reportFact'] },
                ],
              },
            },
            // Many relays failed in one moment: until one is heard of, nothing that fails is their fault.
            suspect: {
              on: {
                'network.online': {
                  target: 'well',
                  actions: ['takeReading', 'tellWell', 'updateNetwork', 'returnToNetwork', 'reportOnline'],
                },
                'relay.connected': {
                  target: 'well',
                  actions: ['reportFact', 'takeReading', 'tellWell', 'updateNetwork', 'reportOnline'],
                },
                'relay.reconnected': {
                  target: 'well',
                  actions: ['reportFact', 'takeReading', 'tellWell', 'updateNetwork', 'reportOnline'],
                },
                'relay.cleared': {
                  target: 'well',
                  actions: ['reportFact', 'takeReading', 'tellWell', 'updateNetwork', 'reportOnline'],
                },
              },
              after: { doubtDelay: { target: 'well', actions: ['takeReading', 'tellWell', 'updateNetwork'] } },
            },
            offline: {
              on: {
                'network.offline': {},
                'network.online': {
                  target: 'well',
                  actions: ['takeReading', 'tellWell', 'updateNetwork', 'returnToNetwork', 'reportOnline'],
                },
              },
            },
          },
        },
      },
    },
    draining: {
      entry: ['reportDraining', 'beginDraining'],
      on: { 'ledger.emptied': { target: 'stopping' } },
      after: { drainTimeout: { target: 'stopping' } },
    },
    stopping: {
      entry: ['giveUpPublications', 'forgetAbandoned', 'stopRelays'],
      on: { STOP: {} },
      always: { guard: 'isDeserted', target: 'closed' },
      after: { stopTimeout: { target: 'closed' } },
    },
    closed: {
      type: 'final',
      entry: 'reportClosed',
    },
  },
});
