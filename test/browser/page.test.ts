import { readFile, writeFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { createPool, type Pool } from '../../dist/src/index.js';
// What is served is what ships: the built page.
import { createInspector, type Inspector, type InspectorOptions } from '../../dist/src/inspect/index.js';
import { FaultableRelay, signedEvents } from '../../dist/src/testing/index.js';
import { hasFetched, inBrowser, open, withBrowser } from '../kit/browser.ts';
import { QUICK } from '../kit/relays.ts';

withBrowser();

/** Milliseconds; of a browser on a busy machine. */
const PATIENCE = { timeout: 20_000 };

interface Stage {
  readonly relays: readonly FaultableRelay[];
  readonly pool: Pool;
  readonly inspector: Inspector;
  /** Publishes so many events a second to one relay each, until the test ends. */
  publish(perSecond: number): void;
}

async function setUp(options: InspectorOptions = {}): Promise<Stage> {
  const relays = await Promise.all(Array.from({ length: 4 }, () => FaultableRelay.start({ verify: false })));
  for (const relay of relays) relay.set({ delayMs: 150 });
  const pool = createPool({
    ...QUICK,
    stableMs: 300,
    publish: { ackTimeoutMs: 2_000 },
    breaker: { openMs: 30_000, openMaxMs: 60_000, failureThreshold: 3 },
    relays: relays.map(({ url }) => url),
    trust: { allowPrivate: true },
  });
  const byUrl = (url: string): FaultableRelay | undefined => relays.find((relay) => relay.url === url);
  const inspector = await createInspector({
    pool,
    name: 'a pool under test',
    faults: [
      { name: 'cut', begin: (url) => byUrl(url)?.cut() },
      {
        name: 'refuse',
        begin: (url) => {
          byUrl(url)?.set({ refuse: true });
          byUrl(url)?.cut();
        },
      },
      { name: 'heal', begin: (url) => byUrl(url)?.heal() },
    ],
    ...options,
  });
  const events = signedEvents();
  const template = events.next().value;
  let count = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  onTestFinished(async () => {
    clearInterval(timer);
    await inspector.stop();
    await pool.close({ drainMs: 0 });
    await Promise.all(relays.map((relay) => relay.stop()));
  });
  return {
    relays,
    pool,
    inspector,
    publish: (perSecond) => {
      timer = setInterval(() => {
        count += 1;
        // Relays that do not verify take ids as they are.
        void pool.publish({ ...template, id: count.toString(16).padStart(64, '0') }, { relays: 1 });
      }, 1_000 / perSecond);
    },
  };
}

const row = (page: Page, { url }: FaultableRelay) => page.locator(`tr[data-relay="${url}"]`);

inBrowser('the page shows a pool under faults: its states, its chart, and the last failover', async () => {
  const { relays, pool, inspector, publish } = await setUp();
  const { page, complaints } = await open(inspector.url);
  // So slow that something is on its way to each of them at any time, and has to be moved when one is broken.
  for (const relay of relays) relay.set({ delayMs: 500 });
  publish(60);
  const [first, second] = relays as [FaultableRelay, FaultableRelay];
  await page.getByText('4 / 4').waitFor();
  expect(await page.locator('h1').textContent()).toContain('a pool under test');
  await row(page, first).filter({ hasText: 'connected' }).waitFor();
  expect(await row(page, first).getAttribute('aria-selected')).toBe('true');

  // The second row by the keyboard, and broken by a key: it serves no more, and its circuit opens.
  await page.keyboard.press('ArrowDown');
  await page
    .locator('tr[aria-selected="true"]')
    .filter({ hasText: second.url.slice(5, -1) })
    .waitFor();
  // Once it is known how slow they are, what is on its way is not copied before it is lost.
  const leastAnswers = (): number => Math.min(...relays.map(({ url }) => pool.relayMetrics(url)?.successes ?? 0));
  await expect.poll(leastAnswers, PATIENCE).toBeGreaterThan(10);
  await expect.poll(() => pool.relayMetrics(second.url)?.inFlight ?? 0, PATIENCE).toBeGreaterThan(2);
  await page.keyboard.press('2');
  await row(page, second).filter({ hasText: 'open-circuit' }).waitFor();
  expect(pool.status()[second.url]).toBe('open-circuit');
  await page.locator('.box.is-active[data-state="relay.open-circuit"]').waitFor();
  // What happened last is the thick arrow, and it leads there.
  const taken = page.locator('.arrow.taken');
  expect(await taken.last().getAttribute('data-arrow')).toMatch(/-> relay\.open-circuit$/);
  expect(await page.locator('.events').textContent()).toContain('after retryDelay');

  // What was on its way there went elsewhere, and the page says how fast.
  await expect.poll(() => pool.metrics().failovers.recent.at(-1)?.url, PATIENCE).toBe(second.url);
  await page.locator('.failover').first().waitFor();
  const failover = pool.metrics().failovers.recent.at(-1);
  const sequence = page.locator('.sequence');
  await sequence.getByText('PUBLISH').waitFor();
  const milliseconds = (failover?.ms ?? 0).toFixed((failover?.ms ?? 0) < 10 ? 1 : 0);
  await sequence
    .locator('h2')
    .filter({ hasText: `${failover?.count} message` })
    .filter({ hasText: `${milliseconds} ms` })
    .waitFor();
  expect(await sequence.locator('svg').getAttribute('aria-label')).toContain(second.url.slice(5, -1));

  // Its own charts were laid out when the page was built.
  expect(await hasFetched(page, 'elk')).toBe(false);

  // Lanes: a bar in the state's colour, which is also told in words.
  expect(await page.locator(`.bar.open-circuit title`).first().textContent()).toContain('open-circuit');
  expect(complaints).toEqual([]);
});

inBrowser('a recording is exported, loaded and stepped, with the charts lit as they were', async () => {
  const { relays, inspector, publish } = await setUp({ history: true });
  const { page, complaints } = await open(inspector.url);
  publish(20);
  const [first] = relays as [FaultableRelay];
  await page.getByText('4 / 4').waitFor();
  await page.locator('.box.is-active[data-state="relay.session.connected.settled"]').waitFor();
  await page.keyboard.press('2');
  await page.locator('.box.is-active[data-state="relay.open-circuit"]').waitFor();
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'export' }).click();
  const path = await (await downloading).path();
  const recording = JSON.parse(await readFile(path, 'utf8'));
  expect(recording.messages.length).toBeGreaterThan(50);

  // On another page, which knows nothing: it stands at the end, and steps back to before the fault.
  const other = await open(`${inspector.url}#other`);
  await other.page.locator('input[type=file]').setInputFiles(path);
  await other.page.locator('.replay').waitFor();
  // What was used to load it still has the focus, and is nothing to type in.
  await other.page.locator('input[type=file]').focus();
  const shown = other.page.locator('.replay span');
  const before = await shown.textContent();
  await other.page.keyboard.press('ArrowLeft');
  await expect.poll(() => shown.textContent()).not.toBe(before);
  await other.page.keyboard.press('ArrowRight');
  await expect.poll(() => shown.textContent()).toBe(before);
  await row(other.page, first).click();
  await other.page.locator('.box.is-active[data-state="relay.open-circuit"]').waitFor();
  const position = async (): Promise<number> => Number(await other.page.locator('.replay input').inputValue());
  const end = await position();
  const settled = other.page.locator('.box.is-active[data-state="relay.session.connected.settled"]');
  let at = end;
  while (at > 0 && (await settled.count()) === 0) {
    at -= 1;
    await other.page.keyboard.press('ArrowLeft');
    await expect.poll(position, { interval: 20 }).toBe(at);
  }
  expect(await settled.count()).toBe(1);
  expect(at).toBeLessThan(end - 1);
  await other.page.keyboard.press('ArrowRight');
  await other.page.keyboard.press('Escape');
  await expect.poll(() => other.page.locator('.replay').count()).toBe(0);

  // What is no recording is refused in words, and the page goes on.
  await writeFile(`${path}.txt`, '{"format":"something else"}');
  await other.page.locator('input[type=file]').setInputFiles(`${path}.txt`);
  await other.page.getByRole('alert').filter({ hasText: 'not a recording' }).waitFor();
  expect([...complaints, ...other.complaints]).toEqual([]);
});

