import type { Filter } from 'nostr-tools/filter';
import type { Clock } from '../../clock.ts';
import { type NostrEvent, rebuildEvent } from '../../protocol/nostr/event.ts';
import type { Dice } from '../random.ts';
import { allIds, somethingDiffers } from './comparison.ts';
import type { Desk } from './desk.ts';
import { type EventStore, matches } from './event-store.ts';
import { happens, type RelayFaults } from './faults.ts';
import type { RateLimit } from './rate-limit.ts';

/** Kind of the event that authenticates (NIP-42). */
const AUTH_KIND = 22_242;

/** What is no message: malformed in each of the ways that have been seen. */
const BABBLE: readonly (string | Uint8Array)[] = [
  '{{{',
  '{}',
  'null',
  '[]',
  '["EVENT"]',
  '["EVENT","sub",null]',
  '["OK"]',
  '["NOTICE",5]',
  '["WHAT","is","this"]',
  '["EOSE"',
  '["OK","__proto__",true,""]',
  new Uint8Array([0xff, 0xfe, 0x00]),
];

const CENTURY_SECONDS = 100 * 365 * 24 * 60 * 60;

/** Hex that differs in its last digit. */
const flipped = (hex: string): string => hex.slice(0, -1) + (hex.endsWith('0') ? '1' : '0');

