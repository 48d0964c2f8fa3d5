import { SILENCE } from '../../../machines/policy/limits.ts';
import { isAboutRoom, mayBeAskedAgain } from '../../../machines/policy/request.ts';
import { isRoutable } from '../../../machines/policy/status.ts';
import type { NostrEvent, SubscriptionStanding } from '../../../src/index.ts';
import { isMeant, isQuestion, nameOf, type ReaderView } from '../reader.ts';
import type { Invariant, Scene, Wire } from '../scene.ts';

/** Milliseconds that a relay of the simulation may have an event after its time, and it is due all the same. */
const LATE_MS = 25_000;

/** What is open on one connection, by the name of the request: which subscription it is for. */
class OpenRequests {
  readonly #byWire = new WeakMap<Wire, Map<string, number | 'page'>>();

  on(wire: Wire): Map<string, number | 'page'> {
    let open = this.#byWire.get(wire);
    if (!open) {
      open = new Map();
      this.#byWire.set(wire, open);
    }
    return open;
  }
}

/** A request that a relay has closed. */
interface Refused {
  readonly at: number;
  readonly isFinal: boolean;
  readonly wire: Wire;
  readonly id: string;
}

/** The question whether a relay lives, which is a subscription as well. */
const PROBE = /^\["REQ","(probe-[^"]*)"/;

const farewellOf = (frame: string): string | undefined =>
  frame.startsWith('["CLOSE"') ? (JSON.parse(frame) as string[])[1] : undefined;

const once: Invariant = {
  ids: 'S22 S35',
  says: 'an event is delivered to a subscription once; it is genuine, and what was asked for',
  watch: (scene) => ({
    delivered({ received, plan }, { event }) {
      const { id, kind } = event;
      if ((received.get(id) ?? 0) > 1) scene.fail('S22', `${id.slice(0, 8)} was delivered twice to ${plan.name}`);
      if (!scene.isGenuine(event)) scene.fail('S35', `${id.slice(0, 8)} was forged, and delivered to ${plan.name}`);
      if (!isMeant(plan, kind)) scene.fail('S35', `${id.slice(0, 8)} is not what ${plan.name} asked for`);
      if (!Object.isFrozen(event)) scene.fail('S35', `${id.slice(0, 8)} can be changed`);
    },
  }),
};

const requests: Invariant = {
  ids: 'S32 S33',
  says: 'a subscription is open once on a connection, within the limits, and not asked for again before its time',
  watch: (scene) => {
    const requests = new OpenRequests();
    /** When a subscription was refused for now at a relay, by relay and name. */
    const refused = new Map<string, Refused>();
    const probes = new WeakMap<Wire, string>();
    /** Where only one is allowed, the question has to be one more. */
    const checkRoom = (wire: Wire, url: string): void => {
      const open = requests.on(wire).size + (probes.has(wire) ? 1 : 0);
      if (open > Math.max(2, scene.settings(url).subscriptionsMax)) scene.fail('S33', `${open} are open at ${url}`);
    };
    return {
      began() {
        refused.clear();
      },
      sent(wire, relay, _eventId, frame) {
        const open = requests.on(wire);
        const farewell = farewellOf(frame);
        if (farewell !== undefined) open.delete(farewell);
        // Given up before the refusal was looked at, which waits for the verification of what had come before it.
        for (const [place, { wire: on, id }] of refused) if (on === wire && id === farewell) refused.delete(place);
        if (farewell !== undefined && probes.get(wire) === farewell) probes.delete(wire);
        const probe = PROBE.exec(frame)?.[1];
        if (probe !== undefined) {
          probes.set(wire, probe);
          checkRoom(wire, relay.url);
        }
        const asked = nameOf(frame);
        if (!asked) return;
        const { id, name } = asked;
        const status = scene.statusOf(relay.url);
        if (status !== undefined && !isRoutable(status)) scene.fail('S32', `${relay.url} is asked while ${status}`);
        const isTwice =
          name !== 'page' &&
          [...open.values()].includes(name) &&
          scene.readers.filter(({ plan }) => plan.name === name).length < 2;
        if (isTwice) scene.fail('S32', `${relay.url} is asked for ${name} twice on one connection`);
        open.set(id, name);
        checkRoom(wire, relay.url);
        const before = refused.get(`${relay.url} ${name}`);
        if (!before || scene.hasRemoved || scene.timeWasOdd || scene.isHealed) return;
        refused.delete(`${relay.url} ${name}`);
        if (before.isFinal) scene.fail('S32', `${relay.url} is asked again for ${name}, which it will not serve`);
        const restMs = scene.subscribing.retryDelayMs / 2;
        if (before.wire === wire && scene.now - before.at < restMs - 1) {
          scene.fail('S32', `${relay.url} is asked again for ${name} ${scene.now - before.at} ms after a refusal`);
        }
      },
      received(wire, relay, message) {
        if (message.type !== 'closed') return;
        const open = requests.on(wire);
        const name = open.get(message.subscription);
        open.delete(message.subscription);
        // Another connection may be known, and is asked.
        const isUnknown = message.refusal.class === 'unauthenticated';
        if (name === undefined || name === 'page' || isUnknown || isAboutRoom(message.refusal)) return;
        scene.mark('subscription-closed');
        refused.set(`${relay.url} ${name}`, {
          at: scene.now,
          isFinal: !mayBeAskedAgain(message.refusal),
          wire,
          id: message.subscription,
        });
      },
    };
  },
};

