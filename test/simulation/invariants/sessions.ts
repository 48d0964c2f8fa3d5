import { DEGRADED, DIAL_BOUNDS } from '../../../machines/policy/limits.ts';
import { isRoutable, type RelayStatus } from '../../../machines/policy/status.ts';
import type { DeliveryLane } from '../../../src/delivery/publication.ts';
import type { Invariant, Wire } from '../scene.ts';

/** Where each status may lead. */
const JOURNEYS: Readonly<Record<RelayStatus, readonly RelayStatus[]>> = {
  idle: ['connecting', 'backoff', 'open-circuit', 'paused', 'locked-out', 'stopped'],
  connecting: ['connected', 'half-open', 'backoff', 'open-circuit', 'paused', 'locked-out', 'idle', 'stopped'],
  connected: ['degraded', 'closing', 'backoff', 'open-circuit', 'paused', 'locked-out', 'idle'],
  // Silence comes and goes within it.
  degraded: ['connected', 'degraded', 'closing', 'backoff', 'open-circuit', 'paused', 'locked-out', 'idle'],
  'half-open': ['connected', 'closing', 'open-circuit', 'paused', 'locked-out', 'idle'],
  closing: ['connecting', 'backoff', 'open-circuit', 'paused', 'locked-out', 'idle', 'stopped'],
  // From an open circuit too, where our own network was to blame; both may be drawn anew.
  backoff: ['connecting', 'backoff', 'paused', 'idle', 'stopped'],
  'open-circuit': ['connecting', 'open-circuit', 'backoff', 'paused', 'idle', 'stopped'],
  paused: ['backoff', 'idle', 'stopped'],
  'locked-out': ['connecting', 'backoff', 'paused', 'idle', 'stopped'],
  // A relay that was removed and added again has a new actor.
  stopped: ['idle'],
};

/** Milliseconds within which something is still on time: what happens at one moment has no order. */
const TOLERANCE_MS = 1;

const statuses: Invariant = {
  ids: 'S1',
  says: 'a relay is in one status, and changes it only along the arrows of its chart',
  watch: (scene) => ({
    fact(fact, _relay, before) {
      if (fact.type !== 'relay.status-changed') return;
      scene.mark(fact.status);
      const allowed = before === undefined ? fact.status === 'idle' : JOURNEYS[before].includes(fact.status);
      if (!allowed) scene.fail('S1', `${fact.url} went from ${before ?? 'nothing'} to ${fact.status}`);
    },
  }),
};

const sockets: Invariant = {
  ids: 'S2',
  says: 'a relay never has two live sockets, or not more than it may have',
  watch: (scene) => {
    const live = new Set<Wire>();
    /** As many as each relay was ever allowed. */
    const allowed = new Map<string, number>();
    return {
      began: () => {
        live.clear();
        allowed.clear();
      },
      dialled(wire) {
        const { url, isFurther } = wire;
        live.add(wire);
        const count = [...live].filter((each) => each.url === url && each.isFurther === isFurther).length;
        const max = Math.max(allowed.get(url) ?? 1, scene.settings(url).connectionsMax);
        allowed.set(url, max);
        if (!isFurther && count > 1) scene.fail('S2', `${url} has ${count} live sockets`);
        const outlived = isFurther ? undefined : [...live].find((each) => each.url === url && each.isFurther);
        if (outlived) scene.fail('S2', `${url} is dialled anew while a further connection is open`);
        if (isFurther && count > max - 1) scene.fail('S2', `${url} has ${count} further sockets, and may have ${max}`);
      },
      ended(wire) {
        live.delete(wire);
      },
      fact({ type }) {
        if (type === 'relay.resized') scene.mark('resized');
      },
    };
  },
};

const waits: Invariant = {
  ids: 'S4',
  says: 'nothing is dialled before the backoff or the open circuit that was announced has ended',
  watch: (scene) => ({
    dialled(_wire, { url, wait }) {
      if (!wait || !scene.settings(url).reconnect.enabled) return;
      const waited = scene.now - wait.since >= wait.delayMs - TOLERANCE_MS;
      if (waited || scene.ownNow >= wait.untilOwn - TOLERANCE_MS) return;
      scene.fail('S4', `${url} was dialled ${wait.delayMs - (scene.now - wait.since)} ms too early`);
    },
  }),
};

