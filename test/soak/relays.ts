import { FaultableRelay, type RelayFaults, seededRandom } from '../../src/testing/index.ts';

/** What the soak asks of the process that runs its relays. */
export type RelaysCommand =
  | { readonly do: 'start'; readonly relays: number; readonly seed: string }
  | { readonly do: 'heal' }
  | { readonly do: 'report' };

/** What that process answers. */
export type RelaysAnswer =
  | { readonly urls: readonly string[] }
  | { readonly healed: true }
  | { readonly stored: readonly string[]; readonly faults: number };

/** What a relay that is broken does, for as long as it is. */
const TROUBLES: readonly ((relay: FaultableRelay) => Partial<RelayFaults>)[] = [
  after(cut, { refuse: true }),
  after(cut, { tarpit: true }),
  after(cut, { httpStatus: 503 }),
  after(nothing, { silent: true }),
  after(nothing, { silent: true, noPongs: true }),
  after(nothing, { delayMs: 2_000 }),
  after(nothing, { swallowAcks: 0.5 }),
  after(nothing, { refuseWith: 'error: the disk is full' }),
  after(nothing, { refuseWith: 'rate-limited: slow down', refusals: 0.5 }),
  after(close, {}),
  // The same code of an application three times in a row would be a refusal, and is kept to for longer.
  after(close, { closeOnAccept: 1001 }),
  after(linger, { lingers: true }),
];

const BROKEN = { least: 3, most: 8 };
const BROKEN_MS = { least: 2_000, most: 20_000 };

let relays: FaultableRelay[] = [];
const broken = new Map<FaultableRelay, NodeJS.Timeout>();
let random: () => number = () => 0;
let faults = 0;
let timer: NodeJS.Timeout | undefined;

function cut(relay: FaultableRelay): void {
  relay.cut();
}

function close(relay: FaultableRelay): void {
  relay.close(4000);
}

/** Sends a Close frame, and keeps TCP open. */
function linger(relay: FaultableRelay): void {
  relay.set({ lingers: true });
  relay.close(1001);
}

function nothing(): void {}

/** Something that is done to a relay once, and what it does from then on. */
function after(once: (relay: FaultableRelay) => void, faults: Partial<RelayFaults>) {
  return (relay: FaultableRelay): Partial<RelayFaults> => {
    once(relay);
    return faults;
  };
}

function heal(relay: FaultableRelay): void {
  clearTimeout(broken.get(relay));
  broken.delete(relay);
  relay.heal();
}

/** Keeps between three and eight relays broken. */
function trouble(): void {
  const well = relays.filter((relay) => !broken.has(relay));
  const relay = well[Math.floor(random() * well.length)];
  if (!relay || broken.size >= BROKEN.most) return;
  const begin = TROUBLES[Math.floor(random() * TROUBLES.length)];
  if (begin) relay.set(begin(relay));
  const forMs = BROKEN_MS.least + random() * (BROKEN_MS.most - BROKEN_MS.least);
  broken.set(
    relay,
    setTimeout(() => heal(relay), forMs),
  );
  faults += 1;
  if (broken.size < BROKEN.least) trouble();
}

process.on('message', async (command: RelaysCommand) => {
  const answer = (value: RelaysAnswer): unknown => process.send?.(value);
  if (command.do === 'start') {
    random = seededRandom(command.seed);
    relays = await Promise.all(Array.from({ length: command.relays }, () => FaultableRelay.start({ verify: false })));
    timer = setInterval(trouble, 1_000);
    return answer({ urls: relays.map(({ url }) => url) });
  }
  if (command.do === 'heal') {
    clearInterval(timer);
    for (const relay of relays) heal(relay);
    return answer({ healed: true });
  }
  return answer({ stored: [...new Set(relays.flatMap(({ store }) => [...store.events.keys()]))], faults });
});