inBrowser('it is whole in both themes, at 820 pixels, and with less motion', async () => {
  const { inspector } = await setUp();
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page, complaints } = await open(inspector.url, {
      colorScheme,
      viewport: { width: 820, height: 900 },
      reducedMotion: 'reduce',
    });
    await page.getByText('4 / 4').waitFor();
    const { paper, ink, wide } = await page.evaluate(() => ({
      paper: getComputedStyle(document.body).backgroundColor,
      ink: getComputedStyle(document.body).color,
      wide: document.documentElement.scrollWidth,
    }));
    expect([paper, ink]).toEqual(
      colorScheme === 'light' ? ['rgb(245, 246, 249)', 'rgb(28, 36, 48)'] : ['rgb(10, 13, 19)', 'rgb(230, 234, 240)'],
    );
    expect(wide).toBeLessThanOrEqual(820);
    const transition = await page
      .locator('.box rect')
      .first()
      .evaluate((box) => getComputedStyle(box).transitionDuration);
    expect(transition).toBe('0s');
    expect(complaints).toEqual([]);
  }
});

inBrowser('everything can be reached with the keyboard alone', async () => {
  const { relays, pool, inspector } = await setUp({ control: true });
  const { page } = await open(inspector.url);
  await page.getByText('4 / 4').waitFor();
  const names = new Set<string>();
  for (let press = 0; press < 60; press += 1) {
    await page.keyboard.press('Tab');
    const name = await page.evaluate(
      () => document.activeElement?.textContent?.trim() || document.activeElement?.tagName,
    );
    if (name) names.add(name);
  }
  for (const name of ['❚❚ pause', '◐ theme', '⤓ export', '1 cut', '2 refuse', '3 heal', 'DISCONNECT']) {
    expect([...names]).toContain(name);
  }
  // A button of the chart sends its event, where the server allows it.
  const [first] = relays as [FaultableRelay];
  await page.locator('button[data-send="DISCONNECT"]').focus();
  await page.keyboard.press('Enter');
  await row(page, first).filter({ hasText: 'idle' }).waitFor();
  expect(pool.status()[first.url]).toBe('idle');
  await page.locator('button[data-send="CONNECT"]').focus();
  await page.keyboard.press('Enter');
  await row(page, first).filter({ hasText: 'connected' }).waitFor();
});

