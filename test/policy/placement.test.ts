import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextMove, type Place } from '../../machines/policy/placement.ts';

const place = (standing: Place['standing'], more: Partial<Place> = {}) => ({
  standing,
  isResting: false,
  isFit: true,
  hasRoom: true,
  ...more,
});

describe('where a subscription goes', () => {
  test('to as many relays as are wanted, of those that serve and have room', () => {
    const roomy = place('absent');
    const move = nextMove([place('absent', { hasRoom: false }), roomy, place('absent', { isFit: false })], 2);
    expect(move).toEqual({ missing: 2, among: [roomy], leave: [] });
  });

  test('anywhere, where nobody serves; and nowhere where it has just been refused', () => {
    const down = place('absent', { isFit: false });
    expect(nextMove([down, place('absent', { isFit: false, isResting: true })], 1)).toEqual({
      missing: 1,
      among: [down],
      leave: [],
    });
  });

  test('to another, while one is hindered; which is left once the other serves', () => {
    const hindered = place('hindered');
    const absent = place('absent');
    expect(nextMove([hindered, absent], 1)).toEqual({ missing: 1, among: [absent], leave: [] });
    expect(nextMove([hindered, place('served')], 1)).toEqual({ missing: 0, among: [], leave: [hindered] });
  });

  test('not back to one that has come back', () => {
    const [first, second] = [place('served'), place('served')];
    expect(nextMove([first, second], 1)).toEqual({ missing: 0, among: [], leave: [second] });
    expect(nextMove([first, place('absent')], 1)).toEqual({ missing: 0, among: [], leave: [] });
  });

  test('stays where it waits, where nobody else serves', () => {
    const waits = place('hindered', { isFit: false });
    expect(nextMove([waits, place('absent', { isFit: false })], 1).missing).toBe(0);
  });

  test('comes to rest, and never leaves one that serves while it has too few', () => {
    const some = fc.record({
      standing: fc.constantFrom('absent', 'served', 'hindered', 'refused' as const),
      isResting: fc.boolean(),
      isFit: fc.boolean(),
      hasRoom: fc.boolean(),
    }) as fc.Arbitrary<Place>;
    fc.assert(
      fc.property(fc.array(some, { maxLength: 6 }), fc.integer({ min: 1, max: 4 }), (places, copies) => {
        const { missing, among, leave } = nextMove(places, copies);
        const served = places.filter(({ standing }) => standing === 'served').length;
        const left = leave.filter(({ standing }) => standing === 'served').length;
        expect(served - left).toBeGreaterThanOrEqual(Math.min(served, copies));
        expect(missing === 0 || leave.length === 0).toBe(true);
        expect(among.every(({ standing, isResting }) => standing === 'absent' && !isResting)).toBe(true);
        const after = places
          .filter((each) => !leave.includes(each))
          .map((each) => (among.slice(0, missing).includes(each) ? { ...each, standing: 'served' as const } : each));
        const next = nextMove(after, copies);
        const afterwards = after.filter((each) => !next.leave.includes(each));
        expect(nextMove(afterwards, copies).leave).toEqual([]);
      }),
    );
  });
});
