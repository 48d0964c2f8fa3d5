import { expect, test } from 'vitest';
import { HEDGE } from '../../machines/policy/limits.ts';
import type { Dispatcher } from '../../src/delivery/dispatcher.ts';
import { Failovers } from '../../src/delivery/failovers.ts';
import { Mover } from '../../src/delivery/mover.ts';
import type { Delivery, DeliveryLane, Publication } from '../../src/delivery/publication.ts';
import { VirtualClock } from '../../src/testing/index.ts';

/** A mover with one publication that waits for trust. */
function waiting() {
  const clock = new VirtualClock(0);
  const asked: boolean[] = [];
  let isNeedy = false;
  const dispatcher = {
    defer: () => {
      isNeedy = true;
      return true;
    },
    topUpNeedy: (mayRetry: boolean) => {
      asked.push(mayRetry);
      isNeedy &&= !mayRetry;
      return isNeedy;
    },
  } as unknown as Dispatcher;
  const mover = new Mover({
    clock,
    dispatcher,
    failovers: new Failovers(),
    failedOver: () => {},
    lanes: () => [],
    answerTimes: () => ({ usualMs: undefined, timeoutMs: 100 }),
    hedged: () => {},
  });
  while (mover.unanswered());
  mover.defer({} as Publication);
  return { clock, mover, asked };
}

test('what may not be tried elsewhere for now is tried as soon as trust has come back with time', () => {
  const { clock, mover, asked } = waiting();
  expect(mover.trust).toBe(HEDGE.trustMax / 2);
  clock.advance(1_000);
  expect(asked).toContain(true);
  expect(clock.pending).toBe(0);
});

test('the less is trusted, the longer that takes', () => {
  const { clock, mover, asked } = waiting();
  mover.unanswered();
  clock.advance(1_000 / HEDGE.perSecond - 1);
  expect(asked).not.toContain(true);
  clock.advance(1_000);
  expect(asked).toContain(true);
});

test('it is tried at once where answers bring trust back', () => {
  const { clock, mover, asked } = waiting();
  mover.answered();
  expect(asked).toEqual([true]);
  clock.advance(60_000);
  expect(clock.pending).toBe(0);
});

test('nothing runs after its end', () => {
  const { clock, mover } = waiting();
  mover.dispose();
  expect(clock.pending).toBe(0);
});

/** What is trusted after five late answers of one relay, where copies may be made or there is nobody to make them for. */
function trustAfter(lateMs: number, spokeAt: number, canCopy = false): number {
  const clock = new VirtualClock(1_000);
  const mover = new Mover({
    clock,
    dispatcher: { copy: () => (canCopy ? {} : undefined) } as unknown as Dispatcher,
    failovers: new Failovers(),
    failedOver: () => {},
    lanes: () => [],
    answerTimes: () => ({ usualMs: 90, timeoutMs: 100 }),
    hedged: () => {},
  });
  const lane = { url: 'wss://relay.example/' };
  for (let times = 0; times < 5; times += 1) {
    const publication = { isOver: false, isConfirmed: false, hedges: 0, copies: 1, hasUntried: true };
    const record = { state: 'sent', context: { sentAt: 1_000 - lateMs } };
    const delivery = { publication, lane, record, sentOn: { spokeAt } } as unknown as Delivery;
    // It is looked at again for as long as nothing was done about it, and costs no more for that.
    if (!mover.late(delivery)) mover.late(delivery);
  }
  return mover.trust;
}

test('a relay that only answers pings costs trust once in a while; one that talks, and is late, each time', () => {
  expect(trustAfter(200, 700)).toBe(HEDGE.trustMax - 1);
  expect(trustAfter(200, 850)).toBe(HEDGE.trustMax - 5);
});

test('answers that are late by a pause and not copied cost no trust', () => {
  expect(trustAfter(199, 850)).toBe(HEDGE.trustMax);
});

test('a copy of what is later than its timeout costs trust; of what is only later than usual, none', () => {
  expect(trustAfter(101, 950, true)).toBe(HEDGE.trustMax / 2);
  expect(trustAfter(95, 950, true)).toBe(HEDGE.trustMax);
});

test('what stays with relays that are silent together goes elsewhere once all but one talk', () => {
  const clock = new VirtualClock(1_000);
  const toppedUp: unknown[] = [];
  const dispatcher = {
    topUp: (publication: Publication) => {
      toppedUp.push(publication);
      return [];
    },
    defer: () => true,
    topUpNeedy: () => true,
  } as unknown as Dispatcher;
  const publication = { goesEverywhere: false } as Publication;
  const delivery = { publication, record: { state: 'sent' } } as unknown as Delivery;
  const items = new Map([['x', delivery]]);
  const lanes = ['a', 'b', 'c'].map((name) => ({ url: `wss://${name}.example/`, items, state: { suspect: false } }));
  const [a, b] = lanes as unknown as [DeliveryLane, DeliveryLane];
  const mover = new Mover({
    clock,
    dispatcher,
    failovers: new Failovers(),
    failedOver: () => {},
    lanes: () => lanes as unknown as DeliveryLane[],
    answerTimes: () => ({ usualMs: undefined, timeoutMs: 100 }),
    hedged: () => {},
  });
  const suspect = (lane: DeliveryLane, suspected: boolean) => Object.assign(lane.state, { suspect: suspected });
  while (mover.unanswered());
  suspect(a, true);
  suspect(b, true);
  mover.evacuate(a, 'silent');
  mover.topUpNeedy();
  expect(toppedUp).toEqual([]);
  suspect(b, false);
  mover.topUpNeedy();
  expect(toppedUp).toEqual([publication]);
  mover.topUpNeedy();
  expect(toppedUp).toHaveLength(1);
  mover.dispose();
});
