import type { StrategyName } from '../../machines/policy/balance/strategies.ts';
import { STRATEGIES } from '../../machines/policy/balance/strategies.ts';
import { percentile } from '../../machines/policy/percentile.ts';
import { poolSettings } from '../../machines/policy/settings.ts';
import { Lane } from '../../src/delivery/lane.ts';
import type { Call, Delivery, DeliveryLane, Publication } from '../../src/delivery/publication.ts';
import { Selector } from '../../src/delivery/selector.ts';
import { createPool, type NostrEvent } from '../../src/index.ts';
import { Steps } from '../../src/steps.ts';
import { SimulatedNetwork, SimulatedRelay, seededRandom, signedEvents, VirtualClock } from '../../src/testing/index.ts';

const RELAYS = 100;
/** Relays that fail at once, answer ten times as late, or are silent, while some are faulty. */
const FAULTY = 15;
const PER_SECOND = 300;
const WELL_S = 30;
const FAULTY_S = 30;

const { id: _id, ...template } = signedEvents().next().value;
let events = 0;
function next(): NostrEvent {
  events += 1;
  return { id: events.toString(16).padStart(64, '0'), ...template };
}

interface Row {
  readonly wellMs: readonly number[];
  readonly faultyMs: readonly number[];
  readonly failed: number;
  readonly toFaulty: number;
  readonly carrying: number;
  readonly hottest: number;
}

/** What one strategy makes of a hundred unequal relays, on a virtual clock. */
async function play(balance: StrategyName): Promise<Row> {
  const clock = new VirtualClock(1_700_000_000_000);
  const dice = seededRandom('relays');
  const network = new SimulatedNetwork({ clock, dice: (url) => seededRandom(url) });
  const relays = Array.from({ length: RELAYS }, (_, index) => {
    const url = `wss://relay${index}.example/`;
    // One way: from 5 to 150 ms, most of them near the middle.
    const wayMs = 5 * 30 ** ((dice() + dice() + dice()) / 3);
    network.link(url).set({ latency: { minMs: wayMs, spreadMs: wayMs / 4 } });
    const relay = new SimulatedRelay(network, { url, clock, dice: seededRandom(`relay ${index}`) });
    relay.set({ serviceMs: 2 });
    return relay;
  });
  const pool = createPool({
    clock,
    transport: network.transport,
    random: seededRandom('pool'),
    relays: relays.map(({ url }) => url),
    publish: { publicationsMax: 100_000, queueBytesMax: 1024 ** 3 },
    balance,
  });
  clock.advance(40_000);
  const taken = { well: [] as number[], faulty: [] as number[] };
  const asked = new Map<string, number>();
  let failed = 0;
  const publish = async (seconds: number, into: number[]): Promise<void> => {
    for (let each = 0; each < seconds * PER_SECOND; each += 1) {
      const startedAt = clock.now();
      void pool.publish(next(), { relays: 1, timeoutMs: 10_000 }).then(({ status }) => {
        if (status === 'confirmed') into.push(clock.now() - startedAt);
        else failed += 1;
      });
      const until = clock.now() + 1_000 / PER_SECOND;
      while ((clock.nextInMs ?? Number.POSITIVE_INFINITY) <= until - clock.now()) {
        clock.step();
        await null;
      }
      clock.advance(until - clock.now());
    }
  };
  const count = (): void => {
    for (const { url } of relays) asked.set(url, pool.metrics().relays[url]?.sentMessages ?? 0);
  };
  const since = (): number[] =>
    relays.map(({ url }) => (pool.metrics().relays[url]?.sentMessages ?? 0) - (asked.get(url) ?? 0));
  count();
  await publish(WELL_S, taken.well);
  const shares = since();
  for (const [index, relay] of relays.slice(0, FAULTY).entries()) {
    if (index % 3 === 0) relay.set({ refuseWith: 'error: out of order' });
    else if (index % 3 === 1) relay.set({ delayMs: 1_000 });
    else relay.set({ silent: true });
  }
  count();
  await publish(FAULTY_S, taken.faulty);
  const during = since();
  for (let turn = 0; turn < 15_000; turn += 10) {
    clock.advance(10);
    await null;
  }
  const total = (counts: readonly number[]): number => counts.reduce((sum, each) => sum + each, 0);
  const sorted = [...shares].sort((a, b) => b - a);
  let carried = 0;
  const carrying = sorted.findIndex((each) => {
    carried += each;
    return carried >= 0.9 * total(shares);
  });
  const closed = pool.close({ drainMs: 0 });
  clock.advance(10_000);
  await closed;
  return {
    wellMs: taken.well.sort((a, b) => a - b),
    faultyMs: taken.faulty.sort((a, b) => a - b),
    failed: failed / ((WELL_S + FAULTY_S) * PER_SECOND),
    toFaulty: total(during.slice(0, FAULTY)) / total(during),
    carrying: carrying + 1,
    hottest: (sorted[0] ?? 0) / total(shares),
  };
}

