import { HEDGE } from '../../../machines/policy/limits.ts';
import { isMoreUrgent, type Priority } from '../../../machines/policy/priority.ts';
import { hostOf } from '../../../machines/policy/relay-url.ts';
import { isNewer } from '../../../src/delivery/publication.ts';
import { WRITE_MS_MAX } from '../disk.ts';
import type { Call, Invariant, Scene } from '../scene.ts';

/** One publication, from being accepted to being completed, by what was told of it. */
interface Life {
  ended: 'confirmed' | 'failed' | 'cancelled' | undefined;
  completed: boolean;
  /** How it went at each relay, as far as that was told. */
  readonly outcomes: Map<string, string>;
  /** Relays that it was sent to. */
  readonly sentTo: Set<string>;
}

/** Milliseconds that something may be late: other callbacks of the same moment come first. */
const PROMPT_MS = 1;
const WEEK_MS = 7 * 24 * 3_600_000;

/**
 * How much longer something may take where a clock was set: nobody knows how much time had passed since it was last
 * read. It must still end.
 */
const leniencyMs = (scene: Scene, durationMs: number): number =>
  // What reaches its quorum in time is written down before it is told: one write may be under way before it.
  (scene.timeWasOdd ? durationMs : 0) + (scene.hasOutbox ? 2 * WRITE_MS_MAX : 0);

/** Hosts that have really said that they have an event, by what came over the wire to this process. */
function witnesses() {
  const said = new Map<string, Set<string>>();
  const asked = new Map<string, Set<string>>();
  const of = (map: Map<string, Set<string>>, id: string): Set<string> => {
    let set = map.get(id);
    if (!set) {
      set = new Set();
      map.set(id, set);
    }
    return set;
  };
  return {
    sent: (id: string, url: string) => of(asked, id).add(url),
    answered(id: string, url: string): void {
      if (asked.get(id)?.has(url)) of(said, id).add(hostOf(url));
    },
    hosts: (id: string): number => said.get(id)?.size ?? 0,
    has: (id: string, url: string): boolean => said.get(id)?.has(hostOf(url)) ?? false,
    clear(): void {
      said.clear();
      asked.clear();
    },
  };
}

const truth: Invariant = {
  ids: 'P2 P4',
  says: 'confirmed means that so many distinct hosts have accepted what was sent to them, and nothing else is confirmed',
  watch: (scene) => {
    const said = witnesses();
    return {
      began: () => said.clear(),
      sent({ url }, _relay, eventId) {
        if (eventId !== undefined) said.sent(eventId, url);
      },
      received({ url }, _relay, message) {
        if (message.type === 'answer' && message.accepted) said.answered(message.id, url);
      },
      fact(fact) {
        if (fact.type === 'delivery.settled' && fact.outcome.status === 'accepted' && !said.has(fact.id, fact.relay)) {
          scene.fail('P4', `${fact.relay} is said to have accepted ${fact.id.slice(0, 8)}, and did not`);
        }
        if (fact.type === 'publication.confirmed' && said.hosts(fact.id) === 0) {
          scene.fail('P4', `${fact.id.slice(0, 8)} was confirmed, and no host has it`);
        }
      },
      settled({ id }, receipt) {
        if (receipt?.status !== 'confirmed') return;
        const hosts = said.hosts(id);
        if (hosts < receipt.quorum || receipt.accepted > hosts) {
          const claim = `${receipt.accepted} of ${receipt.quorum}`;
          scene.fail('P2', `${id.slice(0, 8)} is confirmed by ${claim}, but ${hosts} hosts have accepted it`);
        }
      },
    };
  },
};

const quorums: Invariant = {
  ids: 'P2',
  says: 'a receipt never promises less than its caller asked for',
  watch: (scene) => ({
    settled({ plan, id }, receipt) {
      if (receipt === undefined || receipt.status === 'refused' || receipt.status === 'cancelled') return;
      scene.mark(`receipt-${receipt.status}`);
      if (typeof plan.quorum === 'number' && receipt.quorum < plan.quorum) {
        scene.fail('P2', `${id.slice(0, 8)} was asked for with quorum ${plan.quorum}, and got ${receipt.quorum}`);
      }
    },
  }),
};

