import type { FaultableRelay } from '../testing/relay/faultable-relay.ts';
import type { RelayFaults } from '../testing/relay/faults.ts';

/** One thing that goes wrong, and for how long. */
interface ScriptedFault {
  readonly name: string;
  readonly atMs: number;
  readonly forMs: number;
  begin(relays: readonly FaultableRelay[]): void;
  end(relays: readonly FaultableRelay[]): void;
}

const fault = (
  name: string,
  atMs: number,
  forMs: number,
  index: number,
  faults: Partial<RelayFaults>,
  cuts = false,
): ScriptedFault => ({
  name,
  atMs,
  forMs,
  begin: (relays) => {
    relays[index]?.set(faults);
    if (cuts) relays[index]?.cut();
  },
  end: (relays) => relays[index]?.heal(),
});

/** Everything that the demonstration does to its relays, one after the other and at last all at once. */
const FAULT_SCRIPT: readonly ScriptedFault[] = [
  fault('relay 1 is cut', 2_000, 500, 0, {}, true),
  fault('relay 2 goes silent', 4_000, 3_000, 1, { silent: true }),
  fault('relay 3 answers late', 8_000, 3_000, 2, { delayMs: 350 }),
  fault('relay 4 refuses connections', 12_000, 3_000, 3, { refuse: true }, true),
  fault('relay 5 accepts and closes', 16_000, 3_000, 4, { closeOnAccept: 1001 }, true),
  {
    name: 'all relays are down',
    atMs: 20_000,
    forMs: 3_000,
    begin: (relays) => {
      for (const relay of relays) {
        relay.set({ refuse: true });
        relay.cut();
      }
    },
    end: (relays) => {
      for (const relay of relays) relay.heal();
    },
  },
];

/** Begins and ends what the script says, once, with what goes on at the moment told; returns what stops and heals it. */
export function playFaults(relays: readonly FaultableRelay[], told: (going: readonly string[]) => void): () => void {
  const going = new Set<ScriptedFault>();
  const tell = (): void => told([...going].map(({ name }) => name));
  const timers = FAULT_SCRIPT.flatMap((fault) => [
    setTimeout(() => {
      going.add(fault);
      fault.begin(relays);
      tell();
    }, fault.atMs),
    setTimeout(() => {
      going.delete(fault);
      fault.end(relays);
      tell();
    }, fault.atMs + fault.forMs),
  ]);
  return () => {
    for (const timer of timers) clearTimeout(timer);
    for (const fault of going) fault.end(relays);
    going.clear();
    tell();
  };
}

/** Milliseconds that the script takes, with time to recover. */
export const SCRIPT_MS = 27_000;
