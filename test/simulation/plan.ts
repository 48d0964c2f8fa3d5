import { PRIORITIES, type Priority } from '../../machines/policy/priority.ts';
import type { PoolOptions, RelayOptions } from '../../src/index.ts';
import { type Dice, type LinkConditions, type RelayFaults, seededRandom } from '../../src/testing/index.ts';
import type { SignerKind } from './signers.ts';

/** How one event is published; relays are named by their number. */
export interface PublishPlan {
  readonly event: number;
  readonly among?: readonly number[];
  readonly copies?: number;
  readonly quorum: number | 'all';
  readonly until?: 'first' | 'quorum' | 'complete';
  readonly priority?: Priority;
  readonly timeoutMs?: number;
  readonly expiresMs?: number;
  /** Milliseconds after which the caller withdraws. */
  readonly withdrawMs?: number;
  /** Whether it is an event to the actor instead of a call. */
  readonly byActor?: true;
}

/** What is subscribed to; the number names it. */
export interface SubscribePlan {
  readonly name: number;
  readonly kinds?: readonly number[];
  readonly limit?: number;
  readonly among?: readonly number[];
  readonly copies?: number;
  readonly versions?: 'all';
}

/** Everything that can happen in a simulation, with the time at which it does. It is plain JSON. */
export type Op = { readonly at: number } & (
  | ({ readonly do: 'publish' } & PublishPlan)
  | ({ readonly do: 'subscribe' } & SubscribePlan)
  | { readonly do: 'unsubscribe'; readonly name: number }
  | { readonly do: 'query'; readonly kinds: readonly number[]; readonly timeoutMs: number }
  /** Somebody else publishes an event to some relays, perhaps a while after its time. */
  | { readonly do: 'post'; readonly event: number; readonly relays: readonly number[]; readonly lateMs: number }
  /** A relay closes every subscription. */
  | { readonly do: 'shed'; readonly relay: number; readonly text: string }
  | { readonly do: 'cancel'; readonly event: number }
  | { readonly do: 'add' | 'remove'; readonly relay: number }
  | { readonly do: 'connect' | 'disconnect'; readonly relay?: number }
  | { readonly do: 'configure'; readonly relay?: number; readonly options: RelayOptions }
  /** The actor of a relay throws. */
  | { readonly do: 'poison'; readonly relay: number }
  /** The application closes its pool and starts another. */
  | { readonly do: 'renew'; readonly drainMs: number }
  /** The process is killed, and started again after a while. */
  | { readonly do: 'kill'; readonly forMs: number }
  | { readonly do: 'sleep'; readonly forMs: number; readonly stopsClock: boolean }
  | { readonly do: 'jump'; readonly byMs: number }
  | { readonly do: 'fault'; readonly relay: number; readonly forMs: number; readonly faults: Partial<RelayFaults> }
  | {
      readonly do: 'link';
      readonly relay: number;
      readonly forMs: number;
      readonly conditions: Partial<LinkConditions>;
    }
  | { readonly do: 'cut' | 'lose'; readonly relay: number }
  | { readonly do: 'close'; readonly relay: number; readonly code: number }
  /** The relay's process is away for a while: killed, or as if its machine had lost its power. */
  | { readonly do: 'stop' | 'vanish'; readonly relay: number; readonly forMs: number }
);

/** One simulation: who takes part, and everything that will happen. */
export interface Plan {
  readonly seed: number;
  /** Milliseconds in which things go wrong, before everything is healed. */
  readonly chaosMs: number;
  readonly relays: readonly { readonly url: string; readonly minMs: number; readonly spreadMs: number }[];
  readonly options: PoolOptions;
  /** Share of terminated connections that go on talking, against the contract of transports. */
  readonly rogue: number;
  /** Whether the pool has an outbox, on a disk that outlives its process. */
  readonly outbox?: boolean;
  /** False where the platform has no pings, as in browsers. Default: true. */
  readonly pings?: boolean;
  /** How events are verified: at once, later, or by something that fails. Default: at once. */
  readonly verifier?: 'prompt' | 'slow' | 'flaky';
  /** The keys by which relays may know us, and how they sign. Default: none. */
  readonly signers?: readonly SignerKind[];
  /** Whether connections that were lost without a word are found out when everything is healed, as by a new network. */
  readonly resets: boolean;
  readonly ops: readonly Op[];
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Draws from one stream. */
class Draw {
  readonly dice: Dice;