const ends: Invariant = {
  ids: 'S18 S19 P5',
  says: 'everything that is accepted ends once, is told once, is never taken back, and is not sent after its end',
  watch: (scene) => {
    const lives = new Map<string, Life>();
    /** When the last caller's time for each event is up. */
    const expiries = new Map<string, { readonly at: number; readonly forMs: number }>();
    /** What relays have accepted a moment ago, and must be counted by now. */
    let due: { readonly id: string; readonly url: string }[] = [];
    /** Events that were lost with their connection each time, somewhere. */
    const givenUp = new Set<string>();
    /** Calls that published each event: one that has all that it asked for ends alone, with what goes only to its relays. */
    const calls = new Map<string, number>();
    const fail = (id: string, what: string): void => scene.fail('S18 S19 P5', `${id.slice(0, 8)} ${what}`);
    const checkExpiry = (id: string, life: Life): void => {
      const { at, forMs } = expiries.get(id) ?? { at: Number.POSITIVE_INFINITY, forMs: 0 };
      const lateMs = scene.awakeMs - at;
      if (!life.completed && lateMs > PROMPT_MS + leniencyMs(scene, forMs))
        fail(id, `is still open ${lateMs} ms after its time was up`);
    };
    return {
      began: () => {
        lives.clear();
        expiries.clear();
        calls.clear();
        due = [];
      },
      received(wire, { url }, message) {
        // Who is being removed has no say any more.
        const isLeaving = scene.hasRemoved && scene.statusOf(url) === 'closing';
        if (message.type === 'answer' && message.accepted && wire.unanswered.has(message.id) && !isLeaving) {
          due.push({ id: message.id, url });
        }
      },
      stepped() {
        for (const { id, url } of due) {
          const life = lives.get(id);
          const isOpen = life && !life.completed && life.ended !== 'failed' && life.ended !== 'cancelled';
          if (isOpen && calls.get(id) === 1 && life.sentTo.has(url) && life.outcomes.get(url) !== 'accepted')
            fail(id, `was accepted by ${url}, and it does not count`);
        }
        due = [];
      },
      asked({ id, plan }) {
        const { expiresMs: usualMs, lowExpiresMs } = scene.publishing;
        const { timeoutMs = scene.publishing.timeoutMs } = plan;
        const lasting = { critical: WEEK_MS, high: WEEK_MS, normal: usualMs, low: lowExpiresMs };
        const expiresMs = plan.expiresMs ?? Math.max(lasting[plan.priority ?? 'normal'], timeoutMs);
        const known = expiries.get(id);
        calls.set(id, (calls.get(id) ?? 0) + 1);
        const at = scene.awakeMs + expiresMs;
        expiries.set(id, { at: Math.max(known?.at ?? 0, at), forMs: Math.max(known?.forMs ?? 0, expiresMs) });
      },
      calmed() {
        for (const [id, life] of lives) checkExpiry(id, life);
      },
      sent({ url }, _relay, eventId) {
        if (eventId === undefined) return;
        const life = lives.get(eventId);
        if (!life) return fail(eventId, `was sent to ${url} without having been accepted`);
        life.sentTo.add(url);
        const over = life.completed || life.ended === 'failed' || life.ended === 'cancelled';
        if (over) fail(eventId, `was sent to ${url} after it had ${life.ended}`);
        if (life.outcomes.get(url) === 'accepted') fail(eventId, `was sent to ${url}, which has it`);
      },
      fact(fact) {
        if (fact.type === 'relay.added') {
          // Who comes back is somebody new, and may be asked again.
          for (const life of lives.values()) life.outcomes.delete(fact.url);
        }
        if (fact.type === 'relay.event-given-up') {
          scene.mark('given-up');
          givenUp.add(fact.id);
        }
        if (!fact.type.startsWith('publication.') && fact.type !== 'delivery.settled') return;
        if (!('id' in fact) || fact.type === 'publication.refused') return;
        const { id } = fact;
        const life = lives.get(id);
        if (fact.type === 'publication.accepted') {
          if (life && !life.completed) fail(id, 'was accepted twice');
          const expiry = expiries.get(id);
          // Its time begins when it has been kept.
          if (expiry && scene.hasOutbox) expiries.set(id, { at: scene.awakeMs + expiry.forMs, forMs: expiry.forMs });
          // What comes from an earlier process has the time that somebody gave it there.
          if (!expiry && scene.hasOutbox) expiries.set(id, { at: Number.POSITIVE_INFINITY, forMs: 0 });
          lives.set(id, { ended: undefined, completed: false, outcomes: new Map(), sentTo: new Set() });
          return;
        }
        if (life) checkExpiry(id, life);
        if (!life) return fail(id, `was told of (${fact.type}) without having been accepted`);
        if (life.completed) return fail(id, `was told of (${fact.type}) after it was completed`);
        if (fact.type === 'delivery.settled') {
          const { status } = fact.outcome;
          scene.mark(`outcome-${status}`);
          if (life.outcomes.get(fact.relay) === 'accepted')
            fail(id, `is ${status} at ${fact.relay}, which had accepted it`);
          life.outcomes.set(fact.relay, status);
        }
        if (fact.type === 'publication.confirmed') {
          if (life.ended === 'failed' || life.ended === 'cancelled')
            fail(id, `was confirmed after it had ${life.ended}`);
          life.ended = 'confirmed';
        }
        if (fact.type === 'publication.failed') {
          scene.mark(`failed-${fact.cause}`);
          if (life.ended === 'failed' || life.ended === 'cancelled') fail(id, `failed after it had ${life.ended}`);
          const refused = [...life.outcomes.values()].some((status) => status === 'rejected');
          if (fact.cause === 'rejected' && !refused && !givenUp.has(id) && !scene.hasRemoved)
            fail(id, 'was rejected, but nobody refused it');
          life.ended = 'failed';
        }
        if (fact.type === 'publication.cancelled') {
          if (life.ended === 'failed' || life.ended === 'cancelled')
            fail(id, `was cancelled after it had ${life.ended}`);
          life.ended = 'cancelled';
        }
        if (fact.type === 'publication.completed') {
          if (fact.status !== life.ended && fact.status !== 'partly-confirmed')
            fail(id, `is completed as ${fact.status}, but ${life.ended}`);
          life.completed = true;
        }
      },
    };
  },
};

