import type { NostrEvent } from '../../src/index.ts';
import {
  type Dice,
  NO_FAULTS,
  type SimulatedLink,
  SimulatedNetwork,
  SimulatedRelay,
  type VirtualClock,
} from '../../src/testing/index.ts';
import { eventOf } from './events.ts';
import type { Op, Plan } from './plan.ts';

/** What happens to relays and to the ways to them. */
export type OutsideOp = Op & {
  readonly do: 'fault' | 'link' | 'cut' | 'lose' | 'close' | 'stop' | 'vanish' | 'post' | 'shed';
};

const OUTSIDE: ReadonlySet<Op['do']> = new Set([
  'fault',
  'link',
  'cut',
  'lose',
  'close',
  'stop',
  'vanish',
  'post',
  'shed',
]);

export const isOutside = (op: Op): op is OutsideOp => OUTSIDE.has(op.do);

/** Everything around the process: the relays and the network. */
export class Surroundings {
  readonly network: SimulatedNetwork;
  readonly #plan: Plan;
  readonly #clock: VirtualClock;
  readonly #relays: readonly SimulatedRelay[];
  /** Ids of everything that was published, for acknowledgements of what was perhaps never sent there. */
  readonly #rumours: string[] = [];
  /** Everything that anybody has published, as it was made, by id. */
  readonly #made = new Map<string, string>();
  readonly #verdicts = new WeakMap<NostrEvent, boolean>();
  readonly #stored: readonly Map<string, { readonly event: NostrEvent; readonly at: number }>[];

  constructor(plan: Plan, clock: VirtualClock, dice: (name: string) => Dice) {
    this.#plan = plan;
    this.#clock = clock;
    const linkDice = new Map(plan.relays.map(({ url }, index) => [url, dice(`link ${index}`)]));
    this.network = new SimulatedNetwork({ clock, dice: (url) => linkDice.get(url) ?? (() => 0) });
    this.#stored = plan.relays.map(() => new Map());
    this.#relays = plan.relays.map(
      ({ url }, index) =>
        new SimulatedRelay(this.network, {
          url,
          clock,
          dice: dice(`relay ${index}`),
          rumour: () => this.#rumour(index),
          onStored: (event) => this.#stored[index]?.set(event.id, { event, at: clock.now() }),
        }),
    );
    this.#clearLinks();
  }

  /** Plans name relays by numbers, of which a smaller plan may have fewer. */
  urlOf(relay: number): string {
    return this.#plan.relays[relay % this.#plan.relays.length]?.url ?? '';
  }

  /** What a relay has stored, and when. */
  storedAt(url: string): ReadonlyMap<string, { readonly event: NostrEvent; readonly at: number }> {
    return this.#stored[this.#plan.relays.findIndex((relay) => relay.url === url)] ?? new Map();
  }

  /** Something was published, and may be gossiped about. */
  gossip(event: NostrEvent): void {
    this.#rumours.push(event.id);
    this.#made.set(event.id, JSON.stringify(event));
  }

  /** Whether an event is as its author made it. */
  isGenuine(event: NostrEvent): boolean {
    let verdict = this.#verdicts.get(event);
    if (verdict === undefined) {
      verdict = this.#made.get(event.id) === JSON.stringify(event);
      this.#verdicts.set(event, verdict);
    }
    return verdict;
  }

  carryOut(op: OutsideOp): void {
    if (op.do === 'post') return this.#post(op);
    const relay = this.#relays[op.relay % this.#relays.length];
    const link = this.network.link(this.urlOf(op.relay));
    switch (op.do) {
      case 'fault': {
        relay?.set(op.faults);
        const names = Object.keys(op.faults) as (keyof typeof NO_FAULTS)[];
        const healed = Object.fromEntries(names.map((name) => [name, NO_FAULTS[name]]));
        return this.#after(op.forMs, () => relay?.set(healed));
      }
      case 'link':
        link.set(op.conditions);
        return this.#after(op.forMs, () => this.#clear(link, op.relay));
      case 'cut':
        return relay?.cut();
      case 'lose':
        return link.lose();
      case 'shed':
        return relay?.closeSubscriptions(op.text);
      case 'close':
        return op.code === 1006 ? relay?.cut() : relay?.close(op.code);
      default:
        relay?.[op.do]();
        return this.#after(op.forMs, () => relay?.listen());
    }
  }

  /** Relays and links are well; with `resets`, the machine is told of connections that were lost without a word. */
  heal(): void {
    for (const relay of this.#relays) {
      relay.heal();
      relay.listen();
      // Who has not been told the end of what is stored would wait for it for ever.
      relay.closeSubscriptions('error: begin anew');
    }
    this.#clearLinks();
    if (this.#plan.resets) for (const { url } of this.#plan.relays) this.network.link(url).reset();
  }

  /** For a moment every relay stores what it gets, and forgets to say so. */
  forgetToAnswer(forMs: number): void {
    for (const relay of this.#relays) {
      relay.set({ swallowAcks: true });
      this.#after(forMs, () => relay.set({ swallowAcks: false }));
    }
  }

  #post({ event: index, relays, lateMs }: OutsideOp & { readonly do: 'post' }): void {
    const created_at = Math.floor((this.#clock.now() - lateMs) / 1_000);
    const event = { ...eventOf(this.#plan.seed, index), created_at };
    this.gossip(event);
    for (const relay of relays) this.#relays[relay % this.#relays.length]?.publish(event);
  }

  #after(ms: number, work: () => void): void {
    this.#clock.setTimeout(work, ms);
  }

  /** One of the last events that were published, which may not have been sent there. */
  #rumour(relay: number): string {
    const recent = this.#rumours.slice(-10);
    return recent[Math.floor((this.#relays[relay]?.dice() ?? 0) * recent.length)] ?? '0'.repeat(64);
  }

  #clear(link: SimulatedLink, relay: number): void {
    const { minMs = 0, spreadMs = 0 } = this.#plan.relays[relay % this.#plan.relays.length] ?? {};
    const latency = { minMs, spreadMs };
    link.set({ name: 'known', latency, upStalled: false, downStalled: false, bytesPerMs: Number.POSITIVE_INFINITY });
  }

  #clearLinks(): void {
    for (const [index, { url }] of this.#plan.relays.entries()) this.#clear(this.network.link(url), index);
  }
}