  constructor(dice: Dice) {
    this.dice = dice;
  }

  between(low: number, high: number): number {
    return low + this.dice() * (high - low);
  }

  whole(low: number, high: number): number {
    return Math.floor(this.between(low, high + 1));
  }

  /** Many small values, few large ones. */
  skewed(low: number, high: number): number {
    return Math.round(low * (high / low) ** this.dice());
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.dice());
  }

  chance(share: number): boolean {
    return this.dice() < share;
  }

  pick<Each>(from: readonly Each[]): Each {
    return from[this.whole(0, from.length - 1)] as Each;
  }
}

type Kind = (draw: Draw, relay: number, at: number) => readonly Op[];

const REFUSALS = [
  'pow: 20 bits',
  'blocked: you',
  'invalid: no',
  'restricted: members only',
  'mute: nobody listens',
  'rate-limited: slow down',
  'error: the disk is full',
  'auth-required: who are you',
  'duplicate: have it',
  'unsupported: what',
  'no reason',
] as const;

const CLOSE_CODES = [1000, 1001, 1002, 1006, 1008, 1011, 1012, 1013, 4000] as const;

const fault = (draw: Draw, relay: number, at: number, faults: Partial<RelayFaults>): Op => ({
  do: 'fault',
  at,
  relay,
  forMs: draw.skewed(200, 90 * SECOND),
  faults,
});

const link = (draw: Draw, relay: number, at: number, conditions: Partial<LinkConditions>): Op => ({
  do: 'link',
  at,
  relay,
  forMs: draw.skewed(100, 60 * SECOND),
  conditions,
});

const often = (draw: Draw): number | true => (draw.chance(0.3) ? true : Number(draw.between(0.05, 0.6).toFixed(2)));