const bounds: Invariant = {
  ids: 'S18',
  says: 'the books keep within their bounds in number and bytes',
  watch: (scene) => {
    const { publicationsMax, queueBytesMax } = scene.publishing;
    return {
      asked() {
        const { open, unconfirmed, queueBytes } = scene.books;
        // As many again may be confirmed and go on, and one of those may be asked for once more with another quorum.
        if (unconfirmed > 2 * publicationsMax || open > 2 * publicationsMax + 1) {
          scene.fail('S18', `${open} publications are open, ${unconfirmed} unconfirmed`);
        }
        // What is left from an earlier process is taken on whatever its size.
        if (queueBytes > queueBytesMax && !scene.hasOutbox)
          scene.fail('S18', `${queueBytes} bytes are open, more than ${queueBytesMax}`);
        if (queueBytes < 0 || unconfirmed < 0) scene.fail('S25', 'the books count below nothing');
      },
    };
  },
};

const promises: Invariant = {
  ids: 'S21',
  says: 'the promise of a publish settles once, in its caller’s time, and at once when the caller withdraws',
  watch: (scene) => {
    const late = (
      call: { plan: { timeoutMs?: number }; askedAt: number; withdrawnAt: number | undefined },
      at: number,
    ) => {
      const patience = call.plan.timeoutMs ?? scene.publishing.timeoutMs;
      if (call.withdrawnAt !== undefined && at > call.withdrawnAt + PROMPT_MS) return at - call.withdrawnAt;
      return at > call.askedAt + patience + PROMPT_MS + leniencyMs(scene, patience) ? at - call.askedAt : undefined;
    };
    return {
      settled(call, receipt) {
        if (receipt === undefined) return;
        const lateMs = late(call, scene.awakeMs);
        if (lateMs !== undefined) scene.fail('S21', `${call.id.slice(0, 8)} was settled after ${lateMs} ms`);
      },
      calmed() {
        for (const call of scene.calls) {
          if (call.settledAt !== undefined || call.plan.byActor) continue;
          const lateMs = late(call, scene.awakeMs);
          if (lateMs !== undefined) scene.fail('S21', `${call.id.slice(0, 8)} is not settled after ${lateMs} ms`);
        }
      },
    };
  },
};

