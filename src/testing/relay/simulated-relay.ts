import type { Clock } from '../../clock.ts';
import type { NostrEvent } from '../../protocol/nostr/event.ts';
import type { Admission, SimulatedPeer, SimulatedServer } from '../network/server.ts';
import type { SimulatedNetwork } from '../network/simulated-network.ts';
import type { Dice } from '../random.ts';
import { Desk } from './desk.ts';
import { EventStore } from './event-store.ts';
import { NO_FAULTS, type RelayFaults } from './faults.ts';
import { RateLimit } from './rate-limit.ts';
import { type RelayHost, RelaySession } from './relay-session.ts';

export interface SimulatedRelayOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly dice: Dice;
  /** Whether ids and signatures are checked. Default `false`: it is most of what a simulation would spend. */
  readonly verify?: boolean;
  /** The id of an event that was perhaps never sent here, for stray acknowledgements. Default: made up. */
  readonly rumour?: () => string;
  /** Called when a new event is stored. */
  readonly onStored?: (event: NostrEvent) => void;
}

/** The relay of `FaultableRelay` on a simulated network: the same protocol and the same faults, on the clock given. */
export class SimulatedRelay implements RelayHost, SimulatedServer {
  readonly url: string;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly store: EventStore;
  readonly limit = new RateLimit();
  readonly desk = new Desk();
  faults: Readonly<RelayFaults> = NO_FAULTS;
  readonly #network: SimulatedNetwork;
  readonly #rumour: (() => string) | undefined;
  readonly #onStored: ((event: NostrEvent) => void) | undefined;
  readonly #sessions = new Map<RelaySession, SimulatedPeer>();
  #stopListening: () => void = () => {};

  constructor(network: SimulatedNetwork, options: SimulatedRelayOptions) {
    this.#network = network;
    this.url = options.url;
    this.clock = options.clock;
    this.dice = options.dice;
    this.#rumour = options.rumour;
    this.#onStored = options.onStored;
    this.store = new EventStore(options.verify ?? false);
    this.listen();
  }

  listen(): void {
    this.#stopListening = this.#network.listen(this.url, this);
  }

  /** Goes away as a process that is killed: connections are cut, and new ones refused. What is stored stays. */
  stop(): void {
    this.#stopListening();
    this.cut();
  }

  /** Goes away as a machine that loses its power: nobody is told, and new connections are not answered. */
  vanish(): void {
    this.#stopListening();
    this.#stopListening = this.#network.listen(this.url, { admit: () => 'ignore', accept: () => {} });
    this.#network.link(this.url).lose();
    for (const session of this.#sessions.keys()) session.end();
    this.#sessions.clear();
  }

  set(faults: Partial<RelayFaults>): void {
    this.faults = { ...this.faults, ...faults };
  }

  heal(): void {
    this.faults = NO_FAULTS;
  }

  cut(): void {
    this.#network.link(this.url).cut();
  }

  /** Closes every connection with a code. */
  close(code: number, reason = ''): void {
    for (const peer of [...this.#sessions.values()]) peer.close(code, reason, this.faults.lingers);
  }

  admit(): Admission {
    const { refuse, tarpit, httpStatus, httpHeaders } = this.faults;
    if (refuse) return 'refuse';
    if (tarpit) return 'ignore';
    if (httpStatus === undefined) return 'accept';
    const afterMs = Number(httpHeaders['Retry-After']) * 1_000;
    return { httpStatus, ...(afterMs > 0 ? { retryAfterMs: afterMs } : {}) };
  }

  accept(peer: SimulatedPeer): void {
    const session = new RelaySession(this, {
      send: (frame) => peer.send(frame),
      close: (code) => (code === 1006 ? peer.cut() : peer.close(code, '', this.faults.lingers)),
    });
    peer.answersPings = () => !this.faults.noPongs;
    this.#sessions.set(session, peer);
    peer.onFrame = (frame) => session.receive(frame);
    peer.onClose = () => {
      session.end();
      this.#sessions.delete(session);
    };
    if (this.faults.closeOnAccept !== undefined) peer.close(this.faults.closeOnAccept, '', this.faults.lingers);
  }

  received(_frame: string): void {}

  /** Stores an event as if somebody had published it here, and gives it to whoever subscribed to it. */
  publish(event: NostrEvent): void {
    const known = this.store.events.size;
    this.store.add(event);
    if (this.store.events.size > known) this.stored(event);
  }

  /** Closes every subscription of every client, as a relay does that has had enough. */
  closeSubscriptions(text: string): void {
    for (const session of this.#sessions.keys()) session.closeSubscriptions(text);
  }

  stored(event: NostrEvent): void {
    this.#onStored?.(event);
    for (const session of this.#sessions.keys()) session.offer(event);
  }

  rumour(): string {
    return this.#rumour?.() ?? Array.from({ length: 64 }, () => Math.floor(this.dice() * 16).toString(16)).join('');
  }
}
