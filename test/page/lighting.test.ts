import { expect, test } from 'vitest';
import { deliveryMachine, publicationMachine, relayMachine, subscriptionMachine } from '../../machines/index.ts';
import { createElk } from '../../visualizations/elk.ts';
import { drawnEvent } from '../../visualizations/events.ts';
import { layOut } from '../../visualizations/layout.ts';
import { lightingOf, possibleEvents } from '../../visualizations/page/lighting.ts';

const relay = await layOut(relayMachine, createElk(), { labels: false });

test.each([deliveryMachine, publicationMachine, subscriptionMachine].map((machine) => [machine.id, machine] as const))(
  'every step of the %s chart lights the arrow that it took',
  async (id, machine) => {
    const drawing = await layOut(machine, createElk(), { labels: false });
    const name = (state: string): string => state.slice(id.length + 1);
    const arrows = drawing.arrows.filter(({ label, source, target }) => label.length > 0 && source !== target);
    expect(arrows.length).toBeGreaterThan(3);
    for (const { id: arrow, source, target, label } of arrows) {
      const [event = ''] = label[0]?.split(' [') ?? [];
      const { active, taken, enabled } = lightingOf(drawing, name(target), name(source), event);
      expect([...active]).toEqual([target]);
      expect([...taken]).toEqual([arrow]);
      expect([...enabled].every((each) => each.startsWith(`${target} ->`))).toBe(true);
    }
  },
);

test('nested states are lit with those around them, and can do what those can', () => {
  const lighting = lightingOf(relay, { session: { connected: 'settled' } }, undefined, undefined);
  expect([...lighting.active]).toEqual(['relay.session', 'relay.session.connected', 'relay.session.connected.settled']);
  expect(lighting.taken.size).toBe(0);
  expect(possibleEvents(relay, lighting)).toEqual(
    expect.arrayContaining(['DISCONNECT', 'STOP', 'after forgivenessDelay', 'health.degraded', 'socket.closed']),
  );
});

test('the way through a decision is lit from its beginning to its end', () => {
  const from = { session: { connected: 'settled' } };
  expect([...lightingOf(relay, 'open-circuit', from, 'socket.closed').taken]).toEqual([
    'relay.session -> relay.assessing',
    'relay.assessing -> relay.open-circuit',
  ]);
  const later = 'xstate.after.retryDelay.relay.backoff';
  const { taken } = lightingOf(relay, { session: { connecting: 'queued' } }, 'backoff', later);
  expect([...taken]).toEqual(['relay.backoff -> relay.session']);
});

test('what is of no arrow lights none', () => {
  expect(lightingOf(relay, 'backoff', 'backoff', 'nothing of this chart').taken.size).toBe(0);
  expect(lightingOf(relay, { nowhere: 'at all' }, 'idle', 'CONNECT').enabled.size).toBe(0);
});

test('events are called what drawings call them', () => {
  expect(drawnEvent('xstate.after.retryDelay.relay.backoff')).toBe('after retryDelay');
  expect(drawnEvent('xstate.error.actor.socket')).toBe('socket crashed');
  expect(drawnEvent('xstate.done.actor.0.machine.state')).toBe('0.machine.state ended');
  expect(drawnEvent('CONNECT')).toBe('CONNECT');
});