const ANSWERED: ReadonlySet<string> = new Set(['accepted', 'rejected']);

const standIns: Invariant = {
  ids: 'L12',
  says: 'nothing waits for a relay that does not serve while one that has not been asked does',
  watch: (scene) => {
    let changed = false;
    return {
      fact(fact) {
        if (fact.type === 'relay.status-changed') changed = true;
      },
      stepped() {
        if (!changed) return;
        changed = false;
        for (const lane of scene.lanes()) {
          if (lane.isServing) continue;
          for (const { publication, record } of lane.items.values()) {
            if (record.state !== 'queued' || !publication.wantsMore) continue;
            // What is on its way to a silent relay as well is copied only as far as copies are trusted.
            const isTried = [...publication.deliveries.values()].some(
              (each) => each.record.context.tries > 0 && !ANSWERED.has(each.record.state),
            );
            if (isTried && scene.books.hedges.trust <= HEDGE.trustMax / 2) continue;
            const calls = publication.calls.filter((call) => call.covers(lane) && call.wantsMore);
            const free = calls
              .flatMap(({ lanes }) => lanes)
              .find((each) => each.isServing && !publication.deliveries.has(each));
            if (free) scene.fail('L12', `${publication.id.slice(0, 8)} waits for ${lane.url}, but ${free.url} serves`);
          }
        }
      },
    };
  },
};

const copies: Invariant = {
  ids: 'S15 S16',
  says: 'copies of what is late go to another host, are few beside what is sent, and stop when too much is late',
  watch: (scene) => {
    let sent = 0;
    let hedged = 0;
    return {
      began: () => {
        sent = 0;
        hedged = 0;
      },
      sent(_wire, _relay, eventId) {
        if (eventId !== undefined) sent += 1;
      },
      fact(fact) {
        if (fact.type === 'relay.failed-over') scene.mark('failed-over');
        if (fact.type !== 'delivery.hedged') return;
        scene.mark('hedged');
        hedged += 1;
        const { id, relay, to } = fact;
        if (hostOf(relay) === hostOf(to)) scene.fail('S15', `${id.slice(0, 8)} was copied from ${relay} to itself`);
        if (hedged > HEDGE.budgetMax + HEDGE.perSend * sent) {
          scene.fail('S15', `${hedged} copies were made beside ${sent} events`);
        }
        const { trust } = scene.books.hedges;
        if (trust <= HEDGE.trustMax / 2) scene.fail('S16', `a copy was made with a trust of ${trust}`);
      },
    };
  },
};

const evictions: Invariant = {
  ids: 'S18',
  says: 'only what matters less is given up for something else',
  watch: (scene) => {
    const priorities = new Map<string, Priority>();
    let evicted: string[] = [];
    return {
      began: () => {
        priorities.clear();
        evicted = [];
      },
      fact(fact) {
        if (fact.type === 'publication.accepted') priorities.delete(fact.id);
        if (fact.type === 'publication.failed' && fact.cause === 'evicted') evicted.push(fact.id);
      },
      asked({ id, plan: { priority = 'normal' } }) {
        for (const each of evicted) {
          const lost = priorities.get(each) ?? 'critical';
          if (!isMoreUrgent(priority, lost)) scene.fail('S18', `${lost} was evicted for ${priority}`);
        }
        evicted = [];
        // Who joins may make it matter more; what it mattered first is certain.
        if (!priorities.has(id)) priorities.set(id, priority);
      },
    };
  },
};

