import { FaultableRelay } from '../testing/relay/faultable-relay.ts';

/** What can be broken at a relay by a key, and how. The last mends it. */
export const FAULTS: readonly { readonly name: string; readonly begin: (relay: FaultableRelay) => void }[] = [
  { name: 'cut', begin: (relay) => relay.cut() },
  { name: '+400 ms', begin: (relay) => relay.set({ delayMs: 400 }) },
  { name: 'swallow answers', begin: (relay) => relay.set({ swallowAcks: true }) },
  {
    name: 'refuse',
    begin: (relay) => {
      relay.set({ refuse: true });
      relay.cut();
    },
  },
  {
    name: 'flap',
    begin: (relay) => {
      relay.set({ closeOnAccept: 1001 });
      relay.cut();
    },
  },
  { name: 'heal', begin: (relay) => relay.heal() },
];

/** Relays of our own, which can be broken, and looked into. */
export class LocalRelays {
  readonly all: readonly FaultableRelay[];
  /** Ids of events that at least one of them has. */
  readonly stored = new Set<string>();
  /** Events that a relay gave its readers more than once. */
  repeats = 0;

  private constructor(all: readonly FaultableRelay[]) {
    this.all = all;
    for (const relay of all) {
      const told = new Set<string>();
      relay.events.on('stored', ({ id }) => {
        this.stored.add(id);
        if (told.has(id)) this.repeats += 1;
        told.add(id);
      });
    }
  }

  static async start(count: number): Promise<LocalRelays> {
    return new LocalRelays(await Promise.all(Array.from({ length: count }, () => FaultableRelay.start())));
  }

  get urls(): readonly string[] {
    return this.all.map(({ url }) => url);
  }

  /** Begins a fault at the relay with this URL; nothing where there is none. */
  breakAt(url: string | undefined, fault: string): void {
    const relay = this.all.find((each) => each.url === url);
    if (relay) FAULTS.find(({ name }) => name === fault)?.begin(relay);
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((relay) => relay.stop()));
  }
}