/** Nanoseconds of one choice among so many relays. */
function nanoseconds(relays: number, strategy: StrategyName): number {
  const clock = { now: () => performance.now(), setTimeout: () => 0, clearTimeout: () => {} };
  const owner = {
    clock,
    circuits: { clock, random: () => 0, steps: new Steps() },
    windowMax: 64,
    ackTimeoutMs: 5_000,
    sent: () => {},
    costMs: (_url: string, { load }: { load: number }) => 50 * (load + 1),
    measured: () => ({ latencyMs: 50, success: 1 }),
    isCoverable: () => false,
    lateAfterMs: () => 100,
    late: () => true,
    overdue: () => {},
  };
  const { relay: standing } = poolSettings();
  const quiet = { opened: () => {}, halfOpened: () => {}, closed: () => {} };
  const lanes = Array.from({ length: relays }, (_, index): DeliveryLane => {
    const lane = new Lane<Delivery>(
      `wss://relay${index}.example/`,
      `relay${index}.example`,
      standing,
      owner,
      () => quiet,
    );
    lane.attach({ generation: 1, heardAt: 0, spokeAt: 0, isDeaf: false, isProven: true, send: () => true });
    lane.state = { status: 'connected', suspect: false, retryAtMs: undefined, reason: undefined };
    return lane;
  });
  const random = seededRandom(1);
  const { balance } = poolSettings({ balance: strategy });
  const selector = new Selector({
    clock,
    random,
    balance: () => balance,
    isStrained: () => false,
    lanes: () => lanes,
  });
  const publication = {
    id: 'a'.repeat(64),
    priority: 'normal',
    affinityKey: undefined,
    calls: [{ lanes }],
    deliveries: new Map(),
    isSupersededOn: () => false,
  } as unknown as Publication;
  const times = strategy === 'two-choices' ? 200_000 : Math.max(200, Math.floor(2_000_000 / relays));
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round += 1) {
    const startedAt = performance.now();
    for (let time = 0; time < times; time += 1) selector.next(publication, publication.calls[0] as Call);
    best = Math.min(best, ((performance.now() - startedAt) / times) * 1e6);
  }
  return best;
}

const print = (cells: readonly (string | number)[]): void => {
  const [name, ...rest] = cells.map(String);
  process.stdout.write(`${(name ?? '').padEnd(18)}${rest.map((cell) => cell.padStart(20)).join('')}\n`);
};

const three = (sorted: readonly number[]): string =>
  [0.5, 0.95, 0.99].map((share) => percentile(sorted, share).toFixed(0)).join(' / ');
const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

const names = Object.keys(STRATEGIES) as StrategyName[];
process.stdout.write(
  `${RELAYS} unequal relays, ${PER_SECOND} events a second to one relay each; then ${FAULTY} of them fail, are slow or silent\n\n`,
);
print(['strategy', 'well p50/95/99 ms', 'faulty p50/95/99', 'failed', 'sent to faulty', 'carry 90 %', 'hottest']);
for (const name of names) {
  const row = await play(name);
  const { carrying, hottest } = row;
  print([
    name,
    three(row.wellMs),
    three(row.faultyMs),
    percent(row.failed),
    percent(row.toFaulty),
    carrying,
    percent(hottest),
  ]);
}
process.stdout.write('\nnanoseconds of one choice, best of five rounds\n\n');
const sizes = [10, 100, 1_000, 10_000];
print(['strategy', ...sizes.map((size) => `${size} relays`)]);
for (const name of names) print([name, ...sizes.map((size) => nanoseconds(size, name).toFixed(0))]);
