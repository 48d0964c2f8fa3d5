import type { CloseReport } from '../../machines/policy/close.ts';
import type { PublishSettings, RelaySettings, SubscribeSettings } from '../../machines/policy/settings.ts';
import type { RelayContext } from '../../machines/relay/relay.context.ts';
import type { DeliveryLane } from '../../src/delivery/publication.ts';
import type { Fact, Message, NostrEvent, Pool, Receipt, Received, RelayStatus } from '../../src/index.ts';
import type { Version } from '../../src/protocol/codec.ts';
import type { SimulatedHost } from '../../src/testing/index.ts';
import type { PublishPlan } from './plan.ts';
import type { QuestionView, ReaderView } from './reader.ts';

/** One connection as it is seen from the wire, between pool and network. */
export interface Wire {
  readonly url: string;
  /** Counts the connections of one process. */
  readonly number: number;
  /** Whether it stands beside the relay's first connection, which is the one that the relay is judged by. */
  isFurther: boolean;
  /** Neither closed nor let go of. */
  live: boolean;
  opened: boolean;
  /** When anything last arrived here, a pong as well, by the process's clock. */
  heardAt: number;
  /** When each event was last sent here and has not been answered, by the process's clock. */
  readonly unanswered: Map<string, number>;
  /** Probes that were sent here and have not been answered, and answers since the relay became half-open. */
  readonly probesOpen: Set<string>;
  probesAnswered: number;
  /** Probes that were given up. */
  probesLost: number;
  /** Frames and pongs that have arrived: each is a sign of life. */
  signs: number;
}

/** One call of `publish`, or one PUBLISH. */
export interface Call {
  readonly id: string;
  /** What its event is a version of. */
  readonly version: Version | undefined;
  readonly plan: PublishPlan;
  /** Waking milliseconds of the process when it was made, and when it was settled. */
  readonly askedAt: number;
  withdrawnAt: number | undefined;
  settledAt: number | undefined;
}

/** What is known of one relay from what the pool and the wire have shown, without looking inside. */
export interface RelayView {
  readonly url: string;
  readonly host: string;
  status: RelayStatus | undefined;
  /** Waking milliseconds of the process at which the status began. */
  statusSince: number;
  /** A wait that was announced: when, for how long, and until when by the process's clock. */
  wait: { readonly since: number; readonly delayMs: number; readonly untilOwn: number } | undefined;
  /** How the last connection ended; nothing when the pool let go of it. */
  lastReport: CloseReport | undefined;
  /** The newest connection, but for further ones. */
  wire: Wire | undefined;
}

/** What happens, as invariants hear it. Every handler comes before the pool has reacted, except facts. */
export interface Watcher {
  /** A process has started with an empty pool. */
  began?(): void;
  dialled?(wire: Wire, relay: RelayView): void;
  /** The name of a relay was looked up in vain, or let go of. */
  unresolved?(url: string): void;
  sent?(wire: Wire, relay: RelayView, eventId: string | undefined, frame: string): void;
  received?(wire: Wire, relay: RelayView, message: Message): void;
  /** The connection is over: told by the network, or let go of by the pool. */
  ended?(wire: Wire, relay: RelayView, report: CloseReport | undefined): void;
  /** A subscription has brought an event, the end of what is stored, or its own end. */
  delivered?(reader: ReaderView, received: Received): void;
  storedTold?(reader: ReaderView, complete: boolean): void;
  readerEnded?(reader: ReaderView): void;
  /** A question is answered. */
  answered?(question: QuestionView): void;
  /** A fact, with the status that the relay had before it. */
  fact?(fact: Fact, relay: RelayView | undefined, before: RelayStatus | undefined): void;
  asked?(call: Call): void;
  settled?(call: Call, receipt: Receipt | undefined): void;
  stepped?(): void;
  /** The pool has closed; its process is still there. */
  closed?(): void;
  /** Everything is healed, and has been for as long as recovery may take. */
  calmed?(): void;
}

/** What invariants may ask. */
export interface Scene {
  /** Milliseconds of the simulated world. */
  readonly now: number;
  /** Milliseconds for which the process has been awake. */
  readonly awakeMs: number;
  /** What the process's clock shows. */
  readonly ownNow: number;
  /** Whether what is accepted is kept on a disk. */
  readonly hasOutbox: boolean;
  /** Whether everything has been healed. */
  readonly isHealed: boolean;
  /** Milliseconds that an event may take over connections that are there. */
  readonly settlingMs: number;
  /** Whether the process's clock has ever been set, or the process been asleep. */
  readonly timeWasOdd: boolean;
  /** Whether its clock has ever been set. */
  readonly clockWasSet: boolean;
  /** Whether a relay of this process may be gone for good: taken away, or crashed. */
  readonly hasRemoved: boolean;
  readonly pool: Pool;
  readonly host: SimulatedHost;
  readonly relays: ReadonlyMap<string, RelayView>;
  readonly calls: readonly Call[];
  readonly publishing: PublishSettings;
  readonly subscribing: SubscribeSettings;
  /** The subscriptions of this process, those that have ended among them. */
  readonly readers: readonly ReaderView[];
  /** What each relay has stored, with the time of the world at which it was. */
  storedAt(url: string): ReadonlyMap<string, { readonly event: NostrEvent; readonly at: number }>;
  /** Whether an event is as its author made it. */
  isGenuine(event: NostrEvent): boolean;
  /** What is open in the books of publishing. */
  readonly books: {
    readonly open: number;
    readonly unconfirmed: number;
    readonly queueBytes: number;
    readonly hedges: { readonly count: number; readonly trust: number };
  };
  /** The ways to all relays, as the books have them. */
  lanes(): readonly DeliveryLane[];
  relay(url: string): RelayView;
  /** The status that the relay's chart is in, which facts tell a little later. */
  statusOf(url: string): RelayStatus | undefined;
  /** What the relay's chart remembers; nothing while there is no actor. */
  chart(url: string): RelayContext | undefined;
  settings(url: string): RelaySettings;
  /** Failed calls that the pool has measured at a relay in this process. */
  failuresMeasured(url: string): number;
  /** Something that must not happen has happened. */
  fail(ids: string, problem: string): void;
  /** Something that must happen now and then has happened. */
  mark(name: string): void;
}

/** A promise, watched for as long as a simulation runs. */
export interface Invariant {
  /** Its names in the table of invariants. */
  readonly ids: string;
  readonly says: string;
  watch(scene: Scene): Watcher;
}
