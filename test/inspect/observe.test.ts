import { expect, test } from 'vitest';
import { assign, createActor, createMachine } from 'xstate';
import type { CreatePoolOptions } from '../../src/index.ts';
import { ActorReporter } from '../../src/inspect/actor-reporter.ts';
import { watchThresholds } from '../../src/inspect/alerts.ts';
import type { InspectorMessage } from '../../src/inspect/messages.ts';
import { isInspectorMessage } from '../../src/inspect/messages.ts';
import { type ObserveOptions, observePool } from '../../src/inspect/observe.ts';
import { RecordReporter } from '../../src/inspect/record-reporter.ts';
import { signedEvents } from '../../src/testing/index.ts';
import { world } from '../kit/world.ts';

const CONTENT = 'nobody but the relays may read this';
const events = signedEvents(CONTENT);
const next = () => events.next().value;

/** A pool that is observed, and what was told. */
function observed(options: ObserveOptions = {}, poolOptions: CreatePoolOptions = {}) {
  const all = world(2, poolOptions);
  const messages: InspectorMessage[] = [];
  const stop = observePool(all.pool, (message) => messages.push(message), { clock: all.clock, ...options });
  const told = <Type extends InspectorMessage['type']>(type: Type) =>
    messages.filter((message): message is Extract<InspectorMessage, { type: Type }> => message.type === type);
  return { ...all, messages, stop, told };
}

test('the pool, its relays and their sockets are told as actors, each below the one that has started it', () => {
  const { clock, told, pool } = observed();
  clock.advance(500);
  const actors = new Map(told('@xstate.actor').map((actor) => [actor.sessionId, actor]));
  const root = [...actors.values()].find(({ parentId }) => parentId === undefined);
  expect(JSON.parse(root?.definition ?? '{}').id).toBe('pool');
  const relays = [...actors.values()].filter(({ name }) => name.startsWith('relay:'));
  expect(relays.map(({ name }) => name)).toEqual(['relay:wss://relay0.example/', 'relay:wss://relay1.example/']);
  for (const relay of relays) {
    expect(relay.parentId).toBe(root?.sessionId);
    expect(JSON.parse(relay.definition ?? '{}').id).toBe('relay');
    const below = [...actors.values()].filter(({ parentId }) => parentId === relay.sessionId);
    expect(below.map(({ name }) => name)).toContain('socket');
    expect(below.every(({ definition }) => definition === undefined)).toBe(true);
  }
  expect(told('@xstate.snapshot').every(({ sessionId }) => actors.has(sessionId))).toBe(true);
  void pool.close();
});

test('every transition is told with the event that led to it, and a relay that leaves is told to have ended', () => {
  const { clock, told, relays, pool } = observed();
  clock.advance(2_000);
  const url = relays[0]?.url ?? '';
  const session = told('@xstate.actor').find(({ name }) => name === `relay:${url}`)?.sessionId;
  const before = told('@xstate.snapshot').length;
  relays[0]?.stop();
  clock.advance(10);
  const after = told('@xstate.snapshot')
    .slice(before)
    .filter(({ sessionId }) => sessionId === session);
  expect(after.map(({ event, snapshot }) => [event.type, snapshot.value])).toContainEqual(['socket.closed', 'backoff']);
  pool.removeRelay(url);
  clock.advance(1_000);
  const last = told('@xstate.snapshot').filter(({ sessionId }) => sessionId === session);
  expect(last.at(-1)?.snapshot.status).toBe('done');
  expect(told('recloser.fact').map(({ fact }) => fact.type)).toContain('relay.removed');
  void pool.close();
});

test('an actor that begins while it is watched is told before anything that it does', () => {
  const { clock, told, messages, relays, pool } = observed();
  clock.advance(1_000);
  relays[0]?.stop();
  pool.addRelay('wss://new.example/');
  clock.advance(5_000);
  relays[0]?.start();
  clock.advance(30_000);
  const known = new Set<string>();
  for (const message of messages) {
    if (message.type === '@xstate.actor') known.add(message.sessionId);
    if (message.type === '@xstate.snapshot' || message.type === '@xstate.event')
      expect(known).toContain(message.sessionId);
  }
  const names = told('@xstate.actor').map(({ name }) => name);
  expect(names).toContain('relay:wss://new.example/');
  // Every session of a relay has a socket of its own.
  expect(names.filter((name) => name === 'socket').length).toBeGreaterThan(4);
  expect(told('recloser.omitted')).toEqual([]);
  void pool.close();
});

test('addresses are told without what may be a token in them', () => {
  const all = world(0);
  const messages: InspectorMessage[] = [];
  const alerts = [{ name: 'away', metric: 'relay.openConnections', below: 1, forMs: 0 } as const];
  observePool(all.pool, (message) => messages.push(message), { clock: all.clock, alerts });
  all.pool.addRelay('wss://relay.example/?token=SECRET123');
  all.clock.advance(5_000);
  expect(messages.some(({ type }) => type === 'recloser.alert')).toBe(true);
  expect(JSON.stringify(messages)).toContain('wss://relay.example/?…');
  expect(JSON.stringify(messages)).not.toContain('SECRET123');
  void all.pool.close();
});

