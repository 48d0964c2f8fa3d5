import type {
  ActorMessage,
  AlertMessage,
  EventMessage,
  FactMessage,
  HelloMessage,
  InspectorMessage,
  RelaySummary,
  SnapshotMessage,
  StateValue,
  Summary,
} from '../../src/inspect/messages.ts';
import { timeOf } from '../../src/inspect/messages.ts';

/** Milliseconds that lanes and sparklines show. */
export const SPAN_MS = 60_000;

const LOG_MAX = 2_000;
const EXCHANGES_MAX = 300;
const FAILOVERS_MAX = 100;
const ACTORS_MAX = 2_000;

interface Segment {
  readonly status: string;
  readonly from: number;
}

export interface RelayView {
  readonly url: string;
  readonly summary: RelaySummary;
  /** The last minute: when it changed its state, and how long answers took. */
  readonly segments: readonly Segment[];
  readonly samples: readonly { readonly at: number; readonly latency: number | undefined }[];
}

export interface ActorView {
  readonly sessionId: string;
  readonly rootId: string;
  readonly parentId: string | undefined;
  readonly name: string;
  readonly definition: string | undefined;
  readonly status: string;
  readonly value: StateValue | undefined;
  readonly context: Readonly<Record<string, unknown>>;
  /** The last transition: from where, and by what. */
  readonly from: StateValue | undefined;
  readonly by: string | undefined;
  /** When it came to be in this state. */
  readonly since: number;
}

export interface LogLine {
  readonly number: number;
  readonly at: number;
  readonly who: string;
  readonly sessionId?: string;
  readonly from?: string;
  readonly to?: string;
  readonly words: string;
}

export interface Exchange {
  readonly at: number;
  readonly source: string | undefined;
  readonly target: string;
  readonly event: string;
}

export interface FailoverView {
  readonly at: number;
  readonly url: string;
  readonly cause: string;
  readonly to: readonly string[];
  readonly count: number;
  readonly ms: number;
  readonly slowest: {
    readonly relay: string;
    readonly publishedMs: number;
    readonly sentMs?: number;
    readonly movedMs: number;
    readonly acceptedMs: number;
  };
}

/** Facts that the log tells; the others are seen in the transitions of actors, or in the numbers. */
const TOLD: Readonly<Record<string, (fact: FactMessage['fact']) => string>> = {
  'relay.added': () => 'added',
  'relay.removed': () => 'removed',
  'relay.crashed': () => 'its actor crashed',
  'relay.restarted': () => 'restarted',
  'relay.abandoned': () => 'abandoned: it crashed too often',
  'relay.auth-requested': () => 'wants to know who we are',
  'relay.authenticated': () => 'knows who we are',
  'relay.auth-failed': () => 'does not take our word for who we are',
  'relay.informed': () => 'has said what it takes',
  'pool.stranded': () => 'no relay can be reached',
  'pool.recovered': () => 'a relay can be reached again',
  'pool.strained': () => 'so few relays serve that none is spared',
  'pool.relieved': () => 'enough relays serve again',
  'pool.network-suspected': () => 'our own network is in doubt',
  'pool.network-offline': () => 'our own network is gone',
  'pool.network-recovered': () => 'our own network is well',
  'pool.draining': () => 'draining',
  'pool.closed': () => 'closed',
  'outbox.failed': () => 'the outbox failed',
  'state.failed': () => 'the state could not be kept',
  'verifier.failed': () => 'the verifier failed',
};

/** What the page knows, from the messages that it was told, in their order. The same messages always give the same. */
export class Model {
  hello: HelloMessage | undefined;
  summary: Summary | undefined;
  /** When the last message was made. */
  now = 0;
  readonly relays = new Map<string, RelayView>();
  readonly actors = new Map<string, ActorView>();
  readonly failovers: FailoverView[] = [];
  readonly log: LogLine[] = [];
  readonly exchanges: Exchange[] = [];
  /** Alerts that are raised, by their names and relays. */
  readonly alerts = new Map<string, AlertMessage['alert']>();
  /** Messages that were left out because there were too many. */
  omitted = 0;
  #lines = 0;

  /** Takes a message; whether the log has a line more. */
  apply(message: InspectorMessage): boolean {
    const lines = this.#lines;
    this.now = Math.max(this.now, timeOf(message));
    switch (message.type) {
      case 'recloser.hello':
        this.hello = message;
        break;
      case 'recloser.summary':
        this.#takeSummary(message.summary, timeOf(message));
        break;
      case 'recloser.fact':
        this.#takeFact(message);
        break;
      case 'recloser.alert':
        this.#takeAlert(message);
        break;
      case 'recloser.omitted':
        this.omitted += message.count;
        break;
      case '@xstate.actor':
        this.#takeActor(message);
        break;
      case '@xstate.event':
        this.#takeEvent(message);
        break;
      case '@xstate.snapshot':
        this.#takeSnapshot(message);
        break;
    }
    return this.#lines > lines;
  }

