// Takes the README's pictures: the page over the demonstration's relays, after a minute of its faults, in both themes.
import { chromium } from 'playwright-core';
import { playFaults, SCRIPT_MS } from '../../dist/src/cli/fault-script.js';
import { LocalRelays } from '../../dist/src/cli/local-relays.js';
import { Publisher } from '../../dist/src/cli/publisher.js';
import { createPool } from '../../dist/src/index.js';
import { createInspector } from '../../dist/src/inspect/index.js';

const PER_SECOND = 40;
const MINUTE = 60_000;

const relays = await LocalRelays.start(5);
for (const [index, relay] of relays.all.entries()) relay.set({ delayMs: 8 + 9 * index });
const pool = createPool({
  relays: relays.urls,
  connectTimeoutMs: 1_000,
  stableMs: 1_000,
  reconnect: { initialDelayMs: 300, maxDelayMs: 4_000, minDelayMs: 100, relaxation: 1 },
  breaker: { openMs: 2_000, openMaxMs: 4_000, halfOpenTimeoutMs: 1_000, failureThreshold: 3 },
  publish: { ackTimeoutMs: 400, resendDelayMs: 100 },
  trust: { allowPrivate: true },
});
const publisher = new Publisher(pool, 2, (id) => relays.stored.has(id));
const inspector = await createInspector({
  pool,
  name: 'recloser demo',
  history: true,
  control: true,
  lost: () => publisher.lost,
  faults: ['cut', '+400 ms', 'swallow answers', 'refuse', 'flap', 'heal'].map((name) => ({ name, begin: () => {} })),
});
const ending = new AbortController();
const publishing = publisher.publishFor(PER_SECOND, 10 * MINUTE, ending.signal);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
const page = await browser.newPage({ viewport: { width: 1456, height: 940 } });
await page.goto(inspector.url);
let stopFaults = playFaults(relays.all, () => {});
const repeating = setInterval(() => {
  stopFaults = playFaults(relays.all, () => {});
}, SCRIPT_MS);
// In the third round, while the fourth relay refuses, when there is more than a minute to see.
await page.waitForTimeout(2 * SCRIPT_MS + 14_500);
await page.locator(`tr[data-relay="${relays.urls[3]}"]`).click();
// What is lit fades in.
await page.waitForTimeout(600);
for (const theme of ['light', 'dark']) {
  await page.screenshot({ path: new URL(`../../visualizations/page-${theme}.png`, import.meta.url).pathname });
  await page.getByRole('button', { name: 'theme' }).click();
  await page.waitForTimeout(600);
}
ending.abort();
clearInterval(repeating);
stopFaults();
await publishing;
await browser.close();
await inspector.stop();
await pool.close({ drainMs: 0 });
await relays.stop();
