import type { AnyActorRef, InspectionEvent } from 'xstate';
import { chartOf, definitionOf } from './definition.ts';
import { type InspectorMessage, type ShownEvent, type ShownSnapshot, type StateValue, stamped } from './messages.ts';
import { redacted, revealed, withoutQuery } from './redact.ts';

/** Messages of actors in one span; what is beyond that is counted, and of states the last is told when the span is over. */
const MESSAGES_PER_SPAN = 200;

export interface ReporterNeeds {
  /** Milliseconds since the epoch. */
  now(): number;
  emit(message: InspectorMessage): void;
  /** Whether contexts and events are shown whole, but for secrets. */
  readonly reveal: boolean;
}

interface Known {
  readonly actor: AnyActorRef;
  readonly parent: Known | undefined;
  readonly children: Map<string, Known>;
  /** Whether it has been told of: XState tells of an actor before it has a snapshot. */
  isIntroduced: boolean;
  /** The last state that was told, and the snapshot that is not yet. */
  told: string;
  pending: { readonly event: ShownEvent; readonly snapshot: MachineSnapshot } | undefined;
}

interface MachineSnapshot {
  readonly status: ShownSnapshot['status'];
  readonly value?: StateValue;
  readonly context?: object;
  readonly children?: Readonly<Record<string, AnyActorRef | undefined>>;
}

/**
 * Turns what XState says of one actor and those below it into messages. Transitions are told at once, contexts that change
 * without one only with the next `flush`. It never throws: whoever observes would otherwise throw into the sender of an event.
 */
export class ActorReporter {
  readonly #root: AnyActorRef;
  readonly #needs: ReporterNeeds;
  readonly #known = new Map<AnyActorRef, Known>();
  readonly #pending = new Set<Known>();
  readonly #strangers = new Set<Known>();
  #budget = MESSAGES_PER_SPAN;
  #omitted = 0;

  constructor(root: AnyActorRef, needs: ReporterNeeds) {
    this.#root = root;
    this.#needs = needs;
    this.#meet(root);
    this.#introduceAll();
  }

  get rootId(): string {
    return this.#root.sessionId;
  }

  /** The session of an actor that the root has started under this id. */
  sessionOf(id: string): string | undefined {
    return this.#known.get(this.#root)?.children.get(id)?.actor.sessionId;
  }

  readonly next = (event: InspectionEvent): void => {
    // What happens within a transition is built all the same, but of no interest here.
    if (event.type === '@xstate.event') this.#safely(() => this.#takeEvent(event));
    else if (event.type === '@xstate.snapshot') this.#safely(() => this.#takeSnapshot(event));
    else if (event.type === '@xstate.actor') this.#safely(() => this.#meet(event.actorRef as AnyActorRef));
  };

  /** Tells what has gathered, and begins a new span. */
  flush(): void {
    this.#budget = MESSAGES_PER_SPAN;
    this.#introduceAll();
    for (const known of this.#pending) {
      this.#pending.delete(known);
      this.#safely(() => this.#tellPending(known));
    }
    if (this.#omitted === 0) return;
    this.#needs.emit({ type: 'recloser.omitted', ...stamped(this.#needs.now()), count: this.#omitted });
    this.#omitted = 0;
  }

  /** Whether one more message may be told in this span; otherwise it is counted as left out. */
  spend(): boolean {
    if (this.#budget > 0) {
      this.#budget -= 1;
      return true;
    }
    this.#omitted += 1;
    return false;
  }

  #safely(act: () => void): void {
    try {
      act();
    } catch {
      // Such as a getter of somebody's context that throws.
      this.#omitted += 1;
    }
  }

  /** An actor that belongs to the root, and those that it has. */
  #meet(actor: AnyActorRef): Known | undefined {
    const found = this.#known.get(actor);
    if (found) return found;
    const above = (actor as { _parent?: AnyActorRef })._parent;
    const parent = above && this.#known.get(above);
    if (actor !== this.#root && !parent) return undefined;
    const known: Known = { actor, parent, children: new Map(), isIntroduced: false, told: '', pending: undefined };
    const former = parent?.children.get(actor.id);
    if (former) this.#forget(former);
    parent?.children.set(actor.id, known);
    this.#known.set(actor, known);
    this.#strangers.add(known);
    return known;
  }

  #introduceAll(): void {
    // Those that they have are introduced after them.
    for (const known of this.#strangers) this.#safely(() => this.#introduce(known));
  }