  /** The actor of a relay: the one that lives, where one before it has ended and is still shown. */
  actorOf(url: string): ActorView | undefined {
    const actors = [...this.actors.values()].filter(({ name }) => name === `relay:${url}`);
    return actors.find(({ status }) => status === 'active') ?? actors.at(-1);
  }

  childrenOf(sessionId: string | undefined): readonly ActorView[] {
    const isTop = (actor: ActorView): boolean => actor.parentId === undefined || !this.actors.has(actor.parentId);
    return [...this.actors.values()].filter((actor) =>
      sessionId === undefined ? isTop(actor) : actor.parentId === sessionId,
    );
  }

  #takeSummary(summary: Summary, at: number): void {
    this.summary = summary;
    const urls = new Set(summary.relays.map(({ url }) => url));
    for (const url of this.relays.keys()) if (!urls.has(url)) this.relays.delete(url);
    for (const relay of summary.relays) {
      const known = this.relays.get(relay.url);
      const began = { status: relay.status, from: at - relay.since };
      const segments = known?.segments ?? [began];
      const isNews = segments.at(-1)?.status !== relay.status;
      this.relays.set(relay.url, {
        url: relay.url,
        summary: relay,
        segments: recent(isNews ? [...segments, began] : segments, at, ({ from }) => from),
        samples: sampled(known?.samples ?? [], at, relay.latency),
      });
    }
  }

  #takeFact({ fact, ...message }: FactMessage): void {
    const at = timeOf({ ...message, fact });
    const url = typeof fact.url === 'string' ? fact.url : undefined;
    const who = url === undefined ? 'pool' : shortUrl(url);
    if (fact.type === 'relay.status-changed' && url !== undefined)
      return this.#takeStatus(url, String(fact.status), at);
    if (fact.type === 'relay.failed-over') {
      const failover = { ...fact, at: at - Number(fact.ms) } as unknown as FailoverView;
      if (!isFailover(failover)) return;
      push(this.failovers, failover, FAILOVERS_MAX);
      const to = failover.to.map(shortUrl).join(', ');
      const words = `failover: ${failover.count} moved to ${to} in ${rounded(failover.ms)} ms`;
      return this.#write({ at, who, words });
    }
    const told = Object.hasOwn(TOLD, fact.type) ? TOLD[fact.type] : undefined;
    if (told) this.#write({ at, who, words: told(fact) });
  }

  #takeAlert({ alert, ...message }: AlertMessage): void {
    const { name, raised, value, relay } = alert;
    const key = `${name} ${relay ?? ''}`;
    if (raised) this.alerts.set(key, alert);
    else this.alerts.delete(key);
    const who = relay === undefined ? 'pool' : shortUrl(relay);
    const words = `alert: ${name}${raised ? '' : ' no more'}${value === undefined ? '' : ` (${rounded(value)})`}`;
    this.#write({ at: timeOf({ ...message, alert }), who, words });
  }

  /** Between two summaries a relay may have been through several states. */
  #takeStatus(url: string, status: string, at: number): void {
    const known = this.relays.get(url);
    if (!known || known.segments.at(-1)?.status === status) return;
    const segments = recent([...known.segments, { status, from: at }], at, ({ from }) => from);
    this.relays.set(url, { ...known, segments });
  }

  #takeActor(message: ActorMessage): void {
    const { sessionId, rootId, parentId, name, definition, snapshot } = message;
    this.actors.set(sessionId, {
      sessionId,
      rootId,
      parentId: parentId ?? undefined,
      name: name ?? sessionId,
      definition: definition ?? undefined,
      status: snapshot?.status ?? 'active',
      value: snapshot?.value ?? undefined,
      context: snapshot?.context ?? {},
      from: undefined,
      by: undefined,
      since: timeOf(message),
    });
    if (this.actors.size > ACTORS_MAX) this.#forgetActor();
  }

  #takeEvent(message: EventMessage): void {
    const { sessionId, sourceId, event } = message;
    const exchange = { at: timeOf(message), source: sourceId ?? undefined, target: sessionId, event: event.type };
    push(this.exchanges, exchange, EXCHANGES_MAX);
  }

  #takeSnapshot(message: SnapshotMessage): void {
    const known = this.actors.get(message.sessionId);
    if (!known) return;
    const { status, value, context } = message.snapshot;
    const at = timeOf(message);
    const by = message.event?.type ?? '';
    const hasMoved = value !== undefined && !isSameValue(value, known.value);
    const hasEnded = status !== known.status;
    // The one that has not moved for longest is first, and the first to be forgotten.
    this.actors.delete(message.sessionId);
    this.actors.set(message.sessionId, {
      ...known,
      status,
      value: value ?? known.value,
      context: context ?? known.context,
      ...(hasMoved ? { from: known.value, by, since: at } : {}),
    });
    if (isOfSingleEvent(known)) {
      // Thousands a second would drown the rest; they are seen in the tree.
    } else if (hasMoved) {
      const who = shortName(known.name);
      const move = { from: wordsOf(known.value), to: wordsOf(value) };
      this.#write({ at, who, sessionId: known.sessionId, ...move, words: by });
    } else if (hasEnded && known.definition !== undefined) {
      this.#write({ at, who: shortName(known.name), sessionId: known.sessionId, words: status });
    }
    if (status !== 'active') this.#retire(message.sessionId);
  }

  /** What has ended stays for a while, so that it can be looked at. */
  #retire(sessionId: string): void {
    this.#ended.push(sessionId);
    if (this.#ended.length <= ENDED_KEPT) return;
    const oldest = this.#ended.shift();
    if (oldest !== undefined && this.actors.get(oldest)?.status !== 'active') this.actors.delete(oldest);
  }

  readonly #ended: string[] = [];

  #forgetActor(): void {
    const [oldest] = this.actors.keys();
    if (oldest !== undefined) this.actors.delete(oldest);
  }

  #write(line: Omit<LogLine, 'number'>): void {
    this.#lines += 1;
    push(this.log, { number: this.#lines, ...line }, LOG_MAX);
  }
}

