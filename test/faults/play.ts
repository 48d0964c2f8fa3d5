import { createPool, type Pool } from '../../src/index.ts';
import { signedEvents } from '../../src/testing/index.ts';
import { optionsOf } from './pace.ts';
import type { RemoteRelay } from './remote-relay.ts';
import type { Adapter, Pace, Scenario, Stage, Subject } from './scenario.ts';

/** How a scenario went. */
export interface Verdict {
  readonly name: string;
  readonly observe: string;
  readonly limitMs: number;
  readonly tookMs: number | undefined;
  /** What was observed instead; nothing when it passed. */
  readonly problem: string | undefined;
}

const LOOK_EVERY_MS = 5;
const events = signedEvents('a note for the fault bench');

class Unmet extends Error {}

const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Our own pool as a subject. */
export const recloser = (pace: Pace): Adapter => ({
  name: 'recloser',
  open(urls) {
    const pool = createPool({ ...optionsOf(pace), relays: urls });
    return {
      publish: async (event) => (await pool.publish(event)).status === 'confirmed',
      subscribe: (receive) => void pool.subscribe({ kinds: [1] }, { onEvent: ({ event }) => receive(event) }),
      close: () => pool.close({ drainMs: 0 }),
    };
  },
});

/** Plays one scenario. It never throws: what goes wrong is the verdict. */
export async function play(
  scenario: Scenario,
  relays: readonly [RemoteRelay, RemoteRelay, RemoteRelay],
  adapter: Adapter,
  pace: Pace,
): Promise<Verdict> {
  const { name, observe } = scenario;
  const limitMs = scenario.within(pace);
  const deadline = AbortSignal.timeout(2 * limitMs + 10_000);
  const pools: Pool[] = [];
  const subjects: Subject[] = [];
  const stage: Stage = {
    pace,
    relays,
    pass,
    event: () => events.next().value,
    async open(over = relays) {
      const subject = await adapter.open(over.map((relay) => relay.url));
      subjects.push(subject);
      return subject;
    },
    pool(over = relays, options = {}) {
      const base = optionsOf(pace);
      const pool = createPool({
        ...base,
        relays: over.map((relay) => relay.url),
        ...options,
        reconnect: { ...base.reconnect, ...options.reconnect },
        publish: { ...base.publish, ...options.publish },
      });
      pools.push(pool);
      return pool;
    },
    async until(what, holds) {
      while (!(await holds())) {
        if (deadline.aborted) throw new Unmet(`${what} never came`);
        await pass(LOOK_EVERY_MS);
      }
    },
    async time(work) {
      const started = performance.now();
      await work();
      return performance.now() - started;
    },
    check(holds, what) {
      if (!holds) throw new Unmet(what);
    },
  };
  const late = new Promise<never>((_resolve, reject) => {
    deadline.addEventListener('abort', () => reject(new Unmet('it did not end')), { once: true });
  });
  const verdict = { name, observe, limitMs };
  try {
    await Promise.all(relays.map((relay) => relay.reset()));
    const started = performance.now();
    const counted = await Promise.race([scenario.run(stage), late]);
    const tookMs = counted ?? performance.now() - started;
    const problem = tookMs > limitMs ? 'too late' : undefined;
    return { ...verdict, tookMs, problem };
  } catch (error) {
    const problem = error instanceof Unmet ? error.message : String(error instanceof Error ? error.stack : error);
    return { ...verdict, tookMs: undefined, problem };
  } finally {
    for (const relay of relays) relay.thaw();
    await Promise.all(pools.map((pool) => pool.close({ drainMs: 0 })));
    await Promise.all(subjects.map((subject) => subject.close()));
  }
}
