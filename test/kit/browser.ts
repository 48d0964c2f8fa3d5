import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

/** Debian's; another can be named. */
const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Milliseconds after which a test that waits for something on a page gives up. It is a deadline, not a wait. */
const DEADLINE_MS = 20_000;

const isThere = existsSync(EXECUTABLE);
let browser: Browser | undefined;
/** Pages that are open, with what they have complained of. */
const opened = new Map<Page, string[]>();

/** Gives the tests of a file a real browser. Where there is none, they are left out, and say so; not so in CI. */
export function withBrowser(): void {
  beforeAll(async () => {
    if (isThere) browser = await chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });
    else console.log(`there is no browser at ${EXECUTABLE}, so what needs one was not tried`);
  });
  afterAll(() => browser?.close());
}

export const inBrowser = (name: string, work: () => Promise<void>): void => {
  test(name, async ({ skip }) => {
    if (!isThere && !process.env.CI) skip();
    expect(isThere, `a browser at ${EXECUTABLE}`).toBe(true);
    try {
      await work();
    } catch (error) {
      for (const [page, complaints] of opened) {
        console.log(`${page.url()} complains of:\n${complaints.join('\n')}`);
        for (const frame of page.frames()) {
          const words = await frame.evaluate(() => document.body.innerText.slice(0, 2_000)).catch(String);
          console.log(`${frame.url()} says:\n${words}`);
        }
      }
      throw error;
    }
  });
};

/** Whether a page has fetched something with this name. */
export const hasFetched = (page: Page, name: string): Promise<boolean> =>
  page.evaluate(
    (sought) => performance.getEntriesByType('resource').some((entry) => entry.name.includes(sought)),
    name,
  );

export interface Opened {
  readonly page: Page;
  /** Errors and warnings of its console, and what was thrown. */
  readonly complaints: readonly string[];
}

/** Opens a page in a context of its own, which ends with the test. */
export async function open(url: string, options: BrowserContextOptions = {}): Promise<Opened> {
  if (!browser) throw new Error('There is no browser; call withBrowser.');
  const context = await browser.newContext({ viewport: { width: 1456, height: 900 }, ...options });
  context.setDefaultTimeout(DEADLINE_MS);
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  opened.set(page, complaints);
  page.on('close', () => opened.delete(page));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(url);
  return { page, complaints };
}
