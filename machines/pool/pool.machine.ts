import { initialPoolContext } from './pool.context.ts';
import { poolSetup } from './pool.setup.ts';

/**
 * The supervisor of all relays.
 *
 * It spawns one actor per relay, restarts one that throws within an intensity limit, and outlives all of them. It
 * admits publications, and hands them to its data plane, which moves the bytes. `serving` has a relay that messages
 * can be sent to; `stranded` has none, keeps what it accepted, and lets every relay retry sooner. `draining` accepts
 * nothing more and waits for what is open, `stopping` waits for the relays to close.
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
  initial: 'running',
  on: {
    PUBLISH: { actions: 'refusePublication' },
    CANCEL: { actions: 'cancelPublication' },
    STOP: { target: '.stopping' },
    'relay.status-changed': { guard: 'isKnownRelay', actions: ['trackStatus', 'updateLane', 'reportFact'] },
    'relay.crashed': { actions: ['dropConnection', 'reportFact', 'closeLane', 'forgetRelay'] },
    'relay.*': { actions: 'reportFact' },
    'publication.*': { actions: 'reportFact' },
    'delivery.*': { actions: 'reportFact' },
    'xstate.error.actor.*': { actions: ['takeReading', 'raiseCrash'] },
    'xstate.done.actor.*': { actions: ['closeLane', 'forgetRelay'] },
  },
  states: {
    running: {
      tags: 'accepting',
      entry: ['openLane', 'spawnRelays'],
      on: {
        PUBLISH: { actions: 'acceptPublication' },
        ADD_RELAY: [
          { guard: 'isRefused', actions: 'reportRefused' },
          { guard: 'isPresentAlready', actions: ['configureRelay', 'tellSettings'] },
          { actions: ['addRelay', 'openLane', 'spawnRelays', 'reportAdded'] },
        ],
        REMOVE_RELAY: [
          { guard: 'isRefused', actions: 'reportRefused' },
          { guard: 'isAbandoned', actions: ['closeLane', 'forgetRelay'] },
          { guard: 'isLeaving' },
          { actions: ['removeRelay', 'closeLane', 'stopRelay'] },
        ],
        CONFIGURE_RELAY: [
          { guard: 'isRefused', actions: 'reportRefused' },
          { actions: ['configureRelay', 'tellSettings'] },
        ],
        CONFIGURE: [{ guard: 'isRefused', actions: 'reportRefused' }, { actions: ['configure', 'tellSettings'] }],
        CONNECT: [{ guard: 'isRefused', actions: 'reportRefused' }, { actions: ['recordWish', 'tellRelays'] }],
        DISCONNECT: [{ guard: 'isRefused', actions: 'reportRefused' }, { actions: ['recordWish', 'tellRelays'] }],
        DRAIN: [
          { guard: 'isRefused', actions: 'reportRefused' },
          { target: 'draining', actions: 'setDrainTime' },
        ],
        'relay.crashed': [
          { guard: 'isLeaving', actions: ['dropConnection', 'reportFact', 'closeLane', 'forgetRelay'] },
          {
            guard: 'mayRestartRelay',
            actions: ['dropConnection', 'reportFact', 'recordRestart', 'updateLane', 'respawnRelay'],
          },
          { actions: ['dropConnection', 'reportFact', 'stopCrashed', 'abandonRelay', 'updateLane', 'reportAbandoned'] },
        ],
        'xstate.done.actor.*': { guard: 'isReturning', actions: ['renewRelay', 'spawnRelays'] },
      },
      initial: 'starting',
      states: {
        starting: {
          always: [
            { guard: 'hasRoutable', target: 'serving', actions: 'tellUrgency' },
            { guard: 'isEveryRelayDown', target: 'stranded', actions: 'reportStranded' },
          ],
        },
        serving: {
          always: { guard: 'hasNoRoutable', target: 'stranded', actions: ['reportStranded', 'tellUrgency'] },
        },
        stranded: {
          always: { guard: 'hasRoutable', target: 'serving', actions: ['reportRecovered', 'tellUrgency'] },
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