const silence: Invariant = {
  ids: 'S4 S14',
  says: 'events are sent only to relays that are connected or degraded, and nothing to those that have no session',
  watch: (scene) => ({
    sent({ url }, _relay, eventId) {
      const status = scene.statusOf(url);
      if (eventId !== undefined && status !== undefined && !isRoutable(status)) {
        scene.fail('S14', `an event was sent to ${url}, which is ${status}`);
      }
      if (status === 'backoff' || status === 'open-circuit' || status === 'locked-out' || status === 'stopped') {
        scene.fail('S4', `a frame was sent to ${url}, which is ${status}`);
      }
    },
  }),
};

const probes: Invariant = {
  ids: 'S5 S9',
  says: 'a half-open relay is asked one thing at a time, and becomes connected only after enough answers in a row',
  watch: (scene) => ({
    sent(wire, { url }) {
      if (scene.statusOf(url) === 'half-open' && wire.probesOpen.size > 1)
        scene.fail('S5', `${url} is asked ${wire.probesOpen.size} things`);
    },
    fact(fact, relay, before) {
      if (fact.type !== 'relay.status-changed' || !relay?.wire) return;
      if (fact.status !== 'connected' || before !== 'half-open') return;
      const needed = scene.settings(fact.url).breaker.successThreshold;
      if (relay.wire.signs < needed) {
        scene.fail('S9', `${fact.url} was connected after ${relay.wire.signs} of ${needed} signs of life`);
      }
    },
  }),
};

const deadlines: Invariant = {
  ids: 'L2',
  says: 'connecting, half-open and closing always end by their own deadline',
  watch: (scene) => {
    /** The longest deadline that the relay had while it was in its status: settings may change meanwhile. */
    const longest = new Map<string, number>();
    const check = (url: string, status: RelayStatus | undefined, forMs: number): void => {
      const limit = longest.get(url);
      if (limit !== undefined && forMs > limit + TOLERANCE_MS) {
        scene.fail('L2', `${url} was ${status} for ${forMs} ms, but the deadline is ${limit} ms`);
      }
    };
    const limitOf = (url: string, status: RelayStatus | undefined): number | undefined => {
      const { connectTimeoutMs, closeTimeoutMs, breaker } = scene.settings(url);
      if (status === 'connecting') return connectTimeoutMs;
      if (status === 'half-open') return breaker.halfOpenTimeoutMs;
      return status === 'closing' ? closeTimeoutMs : undefined;
    };
    let since = new Map<string, number>();
    const checkAll = (): void => {
      for (const { url, status } of scene.relays.values()) {
        const began = since.get(url);
        if (began !== undefined) check(url, status, scene.awakeMs - began);
      }
    };
    return {
      began: () => {
        longest.clear();
        since = new Map();
      },
      // Who waits for its turn to dial has no deadline of its own.
      dialled(_wire, { url, status }) {
        if (status !== 'connecting') return;
        since.set(url, scene.awakeMs);
        longest.set(url, scene.settings(url).connectTimeoutMs);
      },
      fact(fact, _relay, before) {
        if (fact.type === 'relay.crashed' || fact.type === 'relay.removed') since.delete(fact.url);
        if (fact.type !== 'relay.status-changed') return;
        const began = since.get(fact.url);
        if (began !== undefined) check(fact.url, before, scene.awakeMs - began);
        const limit = limitOf(fact.url, fact.status);
        if (limit === undefined) longest.delete(fact.url);
        else longest.set(fact.url, limit);
        const waitsForTurn = fact.status === 'connecting' && !scene.relay(fact.url).wire?.live;
        if (limit === undefined || waitsForTurn) since.delete(fact.url);
        else since.set(fact.url, scene.awakeMs);
      },
      calmed: checkAll,
    };
  },
};

const windows: Invariant = {
  ids: 'S17',
  says: 'a connection has no more unanswered events than its window, but for late ones while it answers others, and rests when it was asked to slow down',
  watch: (scene) => {
    const { ackTimeoutMs, window, resendDelayMs } = scene.publishing;
    /** Until when each connection rests, after it was last asked to slow down. */
    const rests = new Map<string, number>();
    return {
      began: () => rests.clear(),
      sent(wire, { url }, eventId) {
        if (eventId === undefined) return;
        const overdueAt = scene.ownNow - ackTimeoutMs;
        let inFlight = 0;
        for (const sentAt of wire.unanswered.values()) if (sentAt > overdueAt) inFlight += 1;
        // Late ones give places back while the relay answers others, but no more than there are.
        if (inFlight > 2 * window && !scene.timeWasOdd) {
          scene.fail('S17', `${inFlight} events are unanswered at ${url}, more than twice ${window}`);
        }
        const lane = scene.lanes().find((each) => each.url === url);
        const mayBe = (way: DeliveryLane['ways'][number]): number => {
          const isTalking = [...way.inFlight].some(
            ({ sentAt, overtaken }) => overtaken > 0 || sentAt < way.session.spokeAt,
          );
          return isTalking ? 2 * way.window : way.window;
        };
        if (lane && !lane.ways.some((way) => way.inFlight.size < mayBe(way))) {
          scene.fail('S17', `${url} is sent an event beside ${lane.inFlight}, with a window of ${lane.window}`);
        }
        const earlyMs = (rests.get(`${url} ${wire.number}`) ?? 0) - scene.now;
        if (earlyMs > TOLERANCE_MS)
          scene.fail('S17', `${url} was sent an event ${earlyMs} ms before its rest was over`);
      },
      received(wire, { url }, message) {
        if (message.type !== 'answer' || message.accepted || message.refusal.class !== 'paced') return;
        const sentAt = wire.unanswered.get(message.id);
        if (sentAt === undefined || scene.timeWasOdd || scene.ownNow - sentAt >= ackTimeoutMs) return;
        rests.set(`${url} ${wire.number}`, scene.now + resendDelayMs / 2);
      },
    };
  },
};