  #introduce(known: Known): void {
    const { actor, parent } = known;
    this.#strangers.delete(known);
    if (known.isIntroduced || this.#known.get(actor) !== known) return;
    known.isIntroduced = true;
    if (parent) this.#introduce(parent);
    const snapshot = snapshotOf(actor);
    const machine = chartOf(actor);
    known.told = JSON.stringify(snapshot.value ?? null);
    this.#needs.emit({
      type: '@xstate.actor',
      ...stamped(this.#needs.now()),
      name: withoutQuery(actor.id),
      rootId: this.rootId,
      sessionId: actor.sessionId,
      ...(parent ? { parentId: parent.actor.sessionId } : {}),
      ...(machine ? { definition: definitionOf(machine) } : {}),
      snapshot: this.#shown(snapshot),
    });
    for (const child of Object.values(snapshot.children ?? {})) if (child) this.#meet(child);
  }

  #takeEvent({ actorRef, sourceRef, event }: Extract<InspectionEvent, { type: '@xstate.event' }>): void {
    const known = this.#known.get(actorRef as AnyActorRef);
    if (!known || !this.spend()) return;
    // Not by its first event, which it takes before it has a snapshot.
    if (!known.isIntroduced) return;
    this.#needs.emit({
      type: '@xstate.event',
      ...stamped(this.#needs.now()),
      rootId: this.rootId,
      sessionId: actorRef.sessionId,
      ...(sourceRef ? { sourceId: sourceRef.sessionId } : {}),
      event: this.#shownEvent(event),
    });
  }

  #takeSnapshot({ actorRef, event, snapshot }: Extract<InspectionEvent, { type: '@xstate.snapshot' }>): void {
    const known = this.#known.get(actorRef as AnyActorRef);
    if (!known) return;
    this.#introduce(known);
    const given = snapshot as unknown as MachineSnapshot;
    // Of an event only what is shown is kept, for it may be changed or be large.
    known.pending = { event: this.#budget > 0 ? this.#shownEvent(event) : { type: event.type }, snapshot: given };
    const isTransition = JSON.stringify(given.value ?? null) !== known.told || given.status !== 'active';
    if (isTransition && this.spend()) this.#tellPending(known);
    else this.#pending.add(known);
  }

  #tellPending(known: Known): void {
    const { pending, actor } = known;
    if (!pending) return;
    known.pending = undefined;
    this.#pending.delete(known);
    const { event, snapshot } = pending;
    known.told = JSON.stringify(snapshot.value ?? null);
    this.#tell(actor, event, this.#shown(snapshot));
    if (snapshot.children) this.#compare(known, snapshot.children);
    if (snapshot.status !== 'active') this.#forget(known, false);
  }

  /** Nothing says that an actor was stopped but that its parent does not have it any more. */
  #compare({ children }: Known, now: NonNullable<MachineSnapshot['children']>): void {
    for (const [id, child] of children) if (now[id] !== child.actor) this.#forget(child);
  }

  #forget(known: Known, isUntold = true): void {
    for (const child of known.children.values()) this.#forget(child);
    if (this.#known.get(known.actor) !== known) return;
    this.#known.delete(known.actor);
    this.#pending.delete(known);
    this.#strangers.delete(known);
    const siblings = known.parent?.children;
    if (siblings?.get(known.actor.id) === known) siblings.delete(known.actor.id);
    if (!isUntold || !known.isIntroduced) return;
    const { value } = snapshotOf(known.actor);
    this.#tell(known.actor, { type: 'xstate.stop' }, { status: 'stopped', ...(value === undefined ? {} : { value }) });
  }

  #tell(actor: AnyActorRef, event: ShownEvent, snapshot: ShownSnapshot): void {
    this.#needs.emit({
      type: '@xstate.snapshot',
      ...stamped(this.#needs.now()),
      rootId: this.rootId,
      sessionId: actor.sessionId,
      event,
      snapshot,
    });
  }

  #shown({ status, value, context }: MachineSnapshot): ShownSnapshot {
    const show = this.#needs.reveal ? revealed : redacted;
    return {
      status,
      ...(value === undefined ? {} : { value }),
      ...(typeof context === 'object' && context !== null ? { context: show(context) } : {}),
    };
  }

  #shownEvent(event: { readonly type: string }): ShownEvent {
    return { ...(this.#needs.reveal ? revealed(event) : redacted(event)), type: event.type };
  }
}

const snapshotOf = (actor: AnyActorRef): MachineSnapshot => actor.getSnapshot() as MachineSnapshot;
