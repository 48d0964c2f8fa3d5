import { randomUUID } from 'node:crypto';
import type { Filter } from 'nostr-tools/filter';
import type { WebSocket } from 'ws';
import type { NostrEvent } from '../protocol/nostr/event.ts';
import { type EventStore, matches } from './event-store.ts';
import type { RelayFaults } from './faults.ts';

/** Kind of the event that authenticates (NIP-42). */
const AUTH_KIND = 22_242;

/** What a connection shares with its relay. */
export interface RelayHost {
  readonly store: EventStore;
  readonly faults: Readonly<RelayFaults>;
  readonly url: string;
  /** A frame came in, before anything is done about it. */
  received(frame: string): void;
  /** A new event was stored: every connection may want it. */
  stored(event: NostrEvent): void;
}

/** One client at a faultable relay: NIP-01, the COUNT of NIP-45, and the AUTH of NIP-42. */
export class RelayConnection {
  readonly socket: WebSocket;
  readonly #host: RelayHost;
  readonly #subscriptions = new Map<string, readonly Filter[]>();
  readonly #challenge = randomUUID();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #authenticated = false;

  constructor(socket: WebSocket, host: RelayHost) {
    this.socket = socket;
    this.#host = host;
    socket.on('message', (data, isBinary) => {
      const frame = isBinary ? '' : data.toString();
      host.received(frame);
      if (!host.faults.silent) this.#handle(frame);
    });
    socket.on('close', () => {
      for (const timer of this.#timers) clearTimeout(timer);
    });
    if (host.faults.requireAuth === 'before' && !host.faults.silent) this.#say(['AUTH', this.#challenge]);
  }

  /** Sends an event to whoever subscribed to it. */
  offer(event: NostrEvent): void {
    for (const [id, filters] of this.#subscriptions) if (matches(filters, event)) this.#say(['EVENT', id, event]);
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
    if (type === 'REQ') return this.#subscribe(first, rest);
    if (type === 'COUNT') return this.#say(['COUNT', first, { count: this.#host.store.query(rest).length }]);
    if (type === 'CLOSE') this.#subscriptions.delete(first);
    else this.#say(['NOTICE', 'error: this is not understood']);
  }

  #publish(value: unknown): void {
    const { faults, store } = this.#host;
    const id = (value as { id?: unknown } | null)?.id;
    if (this.#mustAuthenticate()) {
      return this.#say(['OK', id, false, 'auth-required: authenticate first']);
    }
    if (faults.refuseWith !== undefined) return this.#say(['OK', id, false, faults.refuseWith]);
    const known = store.events.size;
    const { event, answer } = store.add(value);
    if (event && store.events.size > known) this.#host.stored(event);
    if (!faults.swallowAcks) this.#say(['OK', id, answer.accepted, answer.text]);
  }

  #subscribe(id: string, filters: readonly Filter[]): void {
    if (this.#mustAuthenticate()) return this.#say(['CLOSED', id, 'auth-required: authenticate first']);
    this.#subscriptions.set(id, filters);
    for (const event of this.#host.store.query(filters)) this.#say(['EVENT', id, event]);
    this.#say(['EOSE', id]);
  }

  #mustAuthenticate(): boolean {
    if (this.#host.faults.requireAuth === undefined || this.#authenticated) return false;
    if (this.#host.faults.requireAuth === 'after') this.#say(['AUTH', this.#challenge]);
    return true;
  }

  #authenticate(value: unknown): void {
    const event = value as NostrEvent | null;
    const tag = (name: string): string | undefined => event?.tags?.find((each) => each[0] === name)?.[1];
    const answers = tag('challenge') === this.#challenge && tag('relay') === this.#host.url;
    this.#authenticated = event?.kind === AUTH_KIND && answers;
    const text = this.#authenticated ? '' : 'auth-required: this answers another challenge';
    this.#say(['OK', event?.id, this.#authenticated, text]);
  }

  #say(message: readonly unknown[]): void {
    const frame = JSON.stringify(message);
    const { delayMs } = this.#host.faults;
    if (delayMs === 0) return this.#send(frame);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#send(frame);
    }, delayMs);
    this.#timers.add(timer);
  }

  #send(frame: string): void {
    if (this.socket.readyState === this.socket.OPEN) this.socket.send(frame);
  }
}