const kept: Invariant = {
  ids: 'S20',
  says: 'what was accepted with an outbox ends whatever happens to the process, and is confirmed once',
  watch: (scene) => {
    const lives = new Map<string, 'asked' | 'open' | 'reached' | 'confirmed' | 'over'>();
    const votes = new Map<string, { readonly quorum: number; readonly hosts: Set<string> }>();
    return {
      asked({ id }) {
        if (scene.hasOutbox && lives.get(id) !== 'open') lives.set(id, 'asked');
      },
      fact(fact) {
        if (!scene.hasOutbox || !('id' in fact)) return;
        const { id } = fact;
        // Of what was told to survive nothing, nothing is promised.
        if (fact.type === 'publication.accepted' && fact.durability !== 'none') {
          if (lives.get(id) === 'confirmed') scene.fail('S20', `${id.slice(0, 8)} is published again after its quorum`);
          lives.set(id, 'open');
          votes.set(id, { quorum: fact.quorum, hosts: new Set() });
        }
        const vote = votes.get(id);
        if (fact.type === 'delivery.settled' && fact.outcome.status === 'accepted') vote?.hosts.add(hostOf(fact.relay));
        // A process may die between writing down that the quorum is reached and saying so.
        if (vote && vote.hosts.size >= vote.quorum && lives.get(id) === 'open') lives.set(id, 'reached');
        if (fact.type === 'publication.confirmed') lives.set(id, 'confirmed');
        if (fact.type === 'publication.cancelled') lives.set(id, 'over');
        if (fact.type === 'publication.refused' && fact.cause === 'undeliverable') lives.set(id, 'over');
        if (fact.type === 'publication.failed' && fact.cause !== 'closed') lives.set(id, 'over');
        if (fact.type === 'publication.failed' && fact.cause === 'closed') scene.mark('kept');
      },
      calmed() {
        const open = [...lives].filter(([, state]) => state === 'open').map(([id]) => id.slice(0, 8));
        if (open.length > 0) scene.fail('S20', `${open.length} were accepted and came to no end: ${open.slice(0, 3)}`);
      },
    };
  },
};

const turns: Invariant = {
  ids: 'S31',
  says: 'what is critical never waits for what matters less',
  watch: (scene) => ({
    sent(_wire, { url }, eventId) {
      const lane = scene.lanes().find((each) => each.url === url);
      const sent = eventId === undefined ? undefined : lane?.items.get(eventId);
      if (!lane || !sent || sent.priority === 'critical' || lane.queue.sizeOf('critical') === 0) return;
      // A version that waits for another one to be answered holds nobody back.
      const isHeld = [...lane.items.values()].some(
        ({ priority, order }) => priority === 'critical' && order !== undefined,
      );
      if (!isHeld) scene.fail('S31', `something ${sent.priority} is sent to ${url} before what is critical`);
    },
  }),
};

const versions: Invariant = {
  ids: 'S23',
  says: 'no relay is sent an older version after a newer one, or a newer one before the older is answered',
  watch: (scene) => {
    /** When each version was last asked for, in the order of asking, by the name of the thing. */
    const asked = new Map<string, Call>();
    const order = new Map<string, number>();
    const sentTo = new Map<string, Set<string>>();
    return {
      began: () => {
        asked.clear();
        order.clear();
        sentTo.clear();
      },
      fact(fact) {
        // It is sent before the call returns.
        if (fact.type === 'publication.accepted') order.set(fact.id, order.size + 1_000 * scene.awakeMs);
      },
      asked(call) {
        if (call.version) asked.set(call.id, call);
      },
      sent({ unanswered }, { url }, eventId) {
        const call = eventId === undefined ? undefined : asked.get(eventId);
        if (!call?.version) return;
        const others = [...asked.values()].filter(
          ({ id, version }) => id !== call.id && version?.key === call.version?.key,
        );
        for (const other of others) {
          const isLater = (order.get(other.id) ?? 0) > (order.get(call.id) ?? 0);
          const names = `${call.id.slice(0, 8)} and ${other.id.slice(0, 8)}`;
          if (isLater && isNewer(other, call) && sentTo.get(other.id)?.has(url)) {
            scene.fail('S23', `of ${names}, the older is sent to ${url} after the newer`);
          }
          const sentAt = unanswered.get(other.id);
          const isOwed = sentAt !== undefined && scene.ownNow - sentAt < scene.publishing.ackTimeoutMs;
          if (isOwed && !scene.timeWasOdd) scene.fail('S23', `of ${names}, both are on their way to ${url}`);
          scene.mark('versions');
        }
        sentTo.set(call.id, (sentTo.get(call.id) ?? new Set()).add(url));
      },
    };
  },
};

export const PUBLICATION_INVARIANTS: readonly Invariant[] = [
  evictions,
  kept,
  turns,
  versions,
  copies,
  truth,
  quorums,
  ends,
  standIns,
  bounds,
  promises,
];