/** Whether it is a publication or a delivery, shown as an actor below its pool. */
const isOfSingleEvent = ({ sessionId, rootId, name }: ActorView): boolean =>
  sessionId.startsWith(`${rootId}/`) && /^(publication|delivery) /.test(name);

/** Actors that have ended and can still be looked at. */
const ENDED_KEPT = 30;

function push<Each>(list: Each[], each: Each, max: number): void {
  list.push(each);
  // A tenth at a time: to take one from the front takes as long as the list is.
  if (list.length > max * 1.1) list.splice(0, list.length - max);
}

/** What is of the last minute, and the one before it, which reaches into it. */
function recent<Each>(list: readonly Each[], now: number, at: (each: Each) => number): readonly Each[] {
  const first = list.findIndex((each) => at(each) >= now - SPAN_MS);
  return first <= 1 ? list : list.slice(first - 1);
}

/** A sample every half second is as much as can be seen. */
const SAMPLE_MS = 500;

function sampled(samples: RelayView['samples'], at: number, latency: number | undefined): RelayView['samples'] {
  const last = samples.at(-1);
  const isGap = last !== undefined && (last.latency === undefined) !== (latency === undefined);
  if (last && at - last.at < SAMPLE_MS && !isGap) return samples;
  return recent([...samples, { at, latency }], at, (each) => each.at);
}

function isFailover(given: FailoverView): boolean {
  const { slowest, to, count, ms } = given;
  const numbers = [count, ms, slowest?.publishedMs, slowest?.movedMs, slowest?.acceptedMs];
  return Array.isArray(to) && typeof slowest?.relay === 'string' && numbers.every(Number.isFinite);
}

/** Whether two values are the same state, in whatever order its regions are told. */
function isSameValue(one: StateValue, other: StateValue | undefined): boolean {
  if (typeof one === 'string' || typeof other === 'string' || other === undefined) return one === other;
  const regions = Object.entries(one);
  if (regions.length !== Object.keys(other).length) return false;
  return regions.every(([region, inner]) => Object.hasOwn(other, region) && isSameValue(inner, other[region]));
}

/** A state as words: of nested ones the innermost, of parallel ones all. */
export function wordsOf(value: StateValue | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  return Object.entries(value)
    .map(([state, inner]) => {
      const words = wordsOf(inner);
      return words ? `${state}.${words}` : state;
    })
    .join(' + ');
}

/** A relay's address without what all of them have. */
export const shortUrl = (url: string): string => url.replace(/^wss?:\/\//, '').replace(/\/$/, '');

export const shortName = (name: string): string => (name.startsWith('relay:') ? shortUrl(name.slice(6)) : name);

export const rounded = (ms: number): string => ms.toFixed(Math.abs(ms) < 10 ? 1 : 0);
