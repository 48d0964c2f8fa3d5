import * as charts from '../../machines/index.ts';
import type { StepFact } from '../index.ts';
import { definitionOf } from './definition.ts';
import { type InspectorMessage, type ShownSnapshot, stamped } from './messages.ts';
import { redacted, withoutQuery } from './redact.ts';

type Chart = StepFact['chart'];

const DEFINITIONS: Readonly<Record<Chart, string>> = {
  publication: definitionOf(charts.publicationMachine),
  delivery: definitionOf(charts.deliveryMachine),
  subscription: definitionOf(charts.subscriptionMachine),
  auth: definitionOf(charts.authMachine),
  circuit: definitionOf(charts.circuitMachine),
};

/** States in which nothing more is expected. */
const ENDS: Readonly<Record<Chart, ReadonlySet<string>>> = {
  publication: new Set(['confirmed', 'failed', 'cancelled']),
  delivery: new Set(['accepted', 'rejected', 'given-up']),
  subscription: new Set(['complete', 'closed', 'refused']),
  auth: new Set([]),
  circuit: new Set([]),
};

/** Publications that are taken up in one span, and records that are followed at one time. */
const TAKEN_PER_SPAN = 1;
const TAKEN_MAX = 200;
const FOLLOWED = 60;

export interface RecordReporterNeeds {
  now(): number;
  emit(message: InspectorMessage): void;
  /** Whether one more message may be told in this span. */
  spend(): boolean;
  readonly rootId: string;
  /** The session of a relay's actor. */
  relaySession(url: string): string | undefined;
}

/**
 * Shows records whose charts run as data as if they were actors. There may be many thousands a second, so it takes a few
 * publications up, and follows them and their deliveries to the end.
 */
export class RecordReporter {
  readonly #needs: RecordReporterNeeds;
  /** Publications and deliveries by session, the one that has not moved for longest first. */
  readonly #followed = new Map<string, ShownSnapshot>();
  /** What was taken up last, with its records that have been introduced: those may move again after their end. */
  readonly #taken = new Map<string, Set<string>>();
  /** The same of what stays: subscriptions and authentications. There are no more than the pool has. */
  readonly #lasting = new Map<string, Set<string>>();
  #takes = TAKEN_PER_SPAN;

  constructor(needs: RecordReporterNeeds) {
    this.#needs = needs;
  }

  readonly next = (step: StepFact): void => {
    const { chart, id, relay, state } = step;
    const { rootId, relaySession } = this.#needs;
    const sessionId = `${rootId}/${chart}/${id}${relay === undefined ? '' : `/${withoutQuery(relay)}`}`;
    const isOfMany = chart === 'publication' || chart === 'delivery';
    const isOver = ENDS[chart].has(state);
    const known = (isOfMany ? this.#taken : this.#lasting).get(id);
    if (!known && isOfMany && this.#takes === 0) return;
    // The end of what has been shown is told whatever else there is to tell, or it would be shown for ever.
    const isKnownToEnd = isOver && known?.has(sessionId) === true;
    if (!isKnownToEnd && !this.#needs.spend()) return;
    const introduced = known ?? (isOfMany ? this.#takeUp(id) : this.#keep(id));
    const snapshot: ShownSnapshot = {
      status: isOver ? 'done' : 'active',
      value: state,
      context: redacted(step.context),
    };
    const common = { ...stamped(this.#needs.now()), rootId, sessionId };
    if (!introduced.has(sessionId)) {
      introduced.add(sessionId);
      const parentId = (relay === undefined ? undefined : relaySession(relay)) ?? rootId;
      const name = `${chart} ${id.slice(0, 8)}`;
      this.#needs.emit({
        type: '@xstate.actor',
        ...common,
        name,
        parentId,
        definition: DEFINITIONS[chart],
        snapshot: { ...snapshot, status: 'active' },
      });
    }
    this.#needs.emit({ type: '@xstate.event', ...common, event: { ...redacted(step.event), type: step.event.type } });
    this.#needs.emit({ type: '@xstate.snapshot', ...common, event: { type: step.event.type }, snapshot });
    if (!isOfMany) {
      if (isOver) introduced.delete(sessionId);
      if (introduced.size === 0) this.#lasting.delete(id);
      return;
    }
    this.#followed.delete(sessionId);
    if (!isOver) this.#followed.set(sessionId, snapshot);
    if (this.#followed.size > FOLLOWED) this.#letGo();
  };

  /** A new span. */
  flush(): void {
    this.#takes = TAKEN_PER_SPAN;
  }

  #keep(id: string): Set<string> {
    const introduced = new Set<string>();
    this.#lasting.set(id, introduced);
    return introduced;
  }

  #takeUp(id: string): Set<string> {
    this.#takes -= 1;
    const introduced = new Set<string>();
    this.#taken.set(id, introduced);
    const [oldest] = this.#taken.keys();
    if (this.#taken.size > TAKEN_MAX && oldest !== undefined) this.#taken.delete(oldest);
    return introduced;
  }

  #letGo(): void {
    const [oldest] = this.#followed;
    if (!oldest) return;
    const [sessionId, snapshot] = oldest;
    this.#followed.delete(sessionId);
    this.#needs.emit({
      type: '@xstate.snapshot',
      ...stamped(this.#needs.now()),
      rootId: this.#needs.rootId,
      sessionId,
      event: { type: 'xstate.stop' },
      snapshot: { ...snapshot, status: 'stopped' },
    });
  }
}