/** What can go wrong with a relay, the way to it, or the machine. In each seed about half of the kinds exist. */
const KINDS: Readonly<Record<string, Kind>> = {
  cut: (_draw, relay, at) => [{ do: 'cut', at, relay }],
  lose: (_draw, relay, at) => [{ do: 'lose', at, relay }],
  close: (draw, relay, at) => [{ do: 'close', at, relay, code: draw.pick(CLOSE_CODES) }],
  stop: (draw, relay, at) => [{ do: 'stop', at, relay, forMs: draw.skewed(500, 2 * MINUTE) }],
  vanish: (draw, relay, at) => [{ do: 'vanish', at, relay, forMs: draw.skewed(500, 2 * MINUTE) }],
  refuse: (draw, relay, at) => [fault(draw, relay, at, { refuse: true }), { do: 'cut', at, relay }],
  tarpit: (draw, relay, at) => [fault(draw, relay, at, { tarpit: true }), { do: 'cut', at, relay }],
  http: (draw, relay, at) => {
    const httpStatus = draw.pick([302, 401, 403, 404, 410, 429, 500, 503]);
    const httpHeaders: Record<string, string> = draw.chance(0.5) ? { 'Retry-After': String(draw.skewed(1, 900)) } : {};
    return [fault(draw, relay, at, { httpStatus, httpHeaders }), { do: 'cut', at, relay }];
  },
  closeOnAccept: (draw, relay, at) => [
    fault(draw, relay, at, { closeOnAccept: draw.pick(CLOSE_CODES.filter((code) => code !== 1006)) }),
    { do: 'cut', at, relay },
  ],
  silent: (draw, relay, at) => [fault(draw, relay, at, { silent: true })],
  // Comes back and is only half there: it accepts connections, and says nothing.
  halfDead: (draw, relay, at) => {
    const forMs = draw.skewed(500, MINUTE);
    return [
      { do: 'stop', at, relay, forMs },
      { ...fault(draw, relay, at, { silent: true, noPongs: true }), forMs: 2 * forMs + 20 * SECOND } as Op,
    ];
  },
  noPongs: (draw, relay, at) => [fault(draw, relay, at, { noPongs: true })],
  // Closes politely, and keeps its side of the TCP connection open.
  lingers: (draw, relay, at) => [
    fault(draw, relay, at, { lingers: true }),
    { do: 'close', at: at + 1, relay, code: draw.pick(CLOSE_CODES.filter((code) => code !== 1006)) },
  ],
  noticeAcks: (draw, relay, at) => [fault(draw, relay, at, { noticeAcks: draw.pick(REFUSALS) })],
  refusedKind: (draw, relay, at) => [
    fault(draw, relay, at, { refusedKind: draw.pick([0, 1]), refuseWith: draw.pick(REFUSALS) }),
  ],
  tooLarge: (draw, relay, at) => [
    fault(draw, relay, at, { messageBytesMax: draw.skewed(300, 3_000), tooLargeCode: draw.pick([1006, 1008, 1009]) }),
  ],
  unserved: (draw, relay, at) => [fault(draw, relay, at, { unserved: draw.pick(['notice', 'silent'] as const) })],
  name: (draw, relay, at) => [
    link(draw, relay, at, { name: draw.pick(['hangs', 'unknown'] as const) }),
    { do: 'cut', at, relay },
  ],
  slow: (draw, relay, at) => [fault(draw, relay, at, { delayMs: draw.skewed(50, 8 * SECOND) })],
  lostAcks: (draw, relay, at) => [fault(draw, relay, at, { swallowAcks: often(draw) })],
  lateAcks: (draw, relay, at) => [
    fault(draw, relay, at, { lateAcks: often(draw), lateByMs: draw.skewed(500, 20 * SECOND) }),
  ],
  repeatedAcks: (draw, relay, at) => [fault(draw, relay, at, { repeatAcks: often(draw) })],
  contradictedAcks: (draw, relay, at) => [fault(draw, relay, at, { contradictAcks: often(draw) })],
  malformedAcks: (draw, relay, at) => [fault(draw, relay, at, { malformAcks: often(draw) })],
  strayAcks: (draw, relay, at) => [fault(draw, relay, at, { strayAcks: often(draw) })],
  babble: (draw, relay, at) => [fault(draw, relay, at, { babble: often(draw) })],
  refusals: (draw, relay, at) => [fault(draw, relay, at, { refuseWith: draw.pick(REFUSALS), refusals: often(draw) })],
  rateLimit: (draw, relay, at) => [fault(draw, relay, at, { ratePerSecond: draw.pick([0.2, 1, 5]) })],
  wrongClock: (draw, relay, at) => [
    fault(draw, relay, at, {
      freshMs: 15 * MINUTE,
      clockOffsetMs: draw.pick([-1, 1]) * draw.skewed(1_000, 60 * MINUTE),
    }),
  ],
  auth: (draw, relay, at) => [
    fault(draw, relay, at, { requireAuth: draw.pick(['before', 'after'] as const) }),
    { do: 'cut', at, relay },
  ],
  stallUp: (draw, relay, at) => [link(draw, relay, at, { upStalled: true })],
  stallDown: (draw, relay, at) => [link(draw, relay, at, { downStalled: true })],
  partition: (draw, relay, at) => [link(draw, relay, at, { upStalled: true, downStalled: true })],
  slowReader: (draw, relay, at) => [link(draw, relay, at, { bytesPerMs: draw.pick([0.02, 0.2, 2]) })],
  farAway: (draw, relay, at) => [
    link(draw, relay, at, { latency: { minMs: draw.skewed(50, 1_500), spreadMs: draw.skewed(5, 500) } }),
  ],
};