const dwell: Invariant = {
  ids: 'S30',
  says: 'a degraded relay stays so for its dwell before it counts as well again',
  watch: (scene) => {
    const since = new Map<string, number>();
    return {
      began: () => since.clear(),
      fact(fact) {
        if (fact.type === 'relay.degraded') since.set(fact.url, since.get(fact.url) ?? scene.awakeMs);
        if (fact.type === 'relay.disconnected') since.delete(fact.url);
        if (fact.type !== 'relay.recovered') return;
        const forMs = scene.awakeMs - (since.get(fact.url) ?? 0);
        since.delete(fact.url);
        if (forMs < DEGRADED.dwellMs - TOLERANCE_MS && !scene.timeWasOdd) {
          scene.fail('S30', `${fact.url} was degraded for ${forMs} ms only`);
        }
      },
    };
  },
};

const verdicts: Invariant = {
  ids: 'S26',
  says: 'a suspicion closes no socket, and a connection counts as dead only after long silence',
  watch: (scene) => {
    const suspects = new Set<string>();
    return {
      began: () => suspects.clear(),
      fact(fact, relay) {
        if (fact.type === 'relay.suspected') {
          scene.mark('suspected');
          suspects.add(fact.url);
          if (!relay?.wire?.live) scene.fail('S26', `${fact.url} lost its socket when it was suspected`);
        }
        if (fact.type === 'relay.status-changed' && !fact.suspect) suspects.delete(fact.url);
        if (fact.type !== 'relay.disconnected') return;
        const isLetGo = relay?.wire !== undefined && !relay.wire.live && relay.lastReport === undefined;
        if (fact.reason === 'silent for too long' || (isLetGo && suspects.has(fact.url))) {
          scene.mark('dead');
          const silentMs = scene.ownNow - (relay?.wire?.heardAt ?? scene.ownNow);
          const { deadAfterMs } = scene.settings(fact.url);
          if (!suspects.has(fact.url)) scene.fail('S26', `${fact.url} was dead without having been suspected`);
          if (silentMs < deadAfterMs - TOLERANCE_MS && !scene.clockWasSet) {
            scene.fail('S26', `${fact.url} counts as dead after ${silentMs} of ${deadAfterMs} ms`);
          }
        }
        suspects.delete(fact.url);
      },
    };
  },
};

const crowds: Invariant = {
  ids: 'S11',
  says: 'few young dials are under way, however many old ones are, and relays that a caller waits for are dialled first',
  watch: (scene) => {
    /** Dials that are under way, with the time at which each began. */
    const dialling = new Map<Wire, number>();
    const settle = (): void => {
      for (const wire of dialling.keys()) if (wire.opened || !wire.live) dialling.delete(wire);
    };
    return {
      began: () => dialling.clear(),
      dialled(wire) {
        settle();
        dialling.set(wire, scene.ownNow);
        // Where the clock was set, ages say nothing.
        if (scene.timeWasOdd) return;
        const young = [...dialling.values()].filter((at) => scene.ownNow - at < DIAL_BOUNDS.youngMs).length;
        if (young > DIAL_BOUNDS.young) scene.fail('S11', `${young} relays are dialled at one time`);
        if (dialling.size > DIAL_BOUNDS.most) scene.fail('S11', `${dialling.size} dials are under way`);
        if (dialling.size > young) scene.mark('old-dials');
      },
      ended: settle,
    };
  },
};

export const SESSION_INVARIANTS: readonly Invariant[] = [
  statuses,
  sockets,
  waits,
  silence,
  probes,
  deadlines,
  windows,
  dwell,
  verdicts,
  crowds,
];