/** What came for one request before its end. */
interface Arrivals {
  readonly name: number | 'page';
  readonly events: Map<string, NostrEvent>;
  hasEnded: boolean;
}

const ends: Invariant = {
  ids: 'S36',
  says: 'the end of what is stored is told once, after every event before it was looked at',
  watch: (scene) => {
    const told = new WeakSet<ReaderView>();
    /** By connection and name of the request, as long as that is open. */
    const arrivals = new Map<Wire, Map<string, Arrivals>>();
    const asks = new Set<string>();
    /** What came for questions before the end of what a relay had, by name. */
    const answers = new Map<number, Arrivals[]>();
    /** It is complete where all relays have come to their end, and only there. */
    const checkComplete = (what: string, complete: boolean, standings: readonly SubscriptionStanding[]): void => {
      const isComplete = standings.length > 0 && standings.every(({ isStoredComplete }) => isStoredComplete);
      if (complete !== isComplete) scene.fail('S36', `the end of ${what} is told with ${complete} for ${isComplete}`);
    };
    return {
      began() {
        arrivals.clear();
        asks.clear();
        answers.clear();
      },
      sent(wire, _relay, _eventId, frame) {
        const asked = nameOf(frame);
        const here = arrivals.get(wire) ?? new Map<string, Arrivals>();
        arrivals.set(wire, here);
        if (asked) {
          // What is asked for anew, after a gap, is no part of what was stored at first.
          const place = `${wire.url} ${asked.name}`;
          const request: Arrivals = { name: asked.name, events: new Map(), hasEnded: false };
          if (!asks.has(place)) here.set(asked.id, request);
          asks.add(place);
          if (isQuestion(asked.name)) answers.set(asked.name, [...(answers.get(asked.name) ?? []), request]);
        }
        const farewell = farewellOf(frame);
        // What was given up has to be asked for again.
        if (farewell !== undefined) here.delete(farewell);
      },
      received(wire, _relay, message) {
        if (!('subscription' in message)) return;
        const here = arrivals.get(wire);
        const request = here?.get(message.subscription);
        if (!request) return;
        if (message.type === 'closed') here?.delete(message.subscription);
        else if (message.type === 'end-of-stored') request.hasEnded = true;
        else if (message.type === 'event' && !request.hasEnded && scene.isGenuine(message.event as NostrEvent))
          request.events.set(message.id, message.event as NostrEvent);
      },
      ended(wire) {
        arrivals.delete(wire);
      },
      storedTold(reader, complete) {
        const { plan, received } = reader;
        if (told.has(reader)) scene.fail('S36', `the end of ${plan.name} is told twice`);
        told.add(reader);
        checkComplete(String(plan.name), complete, Object.values(reader.subscription.status()));
        if (!complete || plan.versions !== 'all') return;
        scene.mark('stored-complete');
        for (const { name, hasEnded, events } of [...arrivals.values()].flatMap((here) => [...here.values()])) {
          if (name !== plan.name || !hasEnded) continue;
          for (const [id, { kind }] of events) {
            const isMissing = isMeant(plan, kind) && !received.has(id);
            if (isMissing) scene.fail('S36', `${id.slice(0, 8)} came before the end, and was not delivered`);
          }
        }
      },
      answered({ name, kinds, result: { events, complete, relays } }) {
        const ids = new Set(events.map(({ id }) => id));
        if (ids.size < events.length) scene.fail('S22', `question ${name} is answered with something twice`);
        for (const event of events) {
          const isRight = scene.isGenuine(event) && isMeant({ kinds }, event.kind);
          if (!isRight) scene.fail('S35', `question ${name} is answered with ${event.id.slice(0, 8)}`);
        }
        checkComplete(`question ${name}`, complete, Object.values(relays));
        const came = (answers.get(name) ?? []).filter(({ hasEnded }) => hasEnded && complete);
        answers.delete(name);
        if (complete) scene.mark('answered-completely');
        for (const { id, kind } of came.flatMap((each) => [...each.events.values()])) {
          // Of versions, the newest is enough.
          const isMissing = kind !== 0 && isMeant({ kinds }, kind) && !ids.has(id);
          if (isMissing) scene.fail('S36', `${id.slice(0, 8)} came for question ${name}, which is answered without it`);
        }
      },
    };
  },
};

