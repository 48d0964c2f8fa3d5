import { expect, test } from 'vitest';
import { poolSettings } from '../../machines/policy/settings.ts';
import { initialRelayContext, recordLoss } from '../../machines/relay/relay.context.ts';

const context = {
  ...initialRelayContext({
    url: 'wss://relay.example/',
    urgent: false,
    ejectable: true,
    network: 'well',
    generation: 1,
    settings: poolSettings({}).relay,
  }),
  opened: true,
};
const failuresAfter = (settled: boolean, report: object): number | undefined =>
  recordLoss({ ...context, settled }, { code: 1006, reason: '', ...report }, []).window?.failuresInRow;

test('a connection that had served and ends is no failure, unless the relay has broken the protocol', () => {
  expect(failuresAfter(false, {})).toBe(1);
  expect(failuresAfter(true, {})).toBe(0);
  expect(failuresAfter(true, { brokeProtocol: true })).toBe(1);
});