inBrowser('a key means what is seen when it is pressed, however soon that is', async () => {
  const broken: string[] = [];
  const { relays, inspector } = await setUp({ faults: [{ name: 'note', begin: (url) => broken.push(url) }] });
  const [, second] = relays as [FaultableRelay, FaultableRelay];
  const { page } = await open(inspector.url);
  await page.getByText('4 / 4').waitFor();
  await row(page, second).evaluate((element) => {
    const press = (key: string) => dispatchEvent(new KeyboardEvent('keydown', { key }));
    // Called before the browser does anything else.
    const observer = new MutationObserver(() => {
      if (element.getAttribute('aria-selected') !== 'true') return;
      observer.disconnect();
      press('1');
    });
    observer.observe(element, { attributes: true });
    press('ArrowDown');
  });
  await expect.poll(() => broken).toEqual([second.url]);
});

inBrowser('without leave, a page breaks nothing and steers nothing', async () => {
  const { relays, pool, inspector } = await setUp({ faults: [] });
  const { page } = await open(inspector.url);
  await page.getByText('4 / 4').waitFor();
  expect(await page.locator('button[data-fault]').count()).toBe(0);
  expect(await page.locator('button[data-send]').count()).toBe(0);
  const [first] = relays as [FaultableRelay];
  const opens = first.opens;
  await page.evaluate(
    ({ url }) =>
      new Promise<void>((resolve) => {
        const socket = new WebSocket(new URL('live', location.href.replace('http', 'ws')));
        socket.onopen = () => {
          socket.send(JSON.stringify({ type: 'recloser.break', url, fault: 'cut' }));
          for (const sessionId of ['x:0', 'x:1', 'x:2', 'x:3']) {
            socket.send(JSON.stringify({ type: 'recloser.control', sessionId, event: 'DISCONNECT' }));
          }
          socket.close();
        };
        socket.onclose = () => resolve();
      }),
    { url: first.url },
  );
  await page.getByText('4 / 4').waitFor();
  expect(Object.values(pool.status())).toEqual(Array(4).fill('connected'));
  expect(first.opens).toBe(opens);
});

inBrowser('the page says that its server is gone', async () => {
  const { inspector } = await setUp();
  const { page } = await open(inspector.url);
  await page.getByText('4 / 4').waitFor();
  await inspector.stop();
  await page.getByText('the server is gone').waitFor();
});
