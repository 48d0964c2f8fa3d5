import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CONNECTION_LIMITS } from '../../machines/policy/limits.ts';
import { limitedBy, statedLimits } from '../../machines/policy/stated-limits.ts';

test('what a relay says that it takes is read from its document', () => {
  const limitation = { max_subscriptions: 12, max_message_length: 65_536, max_limit: 300, auth_required: true };
  expect(statedLimits({ name: 'a relay', limitation })).toEqual({
    subscriptionsMax: 12,
    frameBytesMax: 65_536,
    storedMax: 300,
  });
});

test.each([undefined, null, 5, 'x', [], {}, { limitation: null }, { limitation: 'none' }, { limitation: [1] }])(
  'a document like %j says nothing',
  (document) => {
    expect(statedLimits(document)).toEqual({});
  },
);

test.each([0, -1, 1.5, '20', null, true, [], {}, 1e300, Number.NaN])('a limit of %j says nothing', (value) => {
  const limitation = { max_subscriptions: value, max_message_length: value, max_limit: value };
  expect(statedLimits({ limitation })).toEqual({});
});

test('whatever it says, it is asked for no more than the application allows, and for something', () => {
  const allowed = fc.record({ subscriptionsMax: fc.integer({ min: 1 }), frameBytesMax: fc.integer({ min: 1_024 }) });
  const value = fc.oneof(fc.integer(), fc.maxSafeNat(), fc.jsonValue());
  const limitation = fc.record({ max_subscriptions: value, max_message_length: value, max_limit: value });
  fc.assert(
    fc.property(allowed, limitation, (options, stated) => {
      const limited = limitedBy(options, statedLimits({ limitation: stated }));
      expect(limited.subscriptionsMax).toBeLessThanOrEqual(options.subscriptionsMax);
      expect(limited.frameBytesMax).toBeLessThanOrEqual(options.frameBytesMax);
      expect(limited.subscriptionsMax).toBeGreaterThanOrEqual(1);
      expect(limited.frameBytesMax).toBeGreaterThanOrEqual(CONNECTION_LIMITS.frameBytesMax.min);
      expect(limited.storedMax).toBeGreaterThanOrEqual(1);
    }),
  );
});
