import { renderToString } from 'react-dom/server';
import { expect, test } from 'vitest';
import { RelaySettings, RelayStatus, useRelayPool } from '../../src/react/index.ts';
import { NO_STATUS, PoolStore, storeOf } from '../../src/react/pool-store.ts';
import { signedEvents } from '../../src/testing/index.ts';
import { world } from '../kit/world.ts';

test('what components see changes only with what they see', () => {
  const { clock, pool, relays } = world(2);
  const store = new PoolStore(pool, clock);
  let calls = 0;
  const unsubscribe = store.subscribe(() => {
    calls += 1;
  });
  clock.advance(2_000);
  expect(store.getSnapshot().connections).toEqual(relays.map(({ url }) => ({ url, status: 'connected' })));
  const [calm, before] = [store.getSnapshot(), calls];
  clock.advance(10_000);
  expect(store.getSnapshot()).toBe(calm);
  expect(calls).toBe(before);

  relays[0]?.stop();
  clock.advance(60);
  const after = store.getSnapshot();
  const [first = '', second = ''] = relays.map(({ url }) => url);
  expect(calls).toBeGreaterThan(before);
  expect(after.healthMetrics[first]).toMatchObject({ status: 'backoff', retryCount: 1 });
  // What is the same is the same object, so that only what has changed is drawn again.
  expect(after.healthMetrics[second]).toBe(calm.healthMetrics[second]);
  expect(after.connections[1]).toBe(calm.connections[1]);
  expect(() => Object.assign(after.connections, { length: 0 })).toThrow(TypeError);

  pool.removeRelay(first);
  clock.advance(10_000);
  expect(store.getSnapshot().connections).toEqual([{ url: second, status: 'connected' }]);
  expect(Object.keys(store.getSnapshot().healthMetrics)).toEqual([second]);
  void pool.publish(signedEvents().next().value);
  clock.advance(2_000);
  expect(store.getSnapshot().healthMetrics[second]?.successRate).toBe(1);

  unsubscribe();
  const left = calls;
  relays[1]?.stop();
  clock.advance(10_000);
  expect(calls).toBe(left);
  void pool.close({ drainMs: 0 });
  clock.advance(10_000);
  expect(clock.pending).toBe(0);
});

test('however many components look, a pool is looked at once, and not any more when it is over', async () => {
  const { clock, pool } = world(3);
  expect(storeOf(pool)).toBe(storeOf(pool));
  const store = new PoolStore(pool, clock);
  const metrics = pool.metrics.bind(pool);
  let looks = 0;
  pool.metrics = () => {
    looks += 1;
    return metrics();
  };
  const unsubscribe = [store.subscribe(() => {}), store.subscribe(() => {})];
  clock.advance(1_000);
  // The first, those of three relays that connect together, and the one after a second.
  expect(looks).toBeLessThanOrEqual(4);
  const closed = pool.close({ drainMs: 0 });
  clock.advance(10_000);
  await closed;
  expect(store.getSnapshot()).toBe(NO_STATUS);
  for (const each of unsubscribe) each();
  expect(clock.pending).toBe(0);
});

test('on a server everything renders without a pool, and nothing is dialled', () => {
  let dialled = false;
  const transport = {
    name: 'none',
    open: () => {
      dialled = true;
      throw new Error('nobody dials on a server');
    },
  };
  function App() {
    const { pool, connections, canConnectToRelay } = useRelayPool(['wss://relay.test'], { transport });
    return (
      <>
        <RelayStatus pool={pool} />
        <RelaySettings pool={pool} />
        {connections.length} {String(canConnectToRelay('wss://relay.test'))}
      </>
    );
  }
  const text = renderToString(<App />);
  expect(text).toContain('recloser-status');
  expect(text).toContain('add a relay');
  expect(text).toContain('false');
  expect(dialled).toBe(false);
});