/** What a subscription should have brought of one relay by now. */
function due(scene: Scene, { plan, since }: ReaderView, url: string): readonly NostrEvent[] {
  // A clock that was set forward takes what is from the future for what has come; by less than the overlap it does no harm.
  if (scene.clockWasSet && scene.ownNow - scene.now > scene.subscribing.overlapMs - LATE_MS) return [];
  // A clock that was set, or stood still, does not say what is older.
  if (plan.limit !== undefined && (scene.clockWasSet || scene.ownNow < scene.now - 1)) return [];
  // Where it is on some of several relays, one stands for the others: what is due is what all of them have.
  const others = plan.copies === undefined ? [] : [...scene.relays.keys()];
  const isEverywhere = (event: NostrEvent): boolean =>
    others.every((other) => {
      const stored = scene.storedAt(other).get(event.id);
      return stored !== undefined && stored.at > since && stored.at - event.created_at * 1_000 <= LATE_MS;
    });
  return [...scene.storedAt(url).values()].flatMap(({ event, at }) => {
    if (!isEverywhere(event)) return [];
    if (!isMeant(plan, event.kind)) return [];
    const isLate = at - event.created_at * 1_000 > LATE_MS;
    // What comes to a relay before it is asked is stored there, and of that perhaps only so much is wanted.
    const isOld = at <= since + (plan.limit === undefined ? 0 : SILENCE.deadMsMax);
    // What was stored before is there in any case, unless only some of it was asked for.
    // Where only some was asked for, what is older than the subscription is not looked for.
    const isMissed = !isOld && !isLate && (plan.limit === undefined || event.created_at * 1_000 > since);
    return (isOld && plan.limit === undefined) || isMissed ? event : [];
  });
}

/** Whether a newer version of it was brought, where only the newest are wanted (NIP-01: among equals the smaller id). */
function isOutdated(
  scene: Scene,
  { plan, received }: ReaderView,
  { kind, pubkey, created_at, id }: NostrEvent,
): boolean {
  if (kind !== 0 || plan.versions === 'all') return false;
  return [...scene.relays.keys()].some((url) =>
    [...scene.storedAt(url).values()].some(
      ({ event }) =>
        event.kind === kind &&
        event.pubkey === pubkey &&
        received.has(event.id) &&
        (event.created_at > created_at || (event.created_at === created_at && event.id < id)),
    ),
  );
}

const nothingMissed: Invariant = {
  ids: 'L13 L14',
  says: 'once everything is healed, a subscription has brought all that its relays have; a question is answered in time',
  watch: (scene) => ({
    calmed() {
      for (const reader of scene.readers) {
        if (reader.ended !== undefined) continue;
        const standings = reader.subscription.status();
        const serving = Object.entries(standings).filter(([, { state }]) => state === 'live' || state === 'opening');
        if (Object.keys(standings).length === 0) scene.fail('L13', `${reader.plan.name} is nowhere`);
        if (!reader.isStoredTold) scene.fail('L13', `nobody said that ${reader.plan.name} has all that is stored`);
        for (const [url] of serving) {
          for (const event of due(scene, reader, url)) {
            const { id } = event;
            if (reader.received.has(id) || isOutdated(scene, reader, event)) scene.mark('read');
            else scene.fail('L13', `${id.slice(0, 8)} is at ${url}, and ${reader.plan.name} has not brought it`);
          }
        }
        for (const [url, { state, refusal }] of Object.entries(standings)) {
          if (state === 'waiting' || state === 'unauthenticated')
            scene.fail('L13', `${reader.plan.name} is ${state} at ${url}`);
          if (state === 'resting' && refusal === undefined) scene.mark('resting');
        }
      }
    },
  }),
};

export const SUBSCRIPTION_INVARIANTS: readonly Invariant[] = [once, requests, ends, nothingMissed];