/** What can go wrong with what is received. */
const RECEIVING: Readonly<Record<string, Kind>> = {
  poison: (draw, relay, at) => [fault(draw, relay, at, { poison: often(draw) })],
  tamper: (draw, relay, at) => [fault(draw, relay, at, { tamper: often(draw) })],
  unmatched: (draw, relay, at) => [fault(draw, relay, at, { unmatched: often(draw) })],
  ahead: (draw, relay, at) => [fault(draw, relay, at, { ahead: often(draw) })],
  unknown: (draw, relay, at) => [fault(draw, relay, at, { unknown: often(draw) })],
  repeatedEvents: (draw, relay, at) => [fault(draw, relay, at, { repeatEvents: often(draw) })],
  noEnd: (draw, relay, at) => [fault(draw, relay, at, { swallowEose: often(draw), repeatEose: often(draw) })],
  closures: (draw, relay, at) => [
    fault(draw, relay, at, { closeWith: draw.pick([...REFUSALS, '']), closures: often(draw) }),
  ],
  crowd: (draw, relay, at) => [
    fault(draw, relay, at, { subscriptionsMax: draw.whole(1, 3), tooManyByNotice: draw.chance(0.3) }),
    { do: 'cut', at, relay },
  ],
  shed: (draw, relay, at) => [
    { do: 'shed', at, relay, text: draw.pick([...REFUSALS, 'error: too many subscriptions']) },
  ],
};

/** What the application does beside publishing, and what happens to its process. */
const CHANGES: Readonly<Record<string, Kind>> = {
  remove: (draw, relay, at) => [
    { do: 'remove', at, relay },
    { do: 'add', at: at + draw.skewed(1, 30 * SECOND), relay },
  ],
  disconnect: (draw, relay, at) => [
    { do: 'disconnect', at, relay },
    { do: 'connect', at: at + draw.skewed(1, 30 * SECOND), relay },
  ],
  connect: (draw, relay, at) => [{ do: 'connect', at, ...(draw.chance(0.5) ? { relay } : {}) }],
  configure: (draw, relay, at) => [
    { do: 'configure', at, ...(draw.chance(0.5) ? { relay } : {}), options: drawRelayOptions(draw) },
  ],
  unplug: (draw, relay, at) => [
    { do: 'configure', at, relay, options: { reconnect: { enabled: false } } },
    { do: 'configure', at: at + draw.skewed(1, 30 * SECOND), relay, options: { reconnect: { enabled: true } } },
  ],
  poison: (_draw, relay, at) => [{ do: 'poison', at, relay }],
  renew: (draw, _relay, at) => [{ do: 'renew', at, drainMs: draw.pick([0, 100, 5 * SECOND]) }],
  kill: (draw, _relay, at) => [{ do: 'kill', at, forMs: draw.skewed(10, 20 * SECOND) }],
  sleep: (draw, _relay, at) => [
    { do: 'sleep', at, forMs: draw.skewed(1_000, 10 * MINUTE), stopsClock: draw.chance(0.5) },
  ],
  jump: (draw, _relay, at) => [{ do: 'jump', at, byMs: draw.pick([-1, 1]) * draw.skewed(100, 2 * 60 * MINUTE) }],
};

