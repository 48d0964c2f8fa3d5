import { createPool, type Fact, type NostrEvent, type Receipt } from '../../src/index.ts';
import type { RemoteRelay } from '../faults/remote-relay.ts';

/** What goes wrong with one relay of several, and how it is made good again. */
export interface FailoverCase {
  readonly name: string;
  readonly begin: (relay: RemoteRelay, rttMs: number) => unknown;
  readonly end: (relay: RemoteRelay) => unknown;
}

export const CASES: readonly FailoverCase[] = [
  { name: 'cut', begin: ({ proxy }) => proxy.set({ refuse: true }) ?? proxy.reset(), end: () => {} },
  { name: 'silent', begin: (relay) => relay.set({ silent: true }), end: (relay) => relay.heal() },
  { name: 'slow', begin: (relay) => relay.set({ delayMs: 2_000 }), end: (relay) => relay.heal() },
  { name: 'stopped process', begin: (relay) => relay.freeze(), end: (relay) => relay.thaw() },
  {
    name: 'frozen proxy',
    begin: ({ proxy }) => proxy.set({ up: { held: true }, down: { held: true } }),
    end: () => {},
  },
  {
    name: 'answers error',
    begin: (relay) => relay.set({ refuseWith: 'error: the disk is full' }),
    end: (relay) => relay.heal(),
  },
  {
    name: 'keeps TCP open',
    begin: async (relay) => {
      await relay.set({ lingers: true });
      await relay.close(1001);
      // A server that is going away takes nobody on.
      relay.proxy.set({ refuse: true });
    },
    end: (relay) => relay.heal(),
  },
];

/** What one failover took, in milliseconds. */
export interface Measured {
  readonly published: number;
  readonly lost: number;
  /** Of all events that were open at the fault or came after it, and of those of them that went to the relay that failed. */
  readonly worstMs: number;
  readonly affectedMs: readonly number[];
  /** Of those that did not. */
  readonly usualMs: readonly number[];
  /** From the detected loss until the last event was sent elsewhere; nothing where nothing had to be moved. */
  readonly movedMs: number | undefined;
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const PER_SECOND = 50;
/** Events to each relay before anything goes wrong: enough to know what is usual. */
const WARM_EVENTS = 40;
const BEFORE_MS = 200;
const AFTER_MS = 1_200;

/** Distinct events that one measurement takes, at most. */
export const eventsFor = (relays: number): number =>
  WARM_EVENTS * relays + Math.ceil(((BEFORE_MS + AFTER_MS) / 1_000) * PER_SECOND) + 2;

/**
 * Publishes to one relay at a time, breaks one of them, and looks how long anything took. The events are signed
 * beforehand, because signing would hold up the proxies, which share the thread.
 */
export async function measure(
  relays: readonly RemoteRelay[],
  rttMs: number,
  fault: FailoverCase,
  signed: readonly NostrEvent[],
): Promise<Measured> {
  for (const relay of relays) await relay.reset();
  const events = signed.values();
  for (const { proxy } of relays) proxy.set({ up: { latencyMs: rttMs / 2 }, down: { latencyMs: rttMs / 2 } });
  const [failing] = relays as [RemoteRelay];
  const pool = createPool({ relays: relays.map(({ url }) => url), trust: { allowPrivate: true } });
  const moved: number[] = [];
  pool.on('relay.failed-over', (fact: Fact) => {
    if (fact.type === 'relay.failed-over') moved.push(fact.movedMs);
  });
  while (pool.metrics().activeConnections < relays.length) await wait(5);
  const publish = (): Promise<{ readonly tookMs: number; readonly endedAt: number; readonly receipt: Receipt }> => {
    const startedAt = performance.now();
    return pool.publish(events.next().value as NostrEvent, { relays: 1, quorum: 1 }).then((receipt) => {
      const endedAt = performance.now();
      return { tookMs: endedAt - startedAt, endedAt, receipt };
    });
  };
  const warm: Promise<unknown>[] = [];
  for (let index = 0; index < WARM_EVENTS * relays.length; index += 1) {
    warm.push(publish());
    await wait(4);
  }
  await Promise.all(warm);
  const publishing: ReturnType<typeof publish>[] = [];
  const publishFor = async (ms: number): Promise<void> => {
    const until = performance.now() + ms;
    while (performance.now() < until) {
      publishing.push(publish());
      await wait(1_000 / PER_SECOND);
    }
  };
  await publishFor(BEFORE_MS);
  const faultAt = performance.now();
  await fault.begin(failing, rttMs);
  await publishFor(AFTER_MS);
  const results = (await Promise.all(publishing)).filter(({ endedAt }) => endedAt > faultAt);
  await fault.end(failing);
  await pool.close({ drainMs: 0 });
  for (const { proxy } of relays) proxy.heal();
  const isAffected = ({ receipt }: (typeof results)[number]): boolean => failing.url in receipt.outcomes;
  return {
    published: results.length,
    lost: results.filter(({ receipt }) => receipt.status !== 'confirmed').length,
    worstMs: Math.max(...results.map(({ tookMs }) => tookMs)),
    affectedMs: results.filter(isAffected).map(({ tookMs }) => tookMs),
    usualMs: results.filter((each) => !isAffected(each)).map(({ tookMs }) => tookMs),
    movedMs: moved.length === 0 ? undefined : Math.max(...moved),
  };
}
