import { once } from 'node:events';
import { createWebSocketInspector } from '@statelyai/inspect';
import { expect, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { createActor, createMachine } from 'xstate';
import { createInspector, type Inspector } from '../../dist/src/inspect/index.js';
import { type FaultableRelay, signedEvents } from '../../src/testing/index.ts';
import { hasFetched, inBrowser, open, withBrowser } from '../kit/browser.ts';
import { startRelays } from '../kit/relays.ts';
import { APPS, serveSite } from '../kit/site.ts';
import type { Asked } from './apps/pool.ts';

withBrowser();

declare const asked: Asked;

const events = signedEvents();
const next = () => events.next().value;

async function serveInspector(): Promise<Inspector> {
  const inspector = await createInspector();
  onTestFinished(() => inspector.stop());
  return inspector;
}

inBrowser('an application in Node that has nothing of ours is shown: chart, actors, events', async () => {
  const inspector = await serveInspector();
  const { page, complaints } = await open(inspector.url);
  await page.getByText('No actor has been heard of so far').waitFor();
  const machine = createMachine({
    id: 'door',
    context: { opened: 3 },
    initial: 'closed',
    states: {
      closed: { on: { OPEN: 'open', LOCK: 'locked' } },
      open: { initial: 'ajar', states: { ajar: { on: { PUSH: 'wide' } }, wide: {} }, on: { CLOSE: 'closed' } },
      locked: { on: { UNLOCK: 'closed' } },
    },
  });
  const statelyInspector = createWebSocketInspector({ url: inspector.applicationUrl });
  const actor = createActor(machine, { inspect: statelyInspector.inspect }).start();
  onTestFinished(() => statelyInspector.stop());
  await page.locator('.box.is-active[data-state="door.closed"]').waitFor();
  actor.send({ type: 'OPEN' });
  await page.locator('.box.is-active[data-state="door.open.ajar"]').waitFor();
  expect(await page.locator('.arrow.taken').getAttribute('data-arrow')).toBe('door.closed -> door.open');
  expect(await page.locator('.arrow.taken text').textContent()).toBe('OPEN');
  const possible = await page.locator('.events code').allTextContents();
  expect(possible).toEqual(['CLOSE', 'PUSH']);
  expect(await page.locator('.facts').textContent()).toContain('opened 3');
  await page.locator('.log li').filter({ hasText: 'OPEN' }).waitFor();
  expect(await page.locator('.sequence svg').getAttribute('aria-label')).toContain('OPEN');
  expect(await page.locator('.tree button').first().textContent()).toContain('open.ajar');
  expect(await hasFetched(page, 'elk.bundled.js')).toBe(true);
  // A late page knows all of it.
  const late = await open(inspector.url);
  await late.page.locator('.box.is-active[data-state="door.open.ajar"]').waitFor();
  // What an application calls itself is text, and nothing else.
  const hostile = createMachine({
    id: '<img src=x onerror=alert(1)>',
    initial: '</script>',
    states: { '</script>': {} },
  });
  const second = createActor(hostile, { inspect: statelyInspector.inspect, id: '<b>bold</b>' }).start();
  await page.locator('.tree button').filter({ hasText: '<b>bold</b>' }).click();
  await page.locator('.box.is-active').filter({ hasText: '</script>' }).waitFor();
  second.stop();
  expect([...complaints, ...late.complaints]).toEqual([]);
});

inBrowser('an application in a browser that has nothing of ours is shown in a frame, by postMessage', async () => {
  const inspector = await serveInspector();
  const site = await serveSite(APPS);
  const { page, complaints } = await open(`${site}stately.html?inspector=${encodeURIComponent(inspector.url)}`);
  const frame = page.frameLocator('#inspector');
  await frame.locator('.box.is-active[data-state="crossing.light.green"]').waitFor();
  await frame.locator('.box.is-active[data-state="crossing.counter.counting"]').waitFor();
  expect(await frame.locator('.log li').allTextContents()).toEqual([]);
  await page.locator('#next').click();
  await frame.locator('.box.is-active[data-state="crossing.light.yellow"]').waitFor();
  const lamp = frame.locator('.tree button').filter({ hasText: 'lamp' });
  expect(await lamp.textContent()).toContain('on');
  await lamp.click();
  await frame.locator('.box.is-active[data-state="lamp.on"]').waitFor();
  expect(await frame.locator('.sequence svg').getAttribute('aria-label')).toMatch(/to lamp: TOGGLE/);
  expect(complaints).toEqual([]);
});

inBrowser('a pool in a browser: kept in IndexedDB, verified by module workers, and shown in a frame', async () => {
  const relays = await startRelays(2);
  const urls = relays.map(({ url }) => url);
  const site = await serveSite(APPS);
  const inspector = await serveInspector();
  const { page, complaints } = await open(`${site}pool.html`);

  const event = next();
  const published = await page.evaluate(([to, what]) => asked.publish(to, what), [urls, event] as const);
  expect(published).toEqual({ status: 'confirmed', durability: 'power-loss' });
  for (const relay of relays) expect(relay.store.events.has(event.id)).toBe(true);

  // What was accepted outlasts the page.
  for (const relay of relays) relay.set({ refuse: true });
  const left = next();
  expect(await page.evaluate(([to, what]) => asked.leaveBehind(to, what), [urls, left] as const)).toBe('power-loss');
  await page.reload();
  for (const relay of relays) relay.heal();
  expect(await page.evaluate((to) => asked.goOn(to), urls)).toBe(left.id);

  const large = signedEvents('é'.repeat(400_000)).next().value;
  const judged = [
    event,
    large,
    { ...event, content: 'else' },
    { ...large, sig: event.sig },
    { ...event, tags: [['x']] },
  ];
  const verdicts = await page.evaluate((what) => asked.verify(what), judged);
  expect(verdicts).toEqual([true, true, false, false, false]);

  // Whatever is forged is found by the workers.
  const [liar] = relays as [FaultableRelay];
  liar.set({ poison: true });
  const read = await page.evaluate((to) => asked.query(to), urls);
  expect(read.ids).toEqual([event.id, left.id].sort());
  expect(read.complete).toBe(true);
  expect(read.verifications).toBeGreaterThanOrEqual(2);
  expect(JSON.stringify(read.faults)).toContain('forged-event');

  // The relays were refused on purpose, which a browser's console tells.
  const unexpected = complaints.filter((text) => !text.includes('WebSocket connection to'));
  expect(unexpected).toEqual([]);

  await page.evaluate(([to, where]) => asked.inspect(to, where), [urls, inspector.url] as const);
  const frame = page.frameLocator('#inspector');
  await frame.getByText('2 / 2').waitFor();
  expect(await frame.locator('h1').textContent()).toContain('a pool in a browser');
  await frame.locator('.box.is-active[data-state="relay.session.connected"]').waitFor();
});

inBrowser('the example application for React: status, settings, publishing', async () => {
  const relays = await startRelays(3);
  const [first, second, third] = relays as [FaultableRelay, FaultableRelay, FaultableRelay];
  const site = await serveSite({
    configFile: new URL('../../examples/react-app/vite.config.ts', import.meta.url).pathname,
  });
  const { page, complaints } = await open(`${site}?relay=${first.url}&relay=${second.url}`);
  await page.getByText('2 of 2 connected').waitFor();
  const status = page.locator('.recloser-status');
  const glyph = status.locator(`li[data-relay="${first.url}"] i`);
  expect(await glyph.textContent()).toBe('●');
  expect(await glyph.evaluate((element) => getComputedStyle(element).color)).toBe('rgb(61, 164, 144)');

  await page.getByLabel('note').fill('hello');
  await page.getByRole('button', { name: 'publish' }).click();
  await page.getByText(/^confirmed by [12]$/).waitFor();
  await expect.poll(() => [first, second].map(({ store }) => store.events.size)).toEqual([1, 1]);
  await page.getByText(/[1-9]\d* frames/).waitFor();

  const settings = page.locator('.recloser-settings');
  await settings.getByRole('textbox').fill('https://no.relay');
  await settings.getByRole('button', { name: 'add' }).click();
  await settings.getByRole('alert').waitFor();
  await settings.getByRole('textbox').fill(third.url);
  await settings.getByRole('button', { name: 'add' }).click();
  await page.getByText('3 of 3 connected').waitFor();
  expect(await settings.getByRole('alert').count()).toBe(0);

  second.set({ refuse: true });
  second.cut();
  await page.getByText('2 of 3 connected').waitFor();
  await status
    .locator(`li[data-relay="${second.url}"]`)
    .filter({ hasText: /backoff|connecting|open-circuit/ })
    .waitFor();
  const rows = settings.locator('li');
  await rows.filter({ hasText: second.url }).getByRole('button', { name: 'remove' }).click();
  await page.getByText('2 of 2 connected').waitFor();
  await rows.filter({ hasText: first.url }).getByRole('button', { name: 'disconnect' }).click();
  await page.getByText('1 of 2 connected').waitFor();
  await rows
    .filter({ hasText: first.url })
    .getByRole('button', { name: /^connect/ })
    .click();
  await page.getByText('2 of 2 connected').waitFor();
  expect(complaints.filter((text) => !text.includes('WebSocket connection to'))).toEqual([]);
});

inBrowser('an application that tells nonsense takes nothing from the others', async () => {
  const inspector = await serveInspector();
  const { page, complaints } = await open(inspector.url);
  const application = new WebSocket(inspector.applicationUrl);
  onTestFinished(() => application.terminate());
  await once(application, 'open');
  const tell = (message: object): void =>
    application.send(JSON.stringify({ _version: '1', createdAt: '4102444800000', id: null, rootId: 'a', ...message }));
  const snapshot = { status: 'active', value: 'a' };
  const definitions = [
    'not json',
    'null',
    '5',
    '{"id":"constructor","initial":"a","states":{"a":{}}}',
    '{"id":"x","initial":"b"}',
  ];
  const states = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`s${index}`, { on: { GO: 's0' } }]));
  definitions.push(JSON.stringify({ id: 'huge', initial: 's0', states }));
  definitions.forEach((definition, index) => {
    tell({ type: '@xstate.actor', name: `n${index}`, sessionId: `a${index}`, definition, snapshot });
  });
  // One below the other, deeper than anybody goes.
  for (let depth = 0; depth < 300; depth += 1) {
    const parentId = depth === 0 ? undefined : `d${depth - 1}`;
    tell({ type: '@xstate.actor', name: `deep ${depth}`, sessionId: `d${depth}`, parentId, snapshot });
  }
  const own = {
    id: 'own',
    initial: 'a',
    states: { a: { id: 'first', on: { GO: { target: '#second', guard: { type: 'may' } } } }, b: { id: 'second' } },
  };
  tell({ type: '@xstate.actor', name: 'own ids', sessionId: 'own', definition: JSON.stringify(own), snapshot });
  for (let index = 0; index < definitions.length; index += 1) {
    await page
      .locator('.tree button')
      .filter({ hasText: `n${index}` })
      .click();
    await page
      .locator('.actor h2')
      .filter({ hasText: `n${index}` })
      .waitFor();
  }
  await page.getByText('too large to be read').waitFor();
  await page.locator('.tree button').filter({ hasText: 'own ids' }).click();
  await page.locator('.box.is-active[data-state="first"]').waitFor();
  expect(await page.locator('.arrow.enabled text').textContent()).toBe('GO [may]');
  // Its clock is not believed.
  expect(
    Number.parseFloat((await page.locator('.facts').textContent())?.replace(/.*in state /, '') ?? ''),
  ).toBeLessThan(60);
  expect(complaints).toEqual([]);
});
