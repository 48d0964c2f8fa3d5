import type { AnyActorRef } from 'xstate';
import { type Clock, type Fact, type Pool, RecloserError, systemClock } from '../index.ts';
import { ActorReporter } from './actor-reporter.ts';
import { type Alert, type AlertRule, checkRules, watchThresholds } from './alerts.ts';
import { type InspectorMessage, type ShownEvent, stamped } from './messages.ts';
import { RecordReporter } from './record-reporter.ts';
import { redacted, withoutQuery } from './redact.ts';
import { summaryOf } from './summary.ts';

export interface ObserveOptions {
  /**
   * Shows contexts and events whole, but for what looks like a secret by its name. Default `false`: counters, states, URLs
   * and ids of events only.
   */
  readonly reveal?: boolean | undefined;
  /** Whether publications, deliveries and subscriptions are shown as actors, as many as can be followed. Default `true`. */
  readonly records?: boolean | undefined;
  /** Milliseconds between two summaries, at least 50. Default 100. */
  readonly summaryMs?: number | undefined;
  /** Bounds of measurements whose breaking is told. Default: none. */
  readonly alerts?: readonly AlertRule[] | undefined;
  /** How many accepted events are stored nowhere, for whoever can look. */
  readonly lost?: (() => number) | undefined;
  /** Whose time it is. Default: the system's. */
  readonly clock?: Clock | undefined;
}

/** Milliseconds for which changes of contexts are gathered. */
const SPAN_MS = 100;

/** Facts that tell of single events; those are shown as actors. */
const OF_SINGLE_EVENTS = ['publication.', 'delivery.', 'subscription.'] as const;

/**
 * Tells what happens in a pool as messages, until the returned function is called or the pool has closed. Nothing is
 * observed, and nothing costs anything, before it is called and after it has ended. Throws `POOL_CLOSED` for a pool that is
 * closed, and `INVALID_OPTION` for an alert without a bound.
 */
export function observePool(
  pool: Pool,
  emit: (message: InspectorMessage) => void,
  options: ObserveOptions = {},
): () => void {
  const { clock = systemClock, reveal = false, records = true, lost, alerts = [] } = options;
  if (pool.actor.getSnapshot().status !== 'active') {
    throw new RecloserError('POOL_CLOSED', 'The pool is closed; there is nothing to observe.');
  }
  checkRules(alerts);
  const summaryMs = Math.max(SPAN_MS / 2, options.summaryMs ?? SPAN_MS);
  const actor = pool.actor as unknown as AnyActorRef;
  const now = (): number => clock.now();
  const since = new Map<string, number>();
  const actors = new ActorReporter(actor, { now, emit, reveal });
  const followed = new RecordReporter({
    now,
    emit,
    spend: () => actors.spend(),
    rootId: actors.rootId,
    relaySession: (url) => actors.sessionOf(`relay:${url}`),
  });
  let timer: unknown;
  let isOver = false;
  let summarisedAt = Number.NEGATIVE_INFINITY;
  const summarise = (): void => {
    summarisedAt = now();
    const summary = summaryOf(pool.metrics(), { nowMs: summarisedAt, since, lost: lostOf(lost) });
    emit({ type: 'recloser.summary', ...stamped(summarisedAt), summary });
  };
  const beat = (): void => {
    timer = clock.setTimeout(
      () => {
        if (actor.getSnapshot().status !== 'active') return stop();
        actors.flush();
        followed.flush();
        if (now() - summarisedAt >= summaryMs - 1) summarise();
        beat();
      },
      Math.min(SPAN_MS, summaryMs),
    );
  };
  const hear = (fact: Fact): void => {
    if (OF_SINGLE_EVENTS.some((prefix) => fact.type.startsWith(prefix))) return;
    if (fact.type === 'relay.status-changed' || fact.type === 'relay.added') since.set(fact.url, now());
    if (fact.type === 'relay.removed') since.delete(fact.url);
    emit({ type: 'recloser.fact', ...stamped(now()), fact: shownFact(fact) });
  };
  const inspection = actor.system.inspect({ next: actors.next });
  const unhear = pool.actor.on('*', (fact) => hear(fact as Fact));
  const unfollow = records ? pool.on('record.stepped', followed.next) : undefined;
  const tellAlert = ({ relay, ...alert }: Alert): void => {
    const about = relay === undefined ? alert : { ...alert, relay: withoutQuery(relay) };
    emit({ type: 'recloser.alert', ...stamped(now()), alert: about });
  };
  const unwatch = alerts.length > 0 ? watchThresholds(pool, alerts, tellAlert, { clock }) : undefined;
  const ended = pool.actor.subscribe({ complete: () => stop(), error: () => stop() });
  const stop = (): void => {
    if (isOver) return;
    isOver = true;
    clock.clearTimeout(timer);
    inspection.unsubscribe();
    unhear.unsubscribe();
    unfollow?.();
    unwatch?.();
    ended.unsubscribe();
    actors.flush();
  };
  summarise();
  beat();
  return stop;
}

/** What an application says of itself; one that cannot say it is not asked to explain. */
function lostOf(lost: (() => number) | undefined): number | undefined {
  try {
    return lost?.();
  } catch {
    return undefined;
  }
}

function shownFact(fact: Fact): ShownEvent & { readonly type: Fact['type'] } {
  const shown = { ...redacted(fact), type: fact.type };
  if (fact.type !== 'relay.failed-over') return shown;
  return { ...shown, to: fact.to.map(withoutQuery), slowest: redacted(fact.slowest) };
}