function drawRelayOptions(draw: Draw): RelayOptions {
  const all: RelayOptions = {
    // Less than a far relay needs would be a mistake of the application.
    connectTimeoutMs: draw.skewed(2 * SECOND, 10 * SECOND),
    closeTimeoutMs: draw.skewed(100, 3 * SECOND),
    stableMs: draw.skewed(500, 20 * SECOND),
    connectionsMax: draw.whole(2, 3),
    reconnect: {
      strategy: draw.pick(['exponential', 'exponential', 'linear', 'fixed', 'decorrelated'] as const),
      initialDelayMs: draw.skewed(100, 2 * SECOND),
      maxDelayMs: draw.skewed(2 * SECOND, MINUTE),
      ...(draw.chance(0.1) ? { attemptsMax: draw.whole(2, 8) } : {}),
    },
    breaker: {
      failureThreshold: draw.whole(2, 6),
      successThreshold: draw.whole(1, 3),
      openMs: draw.skewed(500, 5 * SECOND),
      openMaxMs: draw.skewed(5 * SECOND, 2 * MINUTE),
      halfOpenTimeoutMs: draw.skewed(3 * SECOND, 10 * SECOND),
    },
  };
  // The defaults are what most people use, so most of what is drawn leaves them alone.
  return Object.fromEntries(Object.entries(all).filter(() => draw.chance(0.3)));
}

function drawOptions(draw: Draw): PoolOptions {
  const publish = {
    window: draw.pick([1, 2, 8, 64]),
    ackTimeoutMs: draw.skewed(500, 5 * SECOND),
    triesMax: draw.whole(1, 5),
    resendDelayMs: draw.skewed(50, SECOND),
    publicationsMax: draw.pick([1, 3, 20]),
    queueBytesMax: draw.pick([1_024, 4_096, 65_536]),
    expiresMs: draw.skewed(5 * SECOND, 5 * MINUTE),
  };
  return {
    ...drawRelayOptions(draw),
    publish: Object.fromEntries(Object.entries(publish).filter(() => draw.chance(0.25))),
    supervisor: draw.chance(0.2) ? { restartsMax: draw.whole(0, 2) } : {},
  };
}

function drawReadingOptions(draw: Draw): PoolOptions {
  const subscribe = {
    retryDelayMs: draw.skewed(100, SECOND),
    retryDelayMaxMs: draw.skewed(SECOND, 30 * SECOND),
    answerTimeoutMs: draw.skewed(2 * SECOND, 20 * SECOND),
    storedTimeoutMs: draw.skewed(SECOND, 10 * SECOND),
    backlogMax: draw.pick([1, 5, 100]),
  };
  return {
    subscriptionsMax: draw.pick([1, 3, 20]),
    subscribe: {
      ...Object.fromEntries(Object.entries(subscribe).filter(() => draw.chance(0.3))),
      overlapMs: MINUTE,
      // The process's clock is set, and what is new looks as if it came from the future.
      aheadMaxMs: 24 * 60 * MINUTE,
    },
  };
}

function drawPublish(draw: Draw, event: number, relays: number): PublishPlan {
  const copies = draw.chance(0.4) ? draw.whole(1, relays) : undefined;
  const among = draw.chance(0.2)
    ? Array.from({ length: relays }, (_, index) => index).filter(() => draw.chance(0.7))
    : undefined;
  return {
    event,
    ...(copies === undefined ? {} : { copies }),
    ...(among === undefined || among.length === 0 ? {} : { among }),
    quorum: draw.chance(0.15) ? 'all' : draw.whole(1, Math.min(relays, 3)),
    ...(draw.chance(0.3) ? { until: draw.pick(['first', 'complete'] as const) } : {}),
    ...(draw.chance(0.4) ? { priority: draw.pick(PRIORITIES) } : {}),
    ...(draw.chance(0.3) ? { timeoutMs: draw.skewed(50, MINUTE) } : {}),
    ...(draw.chance(0.2) ? { expiresMs: draw.skewed(100, 10 * MINUTE) } : {}),
    ...(draw.chance(0.1) ? { withdrawMs: draw.skewed(1, 10 * SECOND) } : {}),
    ...(draw.chance(0.15) ? { byActor: true as const } : {}),
  };
}