test('a subscription is told once, and is not told to have ended while others are followed', () => {
  const messages: InspectorMessage[] = [];
  const reporter = new RecordReporter({
    now: () => 0,
    emit: (message) => messages.push(message),
    spend: () => true,
    rootId: 'x:0',
    relaySession: () => undefined,
  });
  const step = { type: 'record.stepped', event: { type: 'frame.sent' }, context: {} } as const;
  const live = { ...step, chart: 'subscription', id: 'mine', relay: 'wss://a.example/', state: 'live' } as const;
  reporter.next(live);
  for (let index = 0; index < 300; index += 1) {
    reporter.flush();
    reporter.next({ ...step, chart: 'delivery', id: `${index}`, relay: 'wss://a.example/', state: 'sent' });
  }
  reporter.next(live);
  const ours = messages.filter((message) => 'sessionId' in message && message.sessionId.includes('/mine/'));
  expect(ours.filter(({ type }) => type === '@xstate.actor')).toHaveLength(1);
  expect(JSON.stringify(ours)).not.toContain('stopped');
  // Of what there is always more, the oldest make room.
  expect(JSON.stringify(messages)).toContain('stopped');
});

test('the end of a subscription that is shown is told, whatever else there is to tell', () => {
  const messages: InspectorMessage[] = [];
  let left = 1;
  const reporter = new RecordReporter({
    now: () => 1_000,
    emit: (message) => messages.push(message),
    spend: () => {
      left -= 1;
      return left >= 0;
    },
    rootId: 'x:0',
    relaySession: () => undefined,
  });
  const step = (id: string, state: string) =>
    reporter.next({
      type: 'record.stepped',
      chart: 'subscription',
      id,
      relay: 'wss://relay.example/',
      state,
      context: {},
      event: { type: 'frame.sent' },
    } as never);
  step('shown', 'opening');
  step('not shown', 'opening');
  step('not shown', 'closed');
  expect(messages.every((message) => 'sessionId' in message && message.sessionId.includes('/shown/'))).toBe(true);
  step('shown', 'closed');
  expect(messages.at(-1)).toMatchObject({ type: '@xstate.snapshot', snapshot: { status: 'done', value: 'closed' } });
});

test('an application that cannot say what it has lost harms neither the pool nor the page', () => {
  const { clock, told } = observed({
    lost: () => {
      throw new Error('it cannot be known');
    },
  });
  clock.advance(500);
  expect(told('recloser.summary').length).toBeGreaterThan(2);
});

test('a pool that is closed cannot be observed, and a rule without a bound is refused before anything is', async () => {
  const { clock, pool } = world(1);
  expect(() =>
    observePool(pool, () => {}, { clock, alerts: [{ name: 'x', metric: 'hedges', above: Number.NaN }] }),
  ).toThrow(/give above, below/);
  const closed = pool.close({ drainMs: 0 });
  clock.advance(10_000);
  await closed;
  expect(() => observePool(pool, () => {}, { clock })).toThrow(/closed/);
  expect(clock.pending).toBe(0);
});

test('publications, deliveries and subscriptions are shown as actors with their charts, to their end', async () => {
  const { clock, told, pool } = observed();
  clock.advance(1_000);
  const publishing = pool.publish(next(), { quorum: 2 });
  const subscription = pool.subscribe({ kinds: [1] });
  clock.advance(1_000);
  const { id } = await publishing;
  const charts = told('@xstate.actor').filter(({ sessionId }) => sessionId.includes('/'));
  expect(charts.map(({ name }) => name).sort()).toEqual(
    [
      `delivery ${id.slice(0, 8)}`,
      `delivery ${id.slice(0, 8)}`,
      `publication ${id.slice(0, 8)}`,
      `subscription ${subscription.id.slice(0, 8)}`,
      `subscription ${subscription.id.slice(0, 8)}`,
    ].sort(),
  );
  for (const { name, definition } of charts) expect(JSON.parse(definition ?? '{}').id).toBe(name.split(' ')[0]);
  const states = told('@xstate.snapshot')
    .filter(({ sessionId }) => sessionId.includes(`/delivery/${id}/`))
    .map(({ snapshot }) => `${snapshot.value} ${snapshot.status}`);
  expect(states).toEqual(['sent active', 'sent active', 'accepted done', 'accepted done']);
  void pool.close();
});

test('a summary says what the page shows, ten times a second', async () => {
  const { clock, told, pool, relays } = observed({ lost: () => 3 });
  clock.advance(1_000);
  void pool.publish(next());
  clock.advance(1_000);
  const summaries = told('recloser.summary');
  expect(summaries.length).toBe(21);
  expect(summaries.at(-1)?.summary).toMatchObject({
    strategy: 'two-choices',
    published: 1,
    confirmed: 1,
    failed: 0,
    lost: 3,
    relays: [
      { url: relays[0]?.url, status: 'connected', success: 1, share: 0.5 },
      { url: relays[1]?.url, status: 'connected' },
    ],
  });
  void pool.close();
});

