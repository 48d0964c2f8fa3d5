import { expect, test } from 'vitest';
import { nearestName } from '../../machines/policy/nearest.ts';

const known = ['heartbeatMs', 'reconnect', 'timeoutMs', 'quorum', 'relay.connected', 'relay.disconnected'];

test.each([
  ['reconect', 'reconnect'],
  ['RECONNECT', 'reconnect'],
  ['heartbeat', 'heartbeatMs'],
  ['timeoutms', 'timeoutMs'],
  ['timeout', 'timeoutMs'],
  ['qourum', 'quorum'],
  ['relay.conected', 'relay.connected'],
  ['relay.disconected', 'relay.disconnected'],
])('%s is taken for %s', (name, meant) => {
  expect(nearestName(name, known)).toBe(meant);
});

test.each(['', 'x', 'everything', '__proto__'])('"%s" is near to nothing', (name) => {
  expect(nearestName(name, known)).toBeUndefined();
});

test('a name without end takes no time', () => {
  expect(nearestName('reconnect'.repeat(100_000), known)).toBeUndefined();
});
