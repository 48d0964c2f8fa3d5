import type { Invariant } from '../scene.ts';

/** The first number that is none, as the path to it. */
function oddNumber(value: unknown, path = ''): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : path;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, each] of Object.entries(value)) {
    const found = oddNumber(each, `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

const leftovers: Invariant = {
  ids: 'S24',
  says: 'after a pool has closed, no timer and no connection of it is left',
  watch: (scene) => ({
    closed() {
      scene.mark('closed');
      const { pendingTimers, openConnections } = scene.host;
      if (pendingTimers > 0) scene.fail('S24', `${pendingTimers} timers are left`);
      if (openConnections > 0) scene.fail('S24', `${openConnections} connections are left`);
    },
  }),
};

const numbers: Invariant = {
  ids: 'S25',
  says: 'no number in a chart’s memory or in the metrics is NaN or infinite',
  watch: (scene) => ({
    fact(fact) {
      if (fact.type === 'relay.disconnected' || fact.type === 'relay.degraded') {
        const odd = oddNumber(scene.pool.metrics());
        if (odd !== undefined) scene.fail('S25', `the metrics have an odd number in ${odd}`);
      }
      if (fact.type !== 'relay.status-changed') return;
      const { settings: _limits, supervisor: _actor, ...memory } = scene.chart(fact.url) ?? {};
      const odd = oddNumber(memory);
      if (odd !== undefined) scene.fail('S25', `${fact.url} remembers an odd number in ${odd}`);
    },
  }),
};

export const RESOURCE_INVARIANTS: readonly Invariant[] = [leftovers, numbers];