test('measurements beyond their bounds are told once, and once when they are within them again', async () => {
  const { clock, told, pool, relays } = observed({
    alerts: [
      { name: 'few', metric: 'activeConnections', below: 2, forMs: 2_000 },
      { name: 'slow', metric: 'relay.latencyMsP95', above: 10_000 },
      { name: 'restless', metric: 'relay.connectionAttempts', above: 3, forMs: 0 },
    ],
  });
  clock.advance(5_000);
  expect(told('recloser.alert')).toEqual([]);
  relays[0]?.stop();
  clock.advance(60_000);
  relays[0]?.start();
  clock.advance(600_000);
  const alerts = told('recloser.alert').map(({ alert }) => [alert.name, alert.raised, alert.relay]);
  expect(alerts).toContainEqual(['few', true, undefined]);
  expect(alerts.filter(([name]) => name === 'few')).toEqual([
    ['few', true, undefined],
    ['few', false, undefined],
  ]);
  expect(alerts.filter(([name]) => name === 'restless')).toEqual([['restless', true, relays[0]?.url]]);
  expect(alerts.filter(([name]) => name === 'slow')).toEqual([]);
  expect(() => watchThresholds(pool, [{ name: 'boundless', metric: 'hedges' }], () => {})).toThrow(/give above, below/);
  void pool.close();
  clock.advance(60_000);
  await pool.close();
  expect(clock.pending).toBe(0);
});

test('nothing is observed any more when it was stopped, nor when the pool has closed, and no timer is left', async () => {
  const stopped = observed();
  stopped.clock.advance(500);
  stopped.stop();
  const { length } = stopped.messages;
  void stopped.pool.publish(next());
  stopped.relays[0]?.stop();
  stopped.clock.advance(5_000);
  expect(stopped.messages.length).toBe(length);
  const { clock, pool } = observed();
  clock.advance(500);
  const closed = pool.close({ drainMs: 0 });
  clock.advance(10_000);
  await closed;
  expect(clock.pending).toBe(0);
  void stopped.pool.close();
});

test.each([false, true])('contents, signatures and challenges are told to nobody (reveal: %s)', async (reveal) => {
  const signed: string[] = [];
  const { clock, pool, messages, relays } = observed(
    { reveal },
    {
      authenticate: 'always',
      signers: [
        async () => {
          const event = next();
          signed.push(event.sig);
          return event;
        },
      ],
    },
  );
  clock.advance(500);
  const event = next();
  pool.actor.send({ type: 'PUBLISH', event });
  for (const relay of relays) for (const peer of relay.peers) peer.send('["AUTH","a-challenge-of-the-relay"]');
  for (let turn = 0; turn < 20; turn += 1) {
    clock.advance(100);
    await Promise.resolve();
  }
  const everything = JSON.stringify(messages);
  expect(signed.length).toBeGreaterThan(0);
  expect(everything).toContain('"type":"PUBLISH"');
  expect(everything).toContain('signer.');
  for (const secret of [event.sig, 'a-challenge-of-the-relay', ...signed]) expect(everything).not.toContain(secret);
  expect(everything.includes(CONTENT)).toBe(reveal);
  expect(messages.every(isInspectorMessage)).toBe(true);
  void pool.close();
});

const counting = createMachine({
  id: 'counting',
  types: {} as { context: { count: number } },
  context: { count: 0 },
  initial: 'a',
  states: { a: { on: { GO: 'b' } }, b: {} },
  on: { COUNT: { actions: assign(({ context }) => ({ count: context.count + 1 })) } },
});

test('an observer of a flood tells no more than it may, says how much it left out, and the last of what changed', () => {
  const actor = createActor(counting).start();
  const messages: InspectorMessage[] = [];
  const reporter = new ActorReporter(actor, { now: () => 0, emit: (message) => messages.push(message), reveal: false });
  actor.system.inspect({ next: reporter.next });
  for (let turn = 0; turn < 10_000; turn += 1) actor.send({ type: 'COUNT' });
  expect(messages.length).toBeLessThan(250);
  reporter.flush();
  expect(messages.at(-1)).toMatchObject({ type: 'recloser.omitted' });
  const last = messages.findLast((message) => message.type === '@xstate.snapshot');
  expect(last).toMatchObject({ snapshot: { context: { count: 10_000 } } });
});

test('an observer never throws into whoever sends an event, whatever is in a context', () => {
  const toxic = createMachine({ id: 'toxic', initial: 'a', states: { a: { on: { GO: 'b' } }, b: {} } });
  const actor = createActor(toxic).start();
  const emitted: string[] = [];
  const reporter = new ActorReporter(actor, {
    now: () => 0,
    emit: ({ type }) => emitted.push(type),
    reveal: true,
  });
  actor.system.inspect({ next: reporter.next });
  const event = {
    type: 'GO',
    get nothing(): never {
      throw new Error('do not look at me');
    },
  };
  expect(() => actor.send(event)).not.toThrow();
  expect(actor.getSnapshot().value).toBe('b');
  reporter.flush();
  expect(emitted).toContain('recloser.omitted');
});