function drawPublishing(draw: Draw, chaosMs: number, relays: number): Op[] {
  const ops: Op[] = [];
  const meanMs = draw.skewed(500, 10 * SECOND);
  let event = 0;
  for (let at = draw.exponential(meanMs); at < chaosMs; at += draw.exponential(meanMs)) {
    const many = draw.chance(0.05) ? draw.whole(5, 40) : 1;
    for (let index = 0; index < many; index += 1) {
      // Now and then an event is published again, perhaps with other wishes.
      const again = event > 0 && draw.chance(0.08);
      ops.push({ do: 'publish', at, ...drawPublish(draw, again ? draw.whole(0, event - 1) : event, relays) });
      if (!again) event += 1;
    }
    if (draw.chance(0.03)) ops.push({ do: 'cancel', at: at + draw.exponential(2 * SECOND), event: event - 1 });
  }
  return ops;
}

/** Things go wrong at any time, and on purpose shortly after something was published: that is where it hurts. */
function drawFaults(draw: Draw, chaosMs: number, relays: number, published: readonly Op[]): Op[] {
  const meanMs = draw.skewed(2 * SECOND, 30 * SECOND);
  const kinds = [...Object.values(KINDS), ...Object.values(CHANGES)].filter(() => draw.chance(0.5));
  const ops: Op[] = [];
  for (let at = draw.exponential(meanMs); at < chaosMs; at += draw.exponential(meanMs)) {
    const aimed = published.length > 0 && draw.chance(0.4);
    const when = aimed ? draw.pick(published).at + draw.exponential(draw.skewed(4, 600)) : at;
    if (kinds.length > 0) ops.push(...draw.pick(kinds)(draw, draw.whole(0, relays - 1), when));
  }
  return ops;
}

/** Subscriptions, what others publish meanwhile, and what goes wrong on that way. */
function drawReading(draw: Draw, chaosMs: number, relays: number): Op[] {
  const ops: Op[] = [];
  const some = (share: number): number[] =>
    Array.from({ length: relays }, (_, each) => each).filter(() => draw.chance(share));
  const wanted = draw.whole(1, 6);
  for (let name = 1; name <= wanted; name += 1) {
    const at = draw.chance(0.6) ? 0 : draw.between(0, chaosMs / 2);
    const among = draw.chance(0.2) ? some(0.7) : [];
    ops.push({
      do: 'subscribe',
      at,
      name,
      ...(draw.chance(0.7) ? { kinds: draw.pick([[1], [0], [0, 1]]) } : {}),
      ...(draw.chance(0.2) ? { limit: draw.whole(0, 5) } : {}),
      ...(among.length > 0 ? { among } : {}),
      ...(draw.chance(0.25) ? { copies: draw.whole(1, 2) } : {}),
      ...(draw.chance(0.7) ? { versions: 'all' as const } : {}),
    });
    if (draw.chance(0.15)) ops.push({ do: 'unsubscribe', at: at + draw.exponential(MINUTE), name });
  }
  const meanMs = draw.skewed(2 * SECOND, 20 * SECOND);
  let event = 2_000_000;
  for (let at = draw.exponential(meanMs); at < chaosMs; at += draw.exponential(meanMs)) {
    const count = draw.chance(0.03) ? draw.whole(5, 30) : 1;
    for (let each = 0; each < count; each += 1) {
      const to = draw.chance(0.3) ? [draw.whole(0, relays - 1)] : some(0.7);
      ops.push({ do: 'post', at, event, relays: to, lateMs: draw.chance(0.5) ? 0 : draw.skewed(1, 20 * SECOND) });
      event += 1;
    }
    if (draw.chance(0.05)) {
      ops.push({ do: 'query', at, kinds: draw.pick([[0], [1], [0, 1]]), timeoutMs: draw.skewed(50, 20 * SECOND) });
    }
  }
  const kinds = Object.values(RECEIVING).filter(() => draw.chance(0.5));
  const faultsMs = draw.skewed(3 * SECOND, 30 * SECOND);
  for (let at = draw.exponential(faultsMs); at < chaosMs && kinds.length > 0; at += draw.exponential(faultsMs)) {
    ops.push(...draw.pick(kinds)(draw, draw.whole(0, relays - 1), at));
  }
  return ops;
}

