import { type CloseReport, closeMeaning, isAmbiguous } from '../../../machines/policy/close.ts';
import {
  AMBIGUOUS_CLOSES_MAX,
  EJECTED_SHARE_MAX,
  PANIC,
  RESTART_DELAY_MS,
  RETRY_AFTER_MS_MAX,
  SILENCE,
} from '../../../machines/policy/limits.ts';
import { isRelayFault } from '../../../machines/policy/refusal.ts';
import type { ReconnectSettings } from '../../../machines/policy/settings.ts';
import { isRoutable } from '../../../machines/policy/status.ts';
import type { PoolContext } from '../../../machines/pool/pool.context.ts';
import type { NostrEvent } from '../../../src/index.ts';
import type { Invariant, Scene } from '../scene.ts';

/** What went wrong at one relay, counted on the wire. */
interface Trouble {
  /** Messages that said so, or were none. */
  told: number;
  malformed: number;
  /** Events that were not answered in time on a connection that lived that long. */
  overdue: number;
  /** What was sent on connections that live, on which and when; an event may be sent twice. */
  /** Requests that nothing was said about, with the time of the world at which they were sent. */
  readonly asked: Map<string, number>;
  pending: { readonly id: string; readonly wire: number; readonly sentOwn: number; readonly sentAwake: number }[];
}

/** Counts what went wrong at every relay, from outside. */
function troubles(scene: Scene) {
  const all = new Map<string, Trouble>();
  const of = (url: string): Trouble => {
    let trouble = all.get(url);
    if (!trouble) {
      trouble = { told: 0, malformed: 0, overdue: 0, pending: [], asked: new Map() };
      all.set(url, trouble);
    }
    return trouble;
  };
  /** Moves what is overdue by now from pending to overdue. */
  const settle = (trouble: Trouble): void => {
    const { ackTimeoutMs } = scene.publishing;
    const isOverdue = ({ sentOwn, sentAwake }: Trouble['pending'][number]): boolean => {
      if (scene.clockWasSet) return true;
      const forMs = scene.ownNow - sentOwn;
      const awakeMs = scene.awakeMs - sentAwake;
      // Who slept for long has not waited; a short sleep is not told from a process that was busy.
      const slept = forMs - awakeMs > ackTimeoutMs + SILENCE.oversleptMs;
      return forMs >= ackTimeoutMs && (!slept || awakeMs >= ackTimeoutMs);
    };
    const waiting = trouble.pending.filter((each) => !isOverdue(each));
    trouble.overdue += trouble.pending.length - waiting.length;
    trouble.pending = waiting;
  };
  return { all, of, settle };
}

