/**
 * Every default and every bound, in one place. A value outside its bounds is refused with a `RecloserError`, never
 * clamped: a pool that quietly runs with other numbers than it was given cannot be reasoned about.
 */
export interface Limit {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** Whether `Infinity`, meaning "no limit", is accepted although it exceeds `max`. */
  readonly unlimited?: true;
  /** Whether only whole numbers make sense. */
  readonly whole?: true;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** One connection: how long things may take, and how large a frame may be. */
export const CONNECTION_LIMITS = {
  /** Milliseconds for resolving the relay's name. They are not part of `connectTimeoutMs`. */
  resolveTimeoutMs: { default: 5 * SECOND, min: 10, max: 2 * MINUTE },
  /** Milliseconds from the first TCP connection attempt to the accepted upgrade. */
  connectTimeoutMs: { default: 5 * SECOND, min: 10, max: 2 * MINUTE },
  /** Milliseconds that a graceful close may take before the socket is terminated. */
  closeTimeoutMs: { default: SECOND, min: 1, max: 30 * SECOND },
  /** Milliseconds of uninterrupted service after which past attempts are forgotten. */
  stableMs: { default: 10 * SECOND, min: 10, max: HOUR },
  /** Milliseconds of settled service that shorten the next open circuit by one step. */
  forgivenessMs: { default: MINUTE, min: 10, max: 24 * HOUR },
  /** Milliseconds between questions to a degraded relay, whose answers say whether it has recovered. */
  recoveryCheckMs: { default: SECOND, min: 10, max: MINUTE },
  /** Milliseconds without a word after which a connection that owes nothing is asked for a sign of life. */
  heartbeatMs: { default: 15 * SECOND, min: 10, max: HOUR },
  /** Milliseconds of silence, at least, after which a connection that owes an answer is given up. */
  deadAfterMs: { default: 5 * SECOND, min: 50, max: 10 * MINUTE },
  /** Largest frame in bytes that is accepted or sent. */
  frameBytesMax: { default: 1024 * 1024, min: 1024, max: 64 * 1024 * 1024, whole: true },
  /**
   * Connections to the relay, at most; more than one only while the load asks for it. NIP-01 asks for a single one, so ask
   * the relay's operator first. Raised above 1, it takes hold with the next connection.
   */
  connectionsMax: { default: 1, min: 1, max: 3, whole: true },
  /** Subscriptions that are open there at one time, at most; others wait. A relay that allows fewer is believed. */
  subscriptionsMax: { default: 20, min: 1, max: 10_000, whole: true },
} as const satisfies Record<string, Limit>;

/** How a relay stands among others. */
export const STANDING_LIMITS = {
  /** How much more than others it is asked. */
  weight: { default: 1, min: 0.01, max: 100 },
  /** In which order relays are asked by the strategy `priority`: the lowest first. */
  priority: { default: 0, min: 0, max: 100, whole: true },
} as const satisfies Record<string, Limit>;

/** How relays are chosen. */
export const BALANCE_LIMITS = {
  /** How far weights follow the measured quality of a relay: 0 not at all, 1 altogether. */
  healthWeight: { default: 0.5, min: 0, max: 1 },
} as const satisfies Record<string, Limit>;

/** Reconnecting. */
export const RECONNECT_LIMITS = {
  /** Milliseconds; the delay that the first retry is drawn from, while nothing else serves. */
  initialDelayMs: { default: SECOND, min: 1, max: HOUR },
  /** Growth of the exponential strategy per attempt. */
  multiplier: { default: 2, min: 1, max: 10 },
  /** Milliseconds; no delay is drawn from beyond this, while nothing else serves. */
  maxDelayMs: { default: MINUTE, min: 1, max: 24 * HOUR },
  /** Milliseconds; no delay is ever shorter. */
  minDelayMs: { default: 125, min: 1, max: HOUR },
  /** How much slower a relay is retried while others serve: times the first delay, and at most twice the largest. */
  relaxation: { default: 5, min: 1, max: 100 },
  /** Attempts without a settled session after which the relay is given up. */
  attemptsMax: { default: Number.POSITIVE_INFINITY, min: 1, max: 1_000_000, unlimited: true, whole: true },
  /** Refusals in a row (policy close codes, HTTP 401, 403, 404) after which the relay is believed. */
  refusalsMax: { default: 3, min: 1, max: 1_000, unlimited: true, whole: true },
} as const satisfies Record<string, Limit>;

/** The circuit breaker. */
export const BREAKER_LIMITS = {
  /** Failures in a row that open the circuit. */
  failureThreshold: { default: 5, min: 1, max: 20, whole: true },
  /** Share of failures, from 0 to 1, that opens the circuit. */
  failureRatio: { default: 0.5, min: 0.01, max: 1 },
  /** Outcomes that must be known before the share counts. */
  ratioCallsMin: { default: 10, min: 1, max: 20, whole: true },
  /** Milliseconds after which an outcome no longer counts for the share. */
  windowMs: { default: MINUTE, min: 10, max: HOUR },
  /** Probes in a row that must succeed before a half-open circuit closes. */
  successThreshold: { default: 3, min: 1, max: 20, whole: true },
  /** Milliseconds of the first open circuit; it doubles with every one that follows. */
  openMs: { default: 5 * SECOND, min: 1, max: HOUR },
  /** Milliseconds beyond which an open circuit does not grow. */
  openMaxMs: { default: 5 * MINUTE, min: 1, max: 24 * HOUR },
  /** Milliseconds that all probes of a half-open circuit together may take. */
  halfOpenTimeoutMs: { default: 5 * SECOND, min: 10, max: 2 * MINUTE },
  /** Milliseconds; a slower probe counts as failed. */
  slowProbeMs: { default: 2 * SECOND, min: 1, max: 2 * MINUTE },
} as const satisfies Record<string, Limit>;

/** Publishing. */
export const PUBLISH_LIMITS = {
  /** Milliseconds that a caller waits for a receipt. */
  timeoutMs: { default: 30 * SECOND, min: 1, max: 24 * HOUR },
  /** Milliseconds that the pool keeps trying before it gives a publication of priority `normal` up. */
  expiresMs: { default: 5 * MINUTE, min: 1, max: 7 * 24 * HOUR },
  /** The same for `low`. What matters more is not given up, or only after the longest time that there is. */
  lowExpiresMs: { default: 30 * SECOND, min: 1, max: 7 * 24 * HOUR },
  /** Milliseconds to wait for one acknowledgement before it counts as unknown. */
  ackTimeoutMs: { default: 5 * SECOND, min: 5, max: 2 * MINUTE },
  /** Unacknowledged messages per connection, at most; how many it is depends on how the relay answers. */
  window: { default: 64, min: 1, max: 4_096, whole: true },
  /** Sends of one message to one relay that answers with a passing refusal. */
  triesMax: { default: 5, min: 1, max: 100, whole: true },
  /** Milliseconds; the delay that the first resend on a live connection is drawn from. */
  resendDelayMs: { default: SECOND, min: 1, max: HOUR },
  /** Milliseconds beyond which the delay between resends does not grow. */
  resendDelayMaxMs: { default: 30 * SECOND, min: 1, max: HOUR },
  /** Publications that may be open at once; more are refused at the door. */
  publicationsMax: { default: 1_000, min: 1, max: 1_000_000, whole: true },
  /** Bytes of all open publications together; more are refused at the door. */
  queueBytesMax: { default: 16 * 1024 * 1024, min: 1024, max: 4 * 1024 * 1024 * 1024, whole: true },
} as const satisfies Record<string, Limit>;

/** Milliseconds of waiting after which events of priority `low` go the newest first. */
export const LOW_LATE_MS = 5 * SECOND;

/** Milliseconds within which a relay that is asked for a subscription has missed nothing of it. */
export const FIRST_ASKED_MS = SECOND;

/** Subscribing, and what is received. */
export const SUBSCRIBE_LIMITS = {
  /** Milliseconds that `query`, `get` and `count` wait for relays; those in which our own verification is late do not count. */
  timeoutMs: { default: 10 * SECOND, min: 1, max: HOUR },
  /** Milliseconds after which the end of what is stored is told, whether or not every relay has come to it; counted likewise. */
  storedTimeoutMs: { default: 10 * SECOND, min: 1, max: HOUR },
  /** Milliseconds without a word about a request, on a relay that answers others, after which it is asked for again. */
  answerTimeoutMs: { default: 20 * SECOND, min: 10, max: HOUR },
  /** Milliseconds by which what is asked for after a gap reaches back before it. */
  overlapMs: { default: 10 * MINUTE, min: 0, max: 7 * 24 * HOUR },
  /** Milliseconds by which the time of an event may be ahead of ours; others are passed over. */
  aheadMaxMs: { default: 15 * MINUTE, min: 0, max: 24 * HOUR, unlimited: true },
  /** Milliseconds; the delay that the first repetition of a refused request is drawn from. */
  retryDelayMs: { default: SECOND, min: 10, max: HOUR },
  /** Milliseconds beyond which the delay between repetitions does not grow. */
  retryDelayMaxMs: { default: 5 * MINUTE, min: 10, max: 24 * HOUR },
  /** Subscriptions that may be wanted at one time, in all; more are refused. */
  subscriptionsMax: { default: 1_000, min: 1, max: 100_000, whole: true },
  /** Events that wait for a reader of a subscription, at most. */
  bufferMax: { default: 10_000, min: 1, max: 10_000_000, whole: true },
  /** Events of one relay that wait to be verified, at most. */
  backlogMax: { default: 10_000, min: 1, max: 1_000_000, whole: true },
} as const satisfies Record<string, Limit>;

/** An outbox of one process. */
export const OUTBOX_LIMITS = {
  /** Items that are kept, dead letters among them; more are refused at the door. */
  itemsMax: { default: 100_000, min: 1, max: 100_000_000, whole: true },
} as const satisfies Record<string, Limit>;

/** The supervisor. */
export const POOL_LIMITS = {
  /** Relays in one pool. */
  relaysMax: { default: 1_000, min: 1, max: 10_000, whole: true },
  /** Connections of all relays together that are beside their first ones. */
  furtherConnectionsMax: { default: 20, min: 0, max: 10_000, whole: true },
  /** Restarts of one crashed relay actor within `restartWindowMs`, after which it stays down. */
  restartsMax: { default: 3, min: 0, max: 100, whole: true },
  /** Milliseconds in which restarts are counted. */
  restartWindowMs: { default: MINUTE, min: 10, max: 24 * HOUR },
  /** Milliseconds that `close` waits for open publications. */
  drainMs: { default: 5 * SECOND, min: 0, max: HOUR },
} as const satisfies Record<string, Limit>;

/** Thresholds at which a connection counts as degraded. */
export const DEGRADED = {
  /** Outcomes that are looked at, and outcomes that must be known. */
  calls: 30,
  callsMin: 10,
  /** Calls that must have gone well before it is left. */
  recoveryCallsMin: 5,
  /** Share of slow or failed calls at which it is entered, and at or below which it may be left. */
  enterRatio: 0.2,
  exitRatio: 0.05,
  /** Milliseconds that it lasts at least. */
  dwellMs: 10 * SECOND,
  /** Milliseconds that all must have been well: doubling with every entry that is remembered, up to a bound. */
  holdMs: 5 * SECOND,
  holdMsMax: MINUTE,
  /** Milliseconds in which half of the entries are forgotten. */
  flapHalfLifeMs: 2 * MINUTE,
  /** Milliseconds for which a relay that asked for rest counts as degraded. */
  pacedMs: 10 * SECOND,
  /** Bytes that wait in the socket, and milliseconds for which so many must, to count as congested. */
  congestedBytes: 1024 * 1024,
  congestedMs: SECOND,
  /** A call is slow beyond this multiple of the relay's own median, within these bounds in milliseconds. */
  slowFactor: 4,
  slowMsMin: 300,
  slowMsMax: 2 * SECOND,
} as const;

/** Milliseconds of the answer timeout: RFC 6298 with a floor that suits messages instead of segments. */
export const RTO_MS = { initial: SECOND, min: 25, max: 2 * SECOND, granularity: 5, erraticSamplesMin: 10 } as const;

/** How long silence may last. */
export const SILENCE = {
  /** Late ticks in a row from which on an unanswered probe is evidence: the timers are throttled, and the process was awake. */
  throttledTicks: 2,
  /** Answer timeouts, and milliseconds beyond which those do not count. */
  deadTimeouts: 7,
  deadMsMax: 20 * SECOND,
  /** Milliseconds that a timer may be late before nothing is concluded from it. */
  oversleptMs: 2 * SECOND,
  /** Milliseconds between the first look at a silence and the one that counts: what has arrived is read in between. */
  secondLookMs: 1,
} as const;

/** Copies of what is late. */
export const HEDGE = {
  /** Milliseconds that an answer always has. */
  delayMsMin: 15,
  /** Latencies that must be known before the usual one is, and the share of them that it exceeds. */
  samplesMin: 20,
  usualShare: 0.95,
  /** Copies at once, and for every message that is sent. */
  budgetMax: 10,
  perSend: 0.1,
  /** The throttle: full, per answer, and per second. */
  trustMax: 10,
  perAnswer: 0.1,
  perSecond: 0.1,
  /** Answer timeouts after which an answer that is not copied costs trust as well. */
  missedTimeouts: 2,
  /** Silent relays from which on it is no relay's own failure: so many, and such a share. */
  systemicMin: 2,
  systemicShare: 0.3,
} as const;

/**
 * The write circuit of a relay: milliseconds between two early trials with an event that needs this relay, and of closed
 * circuit after which its former trips are forgotten.
 */
export const WRITE_CIRCUIT = { earlyTrialMs: SECOND, forgivenMs: MINUTE } as const;

/**
 * Events that kill connections: losses in a row with the event in flight after which it is set aside; bytes of a frame
 * that alone make it suspect, if the relay has never taken as much; milliseconds after which a suspect is sent alone although
 * others wait.
 */
export const SUSPECT_EVENT = { losses: 2, bytesMin: 16 * 1024, patienceMs: 5 * SECOND } as const;

/**
 * Answers that are missing while later ones arrive: answers to later events after which an event gives its place in the
 * window back, and the share of the window that late events may keep while the relay answers something else.
 */
export const OVERTAKEN = { answers: 3, lateShare: 0.5 } as const;

/** When a relay gets more connections than one, where it may have them. */
export const SCALING = {
  /** Milliseconds between two looks at the load. */
  lookMs: 500,
  /** More: the rank of the looks of the last milliseconds, the share of the room, and milliseconds between two steps. */
  upRank: 0.95,
  upWithinMs: 10 * SECOND,
  upShare: 0.8,
  upApartMs: 2 * SECOND,
  /** Fewer: the highest load of so many milliseconds, and the share of the room that is left. */
  downWithinMs: MINUTE,
  downShare: 0.5,
} as const;

/** How the window of a connection is learned. */
export const WINDOW = {
  initial: 8,
  min: 2,
  /** Messages that may queue at the relay: below the first it grows, beyond the second it shrinks. */
  queuedMin: 3,
  queuedMax: 6,
  /** Milliseconds of delay that are not worth noticing. */
  granularityMs: 20,
  /** Milliseconds for which the least delay is remembered, at least: a route may change. */
  leastMs: 30 * SECOND,
} as const;

/** How the rate that a relay takes is learned. */
export const PACE = {
  /** Of what it took before its first refusal, and of what was tried before the next. */
  firstShare: 0.8,
  nextShare: 0.7,
  /** Milliseconds between two refusals that both count. */
  refusalsApartMs: SECOND,
  /** Milliseconds without a refusal after which it grows, and by how much. */
  quietMs: 3 * SECOND,
  growthPerSecond: 1.05,
  burstMax: 10,
  /** What is believed at first, at least: one refusal does not say much. Then at least this. */
  firstMin: 1,
  perSecondMin: 0.1,
  /** Beyond this nothing is held back any more. */
  perSecondMax: 1_000,
} as const;

/** How the cost of a relay is learned. */
export const BALANCE = {
  /** Milliseconds in which a peak loses two thirds of its height. */
  peakDecayMs: 10 * SECOND,
  /** Weight of a new answer in the averages. */
  weight: 0.2,
  /** Milliseconds that a relay is taken for that has neither answered nor ponged, and that a failure is worth. */
  unknownMs: 250,
  failureMs: SECOND,
  /** A smaller share of successes makes no difference. */
  successMin: 0.05,
  /** Milliseconds in which a relay that begins to serve comes to its full share, and the share that it begins with. */
  slowStartMs: 30 * SECOND,
  slowStartMin: 0.1,
} as const;

/** Weights of the sum that says how good a relay is, and the load at which its leisure is half. */
export const QUALITY = { reliability: 0.4, speed: 0.2, leisure: 0.3, leisureUrgent: 0.6, loadHalf: 8 } as const;

/** Relays that are drawn from where there are many: the share that is fastest, at least so many, and for how long. */
export const APERTURE = {
  from: 8,
  least: 6,
  most: 48,
  share: 0.3,
  renewMs: SECOND,
  widenAt: 1.5,
  narrowAt: 0.5,
} as const;

/** How tiers spill over, and milliseconds below which all are near. */
export const TIERS = { overprovisioning: 1.4, nearMs: 25 } as const;

/** How much more than its share may wait at a relay before a key goes to the next; and what may wait in any case. */
export const AFFINITY = { loadFactor: 1.25, loadMin: 8 } as const;

/**
 * Authenticating: milliseconds to wait for a challenge, a signer and an answer, and for further keys once one is known;
 * challenges of one connection that count.
 */
export const AUTH = {
  challengeMs: 5 * SECOND,
  signMs: MINUTE,
  answerMs: 10 * SECOND,
  furtherKeysMs: 5 * SECOND,
  challengesMax: 3,
} as const;

/** Milliseconds after which a relay that had no room for more subscriptions is asked whether it has. */
export const ROOM_RETRY_MS = MINUTE;

/** Milliseconds of service after which the failures of a subscription before it are forgotten. */
export const REQUEST_STEADY_MS = MINUTE;

/** Verifying: milliseconds of one go in this thread, and after which a verifier elsewhere has failed. */
export const VERIFY = { sliceMs: 8, timeoutMs: 30 * SECOND } as const;

/** How many times as long as relays have for it the end of what is stored is waited for at most, while verifying it is late. */
export const STORED_PATIENCE = 20;

/** How forged events are charged: so many make a failed call; each genuine one makes up for a share of one, as does time. */
export const FORGERY = { perFailure: 3, genuineShare: 0.25, forgivenMs: 10 * SECOND } as const;

/** Forged events of one relay that are verified: so many at once, and so many a second after that. */
export const FORGERY_BUDGET = { burst: 60, perSecond: 10 } as const;

/** Asking relays what they say of themselves: how long that may take, how long it holds, and how large it may be. */
export const INFORMATION = {
  timeoutMs: 5 * SECOND,
  freshMs: HOUR,
  retryMs: 10 * MINUTE,
  bytesMax: 64 * 1024,
} as const;

/**
 * Events that are remembered, so that none is delivered twice: of each of two generations, and with those kept for a gap; and
 * of a subscription that is closed, where they are no more than so many.
 */
export const SEEN = { generation: 50_000, most: 200_000, versions: 50_000, afterwards: 4_096 } as const;

/**
 * Events in answer to what was asked for after a gap from which on there may be more: relays send no more than so many at a
 * time, mostly 500, and do not say so. And pages that are asked for then, at most.
 */
export const PAGES = { eventsMin: 100, most: 1_000 } as const;

/**
 * Finding out what a relay has that we have not (NIP-77): events that are compared, and fetched, at most; how many are asked
 * for at a time; and messages that a comparison may take.
 */
export const BACKFILL = { comparedMax: 5_000, missingMax: 5_000, idsPerRequest: 200, roundsMax: 50 } as const;

/** Relays that a subscription remembers, those that it is on aside: how far each has served it, and who has sent what. */
export const RELAYS_REMEMBERED = 1_000;

/** Verified events that are remembered whole, so that the same one need not be verified for another subscription. */
export const VERIFIED_KEPT = 2_500;

/** Connections of one relay that are remembered. */
export const CONNECTIONS_KEPT = 20;

/** Milliseconds after which a change of the relays is kept, and between two times that their history is. */
export const KEEP_MS = { change: SECOND, history: MINUTE } as const;

/** Failovers that are remembered. */
export const FAILOVERS_MAX = 100;

/** When our own network is what failed: so large a share of the relays that served, and so many, within this time. */
export const NETWORK_DOUBT = {
  share: 0.5,
  relaysMin: 2,
  withinMs: 2 * SECOND,
  /** Milliseconds within which refused upgrades belong together: dials are spread by their backoff. */
  refusedWithinMs: 10 * SECOND,
  /** Milliseconds after which the relays are believed to have failed after all. */
  lastsMs: MINUTE,
} as const;

/**
 * Bounds on attempts that are under way. A young attempt is one that has lasted less than `youngMs`, or three times the
 * usual time of those that succeeded, up to `youngMsMax`. An older one goes on without holding others up. `most` bounds all
 * of them, and `reserved` of those only relays may use that a caller waits for.
 */
export interface AttemptBounds {
  readonly young: number;
  readonly youngInDoubt: number;
  readonly youngMs: number;
  readonly youngMsMax: number;
  readonly most: number;
  readonly reserved: number;
}

/** Dials under way. */
export const DIAL_BOUNDS: AttemptBounds = {
  young: 8,
  youngInDoubt: 4,
  youngMs: 250,
  youngMsMax: SECOND,
  most: 64,
  reserved: 16,
};

/** Name resolutions under way. */
export const RESOLVE_BOUNDS: AttemptBounds = {
  young: 16,
  youngInDoubt: 8,
  youngMs: 250,
  youngMsMax: SECOND,
  most: 128,
  reserved: 32,
};

/** Milliseconds between two connection attempts to addresses of one name (RFC 8305, section 5). */
export const ADDRESS_DELAY_MS = 250;

/** Milliseconds for which resolved addresses are reused: the time that the name server allows, within these bounds. */
export const ADDRESSES_KEPT_MS = { min: SECOND, max: 5 * MINUTE, unknown: 30 * SECOND } as const;
/** Share of the relays that may be ejected for how they answer. */
export const EJECTED_SHARE_MAX = 0.5;
/** Where less than this share of at least so many relays serves, a pool does not choose any more. */
export const PANIC = { share: 0.5, relaysMin: 4 } as const;
/** Milliseconds from which the wait of an open circuit is drawn while too few relays serve. */
export const URGENT_OPEN_MS = 5 * SECOND;

/** Milliseconds from which the first delay is drawn when a relay says that it restarts (RFC 6455 7.4.1, code 1012). */
export const RESTART_DELAY_MS = { min: 5 * SECOND, max: 30 * SECOND } as const;
/** Milliseconds; a longer Retry-After is not believed. */
export const RETRY_AFTER_MS_MAX = 10 * MINUTE;
/** Steps that a policy refusal raises the open circuit to, at least. */
export const REFUSAL_TRIPS_MIN = 4;
/** Closes in a row with one ambiguous code, each before its session has settled, that count as a refusal. */
export const AMBIGUOUS_CLOSES_MAX = 3;
/** Milliseconds after which a relay that was locked out is dialled once more. */
export const LOCK_OUT_MS = 24 * HOUR;
/** Outcomes that the breaker remembers. */
export const BREAKER_WINDOW_CALLS = 20;
/** Longest relay URL in characters. */
export const URL_LENGTH_MAX = 512;