/** Some links are clogged one after the other, and freed in another order. */
function drawClogging(draw: Draw, chaosMs: number, relays: number): Op[] {
  const from = draw.between(0, chaosMs / 2);
  const stepMs = draw.skewed(50, 5 * SECOND);
  return Array.from({ length: relays }, (_, relay) => relay)
    .filter(() => draw.chance(0.8))
    .map((relay, index): Op => {
      const forMs = stepMs * (relays + draw.whole(0, relays));
      return {
        do: 'link',
        at: from + index * stepMs,
        relay,
        forMs,
        conditions: { upStalled: true, downStalled: true },
      };
    });
}

/** Many events that go to one relay each, and then every relay becomes slow at once. */
function drawSlowdown(draw: Draw, chaosMs: number, relays: number): Op[] {
  const from = draw.between(0, chaosMs / 2);
  const stepMs = draw.skewed(20, 500);
  const [wellMs, slowMs] = [40 * stepMs, 80 * stepMs];
  const events = Array.from({ length: 120 }, (_, index): Op => {
    return { do: 'publish', at: from + index * stepMs, event: 500_000 + index, copies: 1, quorum: 1 };
  });
  const slow = Array.from({ length: relays }, (_, relay): Op => {
    const faults = { delayMs: draw.skewed(300, 4 * SECOND) };
    return { do: 'fault', at: from + wellMs, relay, forMs: slowMs, faults };
  });
  return [...events, ...slow];
}

/** Everything that a seed decides before a simulation begins. */
/** Somebody who hangs is only of interest beside somebody who does not. */
const drawSigners = (draw: Draw): readonly SignerKind[] =>
  draw.chance(0.5) ? draw.pick([['prompt'], ['prompt', 'prompt'], ['refusing'], ['prompt', 'hanging']] as const) : [];

export function drawPlan(seed: number, hours?: number): Plan {
  const draw = new Draw(seededRandom(`${seed}/plan`));
  const count = draw.pick([1, 2, 3, 3, 4, 5, 10]);
  const chaosMs = hours === undefined ? draw.skewed(30 * SECOND, 10 * MINUTE) : hours * 60 * MINUTE;
  const shared = count > 1 && draw.chance(0.1);
  const relays = Array.from({ length: count }, (_, index) => ({
    // Two URLs of one host are one voice.
    url: shared && index === count - 1 ? 'wss://relay0.example/second' : `wss://relay${index}.example/`,
    minMs: draw.skewed(1, 150),
    spreadMs: draw.skewed(1, 40),
  }));
  const published = drawPublishing(new Draw(seededRandom(`${seed}/publishing`)), chaosMs, count);
  const faults = new Draw(seededRandom(`${seed}/faults`));
  const reading = new Draw(seededRandom(`${seed}/reading`));
  const ops = [
    ...published,
    ...drawFaults(faults, chaosMs, count, published),
    ...(faults.chance(0.1) ? drawClogging(faults, chaosMs, count) : []),
    ...(faults.chance(0.1) ? drawSlowdown(faults, chaosMs, count) : []),
    ...(reading.chance(0.45) ? drawReading(reading, chaosMs, count) : []),
  ];
  const signers = drawSigners(new Draw(seededRandom(`${seed}/signers`)));
  return {
    seed,
    chaosMs,
    relays,
    options: {
      ...drawOptions(draw),
      ...drawReadingOptions(reading),
      ...(signers.length > 0 ? { authenticate: 'when-required' } : {}),
    },
    ...(signers.length > 0 ? { signers } : {}),
    verifier: reading.pick(['prompt', 'slow', 'flaky'] as const),
    rogue: draw.chance(0.2) ? 0.5 : 0,
    outbox: seededRandom(`${seed}/outbox`)() < 0.3,
    pings: seededRandom(`${seed}/pings`)() < 0.8,
    resets: draw.chance(0.7),
    ops: ops.filter(({ at }) => at < chaosMs).sort((a, b) => a.at - b.at),
  };
}