/** Lists in a filter are lists, as far as a query needs it. */
function isFilter(value: unknown): value is Filter {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([key, each]) => Array.isArray(each) || !/^(ids|authors|kinds|#.)$/.test(key));
}

/** What the sessions of one relay share. */
export interface RelayHost {
  readonly url: string;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly store: EventStore;
  readonly limit: RateLimit;
  readonly desk: Desk;
  readonly faults: Readonly<RelayFaults>;
  /** A frame came in, before anything is done about it. */
  received(frame: string): void;
  /** A new event was stored: every session may want it. */
  stored(event: NostrEvent): void;
  /** The id of an event that was perhaps never sent here. */
  rumour(): string;
}

/** A session's hold on its connection. */
export interface SessionWire {
  send(frame: string | Uint8Array): void;
  /** Closes the connection with a code; 1006 cuts it without a Close frame. */
  close(code: number): void;
}

/** One client at a relay, over whatever wire: NIP-01, the AUTH of NIP-42, the COUNT of NIP-45, and comparing by NIP-77. */
export class RelaySession {
  readonly #wire: SessionWire;
  readonly #host: RelayHost;
  readonly #subscriptions = new Map<string, readonly Filter[]>();
  /** What is compared, by the name of the comparison. */
  readonly #comparisons = new Map<string, Filter>();
  readonly #challenge: string;
  readonly #timers = new Set<unknown>();
  /** What goes out later, by the delay. */
  readonly #delayed = new Map<number, (string | Uint8Array)[]>();
  #authenticated = false;
  /** Most subscriptions that were open at one time. */
  subscriptionsMost = 0;

  constructor(host: RelayHost, wire: SessionWire) {
    this.#host = host;
    this.#wire = wire;
    this.#challenge = `challenge ${host.dice()}`;
    if (host.faults.requireAuth === 'before' && !host.faults.silent) this.#say(['AUTH', this.#challenge]);
  }

  receive(frame: string): void {
    this.#host.received(frame);
    const { silent, messageBytesMax, tooLargeCode } = this.#host.faults;
    if (frame.length > messageBytesMax) return this.#wire.close(tooLargeCode);
    if (!silent) this.#handle(frame);
  }

  /** Sends an event to whoever subscribed to it. */
  offer(event: NostrEvent): void {
    for (const [id, filters] of this.#subscriptions) if (matches(filters, event)) this.#serve(id, event);
  }

  /** Subscriptions that are open. */
  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  /** The client is gone. */
  end(): void {
    for (const timer of this.#timers) this.#host.clock.clearTimeout(timer);
    this.#timers.clear();
  }

  #handle(frame: string): void {
    let message: unknown;
    try {
      message = JSON.parse(frame);
    } catch {
      return this.#say(['NOTICE', 'error: this is not JSON']);
    }
    if (!Array.isArray(message)) return this.#say(['NOTICE', 'error: this is not a list']);
    const [type, first, ...rest] = message as [unknown, unknown, ...Filter[]];
    if (type === 'EVENT') return this.#publish(first);
    if (type === 'AUTH') return this.#authenticate(first);
    if (typeof first !== 'string') return this.#say(['NOTICE', 'error: the subscription id is missing']);
    if (type === 'NEG-OPEN' || type === 'NEG-MSG' || type === 'NEG-CLOSE') return this.#compare(type, first, rest[0]);
    if (!rest.every(isFilter)) return this.#say(['NOTICE', 'error: this is not a filter']);
    if (type === 'REQ') return this.#subscribe(first, rest);
    if (type === 'COUNT') return this.#count(first, rest);
    if (type === 'CLOSE') this.#subscriptions.delete(first);
    else this.#say(['NOTICE', 'error: this is not understood']);
  }

  #publish(value: unknown): void {
    const { faults, store, dice } = this.#host;
    const id = (value as { id?: unknown } | null)?.id;
    const refusal = this.#refusalOf(value);
    if (refusal !== undefined) return this.#say(['OK', id, false, refusal]);
    const known = store.events.size;
    const { event, answer } = store.add(value);
    if (event && store.events.size > known) this.#host.stored(event);
    if (faults.noticeAcks !== undefined) return this.#say(['NOTICE', faults.noticeAcks]);
    if (!happens(faults.swallowAcks, dice)) this.#acknowledge(id, answer.accepted, answer.text);
  }

  #refusalOf(value: unknown): string | undefined {
    const { faults, clock, dice, limit } = this.#host;
    if (this.#mustAuthenticate()) return 'auth-required: authenticate first';
    const isRefused =
      faults.refusedKind === undefined || faults.refusedKind === (value as { kind?: unknown } | null)?.kind;
    if (faults.refuseWith !== undefined && isRefused && happens(faults.refusals, dice)) return faults.refuseWith;
    const now = clock.now() + faults.clockOffsetMs;
    if (!limit.take(faults.ratePerSecond, now)) return 'rate-limited: slow down';
    const { created_at: at } = (value ?? {}) as { created_at?: unknown };
    if (typeof at === 'number' && Math.abs(at * 1_000 - now) > faults.freshMs)
      return 'invalid: its time is too far off';
    return undefined;
  }

  #acknowledge(id: unknown, accepted: boolean, text: string): void {
    const { faults, dice } = this.#host;
    const servedMs = faults.serviceMs > 0 ? this.#host.desk.doneInMs(faults.serviceMs, this.#host.clock.now()) : 0;
    const laterMs = servedMs + (happens(faults.lateAcks, dice) ? faults.lateByMs : 0);
    if (happens(faults.malformAcks, dice)) {
      const wrong = [
        ['OK', id, String(accepted), text],
        ['OK', String(id).toUpperCase(), accepted, text],
        ['OK', id],
      ];
      return this.#say(wrong[Math.floor(dice() * wrong.length)] ?? [], laterMs);
    }
    this.#say(['OK', id, accepted, text], laterMs);
    if (happens(faults.repeatAcks, dice)) this.#say(['OK', id, accepted, text], laterMs);
    if (happens(faults.contradictAcks, dice)) this.#say(['OK', id, !accepted, 'error: it is not so'], laterMs);
    if (happens(faults.strayAcks, dice)) this.#say(['OK', this.#host.rumour(), true, ''], laterMs);
  }

  #subscribe(id: string, filters: readonly Filter[]): void {
    const { faults, dice, store } = this.#host;
    if (faults.unserved !== undefined) return this.#leaveUnserved(faults.unserved);
    if (this.#mustAuthenticate()) return this.#say(['CLOSED', id, 'auth-required: authenticate first']);
    if (faults.closeWith !== undefined && happens(faults.closures, dice)) {
      this.#subscriptions.delete(id);
      return this.#say(['CLOSED', id, faults.closeWith]);
    }
    if (!this.#subscriptions.has(id) && this.#subscriptions.size >= faults.subscriptionsMax) {
      return this.#say(faults.tooManyByNotice ? ['NOTICE', faults.tooManyWith] : ['CLOSED', id, faults.tooManyWith]);
    }
    this.#subscriptions.set(id, filters);
    this.subscriptionsMost = Math.max(this.subscriptionsMost, this.#subscriptions.size);
    for (const event of store.query(filters).slice(0, faults.storedMax)) this.#serve(id, event);
    if (happens(faults.swallowEose, dice)) return;
    this.#say(['EOSE', id]);
    if (happens(faults.repeatEose, dice)) this.#say(['EOSE', id]);
  }

  #leaveUnserved(how: 'notice' | 'silent'): void {
    if (how === 'silent') return;
    this.#say(['NOTICE', 'this relay takes events only']);
    this.#say(['EOSE']);
  }

  /** Sends an event, and what should not be sent with it. */
  #serve(id: string, event: NostrEvent): void {
    const { faults, dice, clock } = this.#host;
    const later = Math.floor(clock.now() / 1_000) + CENTURY_SECONDS;
    if (happens(faults.poison, dice)) this.#say(['EVENT', id, { ...event, sig: flipped(event.sig) }]);
    if (happens(faults.unmatched, dice)) {
      const author = flipped(event.pubkey);
      this.#say(['EVENT', id, { ...event, id: this.#host.rumour(), pubkey: author, kind: event.kind + 1, tags: [] }]);
    }
    if (happens(faults.ahead, dice)) {
      this.#say(['EVENT', id, { ...event, id: this.#host.rumour(), created_at: later }]);
    }
    if (happens(faults.unknown, dice)) this.#say(['EVENT', `${id}-unknown`, event]);
    this.#say(['EVENT', id, event]);
    if (happens(faults.repeatEvents, dice)) this.#say(['EVENT', id, event]);
    if (happens(faults.tamper, dice)) this.#say(['EVENT', id, { ...event, content: `${event.content} and more` }]);
  }

  /** Closes what is subscribed to, as a relay does that has had enough. */
  closeSubscriptions(text: string): void {
    for (const id of [...this.#subscriptions.keys()]) {
      this.#subscriptions.delete(id);
      this.#say(['CLOSED', id, text]);
    }
  }

  #count(id: string, filters: readonly Filter[]): void {
    if (this.#host.faults.unserved !== undefined) return this.#leaveUnserved(this.#host.faults.unserved);
    if (this.#mustAuthenticate()) return this.#say(['CLOSED', id, 'auth-required: authenticate first']);
    this.#say(['COUNT', id, { count: this.#host.store.query(filters).length }]);
  }

  #compare(type: string, name: string, filter: unknown): void {
    const { faults, store } = this.#host;
    if (faults.comparing === 'unknown') return this.#say(['NOTICE', 'error: this is not understood']);
    if (faults.comparing === 'refuse') return this.#say(['NEG-ERR', name, 'blocked: this is too much']);
    if (type === 'NEG-CLOSE') this.#comparisons.delete(name);
    if (type === 'NEG-OPEN' && isFilter(filter)) {
      this.#comparisons.set(name, faults.comparing === 'strangers' ? {} : filter);
      return this.#say(['NEG-MSG', name, faults.comparing === 'nonsense' ? '00ff' : somethingDiffers()]);
    }
    const compared = this.#comparisons.get(name);
    if (type !== 'NEG-MSG' || !compared || faults.comparing === 'stall') return;
    this.#say(['NEG-MSG', name, allIds(store.query([compared]).map(({ id }) => id))]);
  }

  #mustAuthenticate(): boolean {
    if (this.#host.faults.requireAuth === undefined || this.#authenticated) return false;
    if (this.#host.faults.requireAuth === 'after') this.#say(['AUTH', this.#challenge]);
    return true;
  }

  #authenticate(value: unknown): void {
    const event = rebuildEvent(value);
    const tag = (name: string): string | undefined => event?.tags.find((each) => each[0] === name)?.[1];
    const answers = tag('challenge') === this.#challenge && tag('relay') === this.#host.url;
    this.#authenticated = event?.kind === AUTH_KIND && answers;
    const text = this.#authenticated ? '' : 'auth-required: this answers another challenge';
    this.#say(['OK', event?.id, this.#authenticated, text]);
  }

  #say(message: readonly unknown[], laterMs = 0): void {
    const { faults, dice } = this.#host;
    if (happens(faults.babble, dice)) {
      this.#sendAfter(BABBLE[Math.floor(dice() * BABBLE.length)] ?? '', faults.delayMs + laterMs);
    }
    this.#sendAfter(JSON.stringify(message), faults.delayMs + laterMs);
  }

  #sendAfter(frame: string | Uint8Array, delayMs: number): void {
    if (delayMs === 0) return this.#wire.send(frame);
    // What is due at one time goes out in its order, whichever timer of a clock fires first.
    const waiting = this.#delayed.get(delayMs) ?? [];
    this.#delayed.set(delayMs, waiting);
    waiting.push(frame);
    const timer = this.#host.clock.setTimeout(() => {
      this.#timers.delete(timer);
      const next = waiting.shift();
      if (waiting.length === 0) this.#delayed.delete(delayMs);
      if (next !== undefined) this.#wire.send(next);
    }, delayMs);
    this.#timers.add(timer);
  }
}