const measurements: Invariant = {
  ids: 'S3 S7 S8',
  says: 'what is measured as a failure happened on that very connection, and was no refusal, cancellation or old answer',
  watch: (scene) => {
    const { all, of, settle } = troubles(scene);
    const overdueRequests = ({ asked }: Trouble): number =>
      [...asked.values()].filter((at) => scene.now - at >= scene.subscribing.answerTimeoutMs).length;
    return {
      began: () => all.clear(),
      sent({ url, number }, _relay, eventId, frame) {
        if (eventId !== undefined)
          of(url).pending.push({ id: eventId, wire: number, sentOwn: scene.ownNow, sentAwake: scene.awakeMs });
        // A request that nothing is said about fails as well, after its own time.
        const asked = /^\["(?:REQ|COUNT)","(r\d+)"/.exec(frame)?.[1];
        if (asked !== undefined) of(url).asked.set(asked, scene.now);
      },
      received({ url }, _relay, message) {
        const trouble = of(url);
        settle(trouble);
        if (message.type === 'malformed') trouble.malformed += 1;
        // Some relays refuse events in no other way.
        if (message.type === 'notice') trouble.told += 1;
        if ('subscription' in message) {
          const askedAt = trouble.asked.get(message.subscription);
          trouble.asked.delete(message.subscription);
          if (askedAt !== undefined && scene.now - askedAt >= scene.subscribing.answerTimeoutMs) trouble.told += 1;
          if (message.type === 'closed' && isRelayFault(message.refusal)) trouble.told += 1;
          // What is forged or was not asked for is charged; as is anything about what was never asked.
          else trouble.malformed += 1;
        }
        if (message.type !== 'answer') return;
        const answered = trouble.pending.findIndex(({ id }) => id === message.id);
        if (answered >= 0) trouble.pending.splice(answered, 1);
        if (!message.accepted && isRelayFault(message.refusal)) trouble.told += 1;
      },
      ended({ url, number }) {
        const trouble = of(url);
        settle(trouble);
        trouble.pending = trouble.pending.filter(({ wire }) => wire !== number);
        trouble.told += overdueRequests(trouble);
        trouble.asked.clear();
      },
      stepped() {
        for (const [url, trouble] of all) {
          const measured = scene.failuresMeasured(url);
          if (measured <= trouble.told + trouble.overdue) continue;
          settle(trouble);
          const told = trouble.told + overdueRequests(trouble);
          const happened = told + trouble.overdue + Math.floor(trouble.malformed / 3);
          if (measured > happened)
            scene.fail('S3 S7 S8', `${measured} failures measured at ${url}, ${happened} happened`);
        }
      },
    };
  },
};

const circuits: Invariant = {
  ids: 'S6 S7 S9',
  says: 'a circuit opens only after enough failures, a failed trial, or because the relay does not want us, and closes only by a trial',
  watch: (scene) => {
    const bad = new Map<string, number[]>();
    const onTrial = new Set<string>();
    /** Events that are unanswered on the connection that lives. */
    const pending = new Map<string, Set<string>>();
    const askedAt = new Map<string, number>();
    /** Ends in a row with one code that means nothing by itself. */
    const ambiguous = new Map<string, { readonly code: number; readonly count: number }>();
    const note = (url: string): void => {
      bad.set(url, [...(bad.get(url) ?? []).slice(-200), scene.now]);
    };
    const forget = (url: string): void => {
      bad.delete(url);
      onTrial.delete(url);
    };
    return {
      began: () => {
        bad.clear();
        onTrial.clear();
        pending.clear();
      },
      sent({ url }, _relay, eventId, frame) {
        // A request that nothing is said about fails as an event does that is not answered.
        const asked = /^\["(?:REQ|COUNT)","(r\d+)"/.exec(frame)?.[1];
        if (asked !== undefined) {
          pending.set(url, new Set([...(pending.get(url) ?? []), asked]));
          askedAt.set(`${url} ${asked}`, scene.now);
        }
        if (eventId === undefined) return;
        const unanswered = pending.get(url) ?? new Set();
        pending.set(url, unanswered);
        if (unanswered.has(eventId)) note(url);
        unanswered.add(eventId);
      },
      received(wire, { url }, message) {
        if (message.type === 'answer') {
          const sentAt = wire.unanswered.get(message.id) ?? scene.ownNow;
          const isLate = scene.timeWasOdd || scene.ownNow - sentAt >= scene.publishing.ackTimeoutMs;
          if (pending.get(url)?.delete(message.id) && isLate) note(url);
        }
        if ('subscription' in message) {
          const wasPending = pending.get(url)?.delete(message.subscription);
          const waitedMs = scene.now - (askedAt.get(`${url} ${message.subscription}`) ?? scene.now);
          if (wasPending && waitedMs >= scene.subscribing.answerTimeoutMs) note(url);
          const isUnasked = message.subscription.endsWith('-unknown');
          const isForged = message.type === 'event' && !scene.isGenuine(message.event as NostrEvent);
          const isRefused = message.type === 'closed' && isRelayFault(message.refusal);
          if (isUnasked || isForged || isRefused) note(url);
        }
        const isBad = message.type === 'malformed' || (message.type === 'answer' && !message.accepted);
        const isExcused = message.type === 'answer' && !message.accepted && !isRelayFault(message.refusal);
        if (isBad && !isExcused) note(url);
      },
      ended({ url, probesLost }, _relay, report) {
        if (report && isAmbiguous(report)) {
          const last = ambiguous.get(url);
          ambiguous.set(url, { code: report.code, count: last?.code === report.code ? last.count + 1 : 1 });
        } else if (report) ambiguous.delete(url);
        for (let times = 0; times <= probesLost; times += 1) note(url);
        for (const _each of pending.get(url) ?? []) note(url);
        pending.delete(url);
      },
      unresolved: note,
      dialled(_wire, { url }) {
        // Where nothing retries by itself, whoever asks begins anew.
        if (!scene.settings(url).reconnect.enabled && !scene.chart(url)?.trial) forget(url);
      },
      fact(fact, _relay, before) {
        if (fact.type === 'relay.status-changed' && fact.status === 'connected' && before === 'connecting') {
          if (onTrial.has(fact.url)) scene.fail('S9', `${fact.url} came out of an open circuit without a trial`);
        }
        if (fact.type === 'relay.status-changed' && fact.status === 'half-open') onTrial.add(fact.url);
        if (fact.type === 'relay.status-changed' && fact.status === 'stopped') forget(fact.url);
        // Our own network was to blame, so the circuit should not have opened.
        const isExcused =
          fact.type === 'relay.status-changed' && before === 'open-circuit' && fact.status === 'backoff';
        if (isExcused && !scene.chart(fact.url)?.trial) onTrial.delete(fact.url);
        if (fact.type === 'relay.removed' || fact.type === 'relay.added' || fact.type === 'relay.restarted')
          forget(fact.url);
        if (fact.type === 'relay.circuit-closed') forget(fact.url);
        if (fact.type === 'relay.gave-up') forget(fact.url);
        if (fact.type !== 'relay.circuit-opened') return;
        const { url, cause } = fact;
        scene.mark(`circuit-${cause}`);
        const { breaker } = scene.settings(url);
        const times = [...(bad.get(url) ?? []), ...(pending.get(url) ?? [])];
        const failures = times.length + (scene.relay(url).wire?.probesLost ?? 0);
        if (cause === 'consecutive' && failures < breaker.failureThreshold) {
          scene.fail('S6', `${url} opened its circuit after ${failures} of ${breaker.failureThreshold} failures`);
        }
        if (cause === 'ratio' && failures < breaker.ratioCallsMin * breaker.failureRatio) {
          scene.fail('S6', `${url} opened its circuit after ${failures} failures`);
        }
        if (cause === 'trial' && !onTrial.has(url)) scene.fail('S6', `${url} failed a trial that it was not on`);
        const isRepeated = (ambiguous.get(url)?.count ?? 0) >= AMBIGUOUS_CLOSES_MAX;
        if (cause === 'refused' && !isRefusal(scene.relay(url).lastReport) && !isRepeated) {
          scene.fail('S6', `${url} opened its circuit as refused, which it was not`);
        }
        onTrial.add(url);
      },
    };
  },
};

const isRefusal = (report: CloseReport | undefined): boolean =>
  report !== undefined && closeMeaning(report) === 'refused';

const ORDINARY: CloseReport = { code: 1006, reason: '' };

/** The longest delay before an attempt, by the formula of the strategy; where no other relay is missed, it is longer. */
function longestDelayMs({ strategy, ...settings }: ReconnectSettings, attempt: number): number {
  const base = settings.initialDelayMs * settings.relaxation;
  const cap = settings.maxDelayMs * Math.min(2, settings.relaxation);
  if (strategy === 'decorrelated') return cap;
  const growth = { exponential: settings.multiplier ** (attempt - 1), linear: attempt, fixed: 1 }[strategy];
  return Math.min(cap, base * growth);
}

const delays: Invariant = {
  ids: 'S12',
  says: 'every delay is within its bounds and drawn at random',
  watch: (scene) => {
    const drawn: number[] = [];
    return {
      fact(fact) {
        if (fact.type === 'relay.reconnecting') {
          const { url, attempt, delayMs } = fact;
          const { reconnect } = scene.settings(url);
          const exponent = reconnect.strategy === 'exponential' ? attempt - 1 : 0;
          const first = Math.min(reconnect.maxDelayMs, reconnect.initialDelayMs * reconnect.multiplier ** exponent);
          const low = Math.max(reconnect.minDelayMs, (reconnect.strategy === 'decorrelated' ? 0 : first) / 8);
          const asked = Math.min(scene.relay(url).lastReport?.retryAfterMs ?? 0, RETRY_AFTER_MS_MAX);
          const drawnMost = longestDelayMs(reconnect, attempt);
          const isRestarting = closeMeaning(scene.relay(url).lastReport ?? ORDINARY) === 'restarting';
          const high =
            Math.max(drawnMost, reconnect.minDelayMs, asked, isRestarting ? RESTART_DELAY_MS.max : 0) + 0.1 * asked;
          if (!(delayMs >= low && delayMs <= high)) {
            scene.fail('S12', `${url} waits ${delayMs} ms, not ${low} to ${high}`);
          }
          // A wait at the cap shows whether there is jitter: without it, all of them are the same.
          if (asked === 0 && delayMs > reconnect.minDelayMs && reconnect.jitter) drawn.push(delayMs);
        }
        if (fact.type === 'relay.circuit-opened') {
          const { openMs, openMaxMs } = scene.settings(fact.url).breaker;
          const asked = Math.min(scene.relay(fact.url).lastReport?.retryAfterMs ?? 0, RETRY_AFTER_MS_MAX);
          const high = Math.max(asked, Math.min(openMaxMs, openMs * 2 ** (scene.chart(fact.url)?.trips ?? 0)));
          if (!(fact.delayMs >= openMs / 2 && fact.delayMs <= high)) {
            scene.fail('S12', `${fact.url} is open for ${fact.delayMs} ms, not ${openMs / 2} to ${high}`);
          }
        }
      },
      calmed() {
        const distinct = new Set(drawn).size;
        if (drawn.length >= 5 && distinct < drawn.length / 2) {
          scene.fail('S12', `${drawn.length} delays were only ${distinct} different ones`);
        }
      },
    };
  },
};

const attempts: Invariant = {
  ids: 'S13 L2',
  says: 'attempts are counted up until a connection has served for a while, so that no relay is dialled in a hot loop, and none is given up early',
  watch: (scene) => {
    const counted = new Map<string, number>();
    /** Since when each relay has been connected, and what it needs of that to count as settled. */
    const serving = new Map<string, { readonly since: number; readonly stableMs: number }>();
    const settled = new Set<string>();
    const forget = (url: string): void => {
      counted.delete(url);
      serving.delete(url);
      settled.delete(url);
    };
    const checkSettled = (url: string): void => {
      const service = serving.get(url);
      // Settings may have changed meanwhile; the clock of a process that sleeps may go on.
      const neededMs = Math.min(service?.stableMs ?? 0, scene.settings(url).stableMs);
      if (service && scene.now - service.since >= neededMs - 1) settled.add(url);
    };
    return {
      began: () => {
        counted.clear();
        serving.clear();
        settled.clear();
      },
      dialled(_wire, { url }) {
        // Where nothing retries by itself, whoever asks begins anew.
        if (!scene.settings(url).reconnect.enabled) forget(url);
      },
      fact(fact, _relay, before) {
        if (fact.type === 'relay.gave-up' && fact.cause === 'attempts') {
          const { attemptsMax } = scene.settings(fact.url).reconnect;
          const made = scene.chart(fact.url)?.attempts ?? 0;
          if (made < attemptsMax) scene.fail('L2', `${fact.url} was given up after ${made} of ${attemptsMax} attempts`);
        }
        if (fact.type === 'relay.gave-up' || fact.type === 'relay.restarted' || fact.type === 'relay.removed') {
          return forget(fact.url);
        }
        if (fact.type === 'relay.status-changed') {
          checkSettled(fact.url);
          if (fact.status === 'stopped') forget(fact.url);
          if (fact.status === 'connected') {
            serving.set(fact.url, { since: scene.now, stableMs: scene.settings(fact.url).stableMs });
          } else serving.delete(fact.url);
        }
        if (fact.type !== 'relay.reconnecting') return;
        const { url, attempt } = fact;
        // The fact comes before the one that says what the relay has become.
        checkSettled(url);
        const last = counted.get(url) ?? 0;
        const excused = scene.chart(url)?.loss.excused;
        // Who was asked to close and to come back goes on where it was.
        const isAgain = (before === 'closing' || before === 'idle') && attempt === last;
        if (attempt <= last && !settled.has(url) && !excused && !isAgain)
          scene.fail('S13', `attempt ${attempt} of ${url} came after ${last}`);
        // What was our own network's fault is not counted.
        counted.set(url, excused ? (scene.chart(url)?.attempts ?? 0) : attempt);
        settled.delete(url);
      },
    };
  },
};

const ejections: Invariant = {
  ids: 'S10 L9',
  says: 'not more than half of the relays are put aside for how they answer, and never the last that serves',
  watch: (scene) => ({
    fact(fact, _relay, before) {
      if (fact.type !== 'relay.circuit-opened' || before === undefined || !isRoutable(before)) return;
      if (!scene.chart(fact.url)?.ejected) return;
      scene.mark('ejected');
      const snapshot = scene.pool.actor.getSnapshot();
      if (!snapshot.matches('running')) return;
      const records = Object.entries(snapshot.context.relays);
      const members = records.filter(([, { wanted, phase }]) => wanted && phase !== 'leaving').map(([url]) => url);
      const ejected = members.filter((url) => scene.chart(url)?.ejected).length;
      if (ejected > EJECTED_SHARE_MAX * members.length) {
        scene.fail('S10', `${ejected} of ${members.length} relays are ejected`);
      }
      // Whose actor has crashed in this very moment still counts: the pool has not heard of it.
      const serves = (url: string): boolean => isRoutable(scene.statusOf(url) ?? 'connected');
      if (!members.some((url) => url !== fact.url && serves(url))) {
        scene.fail('S10', `${fact.url} was ejected, and nobody else serves`);
      }
    },
  }),
};

const panic: Invariant = {
  ids: 'S34',
  says: 'the pool counts as strained exactly while too few of its relays serve',
  watch: (scene) => ({
    stepped() {
      const { value, context } = scene.pool.actor.getSnapshot() as { value: unknown; context: PoolContext };
      const service = (value as { running?: { service?: string } }).running?.service;
      if (service === undefined || service === 'starting') return;
      const records = Object.values(context.relays).filter(({ wanted, phase }) => wanted && phase !== 'leaving');
      const routable = records.filter(({ status }) => isRoutable(status)).length;
      const few = records.length >= PANIC.relaysMin && routable < PANIC.share * records.length;
      if (service === 'serving' && few)
        scene.fail('S34', `${routable} of ${records.length} relays serve without strain`);
      if (service === 'strained' && !few) scene.fail('S34', `strained, though ${routable} of ${records.length} serve`);
      if (service === 'strained') scene.mark('strained');
    },
  }),
};

export const FAILURE_INVARIANTS: readonly Invariant[] = [measurements, circuits, ejections, panic, delays, attempts];
