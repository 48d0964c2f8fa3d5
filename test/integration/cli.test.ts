import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { signedEvents } from '../../src/testing/index.ts';
import { startRelays } from '../kit/relays.ts';

// What is run is what ships: the built command line.
const MAIN = new URL('../../dist/src/cli/main.js', import.meta.url).pathname;

interface Run {
  readonly process: ChildProcessWithoutNullStreams;
  readonly out: () => string;
  readonly err: () => string;
  /** The exit code. */
  readonly ended: Promise<number | null>;
  /** Settles when something has been said on stdout or stderr. */
  said(words: RegExp): Promise<RegExpExecArray>;
}

function follow(child: ChildProcessWithoutNullStreams): Run {
  let [out, err] = ['', ''];
  const looks = new Set<() => void>();
  child.stdout.on('data', (data) => {
    out += data;
    for (const look of looks) look();
  });
  child.stderr.on('data', (data) => {
    err += data;
    for (const look of looks) look();
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return {
    process: child,
    out: () => out,
    err: () => err,
    ended: once(child, 'close').then(([code]) => code),
    said: (words) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = words.exec(out) ?? words.exec(err);
          if (!found) return;
          looks.delete(look);
          resolve(found);
        };
        looks.add(look);
        look();
      }),
  };
}

const run = (...args: readonly string[]): Run => follow(spawn(process.execPath, [MAIN, ...args]));

/** The same on a terminal, by the `script` of util-linux. */
const runOnTerminal = (...args: readonly string[]): Run =>
  follow(
    spawn('script', ['-qfec', [process.execPath, MAIN, ...args].join(' '), '/dev/null'], {
      env: { ...process.env, NO_COLOR: '1' },
    }),
  );

const events = signedEvents();
const next = () => events.next().value;
const lines = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test.each([
  [['nonsense'], /There is no verb "nonsense"/],
  [['publish'], /at least one URL/],
  [['publish', 'wss://relay.test', '--quorum', 'many'], /--quorum takes a number/],
  [['publish', '/no/such/file', 'ws://127.0.0.1:9'], /no such file/],
  [['publish', 'wss://'], /URL/],
  [['watch'], /at least one URL/],
  [['watch', 'https://relay.test'], /ws/],
  [['inspect', '--port', '70000'], /--port/],
  [['bench', '--events', '0'], /--events/],
  [['demo', '--nonsense'], /nonsense/],
] as const)('%j is told to be misuse, with how to use it', async (args, problem) => {
  const { ended, err, out } = run(...args);
  expect(await ended).toBe(2);
  expect(err()).toMatch(problem);
  expect(err()).toMatch(/usage: recloser/);
  expect(out()).toBe('');
});

test('help is no misuse', async () => {
  for (const args of [[], ['--help'], ['publish', '--help']]) {
    const { ended, out } = run(...args);
    expect(await ended).toBe(0);
    expect(out()).toMatch(/usage: recloser/);
  }
});

test('events are published from a file, with a result for each line, and 0 when all were confirmed', async () => {
  const relays = await startRelays(2);
  const folder = await mkdtemp(join(tmpdir(), 'recloser-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'events.ndjson');
  const published = [next(), next(), next()];
  await writeFile(file, `${published.map((event) => JSON.stringify(event)).join('\n\n')}\n`);
  const { ended, out } = run('publish', file, ...relays.map(({ url }) => url), '--quorum', '2');
  expect(await ended).toBe(0);
  const results = lines(out()).sort((a, b) => Number(a.line) - Number(b.line));
  expect(results.map(({ id, line, status, accepted }) => [id, line, status, accepted])).toEqual(
    published.map(({ id }, index) => [id, 2 * index + 1, 'confirmed', 2]),
  );
  for (const relay of relays) expect(relay.store.events.size).toBe(3);
});

test('what is no event, or reaches no quorum, is told on its line, and the exit code is 1', async () => {
  const [relay] = await startRelays(1, { faults: { refuseWith: 'blocked: not you' } });
  const publishing = run('publish', '-', relay?.url ?? '');
  const event = next();
  publishing.process.stdin.end(`not JSON\n{"id":1}\n${JSON.stringify(event)}\n`);
  expect(await publishing.ended).toBe(1);
  const results = lines(publishing.out()).sort((a, b) => Number(a.line) - Number(b.line));
  expect(results).toMatchObject([
    { line: 1, error: { code: 'INVALID_EVENT' } },
    { line: 2, error: { code: 'INVALID_EVENT' } },
    { line: 3, id: event.id, status: 'failed', cause: 'rejected' },
  ]);
  expect(publishing.err()).toContain('3 of 3 did not reach their quorum');
});

test('relays are watched as JSON lines, until the end is asked for', async () => {
  const [relay] = await startRelays(1);
  const watching = run('watch', relay?.url ?? '');
  await watching.said(/"connected"/);
  watching.process.kill('SIGINT');
  expect(await watching.ended).toBe(0);
  const [last] = lines(watching.out()).slice(-1);
  expect(last).toMatchObject({ totalRelays: 1, relays: { [relay?.url ?? '']: { status: 'connected' } } });
  const nowhere = run('watch', 'ws://127.0.0.1:9', '--seconds', '0.5');
  expect(await nowhere.ended).toBe(1);
});

test('the page for other applications is served until the end is asked for', async () => {
  const inspecting = run('inspect');
  const [, url = ''] = await inspecting.said(/(http:\/\/127\.0\.0\.1:\d+\/\w+\/)/);
  await inspecting.said(/createWebSocketInspector\(\{ url: 'ws:\/\/127\.0\.0\.1:\d+\/\w+\/app' \}\)/);
  const page = await fetch(url);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('recloser inspector');
  inspecting.process.kill('SIGINT');
  expect(await inspecting.ended).toBe(0);
});

test('what the machine refuses is told, and is nobody’s misuse', async () => {
  const [relay] = await startRelays(1);
  const inspecting = run('inspect', '--port', new URL(relay?.url ?? '').port);
  expect(await inspecting.ended).toBe(1);
  expect(inspecting.err()).toContain('is taken');
  expect(inspecting.err()).not.toContain('usage');
});

test('the demonstration runs headless, and says what became of every event', async () => {
  const demonstrating = run('demo', '--headless', '3s');
  expect(await demonstrating.ended).toBe(0);
  expect(demonstrating.out()).toMatch(/^kept {13}what was accepted is confirmed$/m);
  // What is said on the way is no result.
  expect(demonstrating.out()).not.toContain('open');
  expect(demonstrating.err()).toContain('open');
  expect(demonstrating.out()).toMatch(/lost {13}0/);
  expect(demonstrating.out()).toMatch(/confirmed {8}150/);
});

test('on a terminal the demonstration prints its page, takes keys, and ends with q', async () => {
  const demonstrating = runOnTerminal('demo');
  const [, url = ''] = await demonstrating.said(/(http:\/\/127\.0\.0\.1:\d+\/\w+\/)/);
  expect((await fetch(url)).status).toBe(200);
  await demonstrating.said(/● connected/);
  demonstrating.process.stdin.write('\u001b[B4');
  // Broken by hand: the plan is put aside.
  await demonstrating.said(/by hand/);
  await demonstrating.said(/backoff|open-circuit/);
  // What waits for it is finished nevertheless.
  demonstrating.process.stdin.write('q');
  expect(await demonstrating.ended).toBe(0);
  expect(demonstrating.out()).toMatch(/lost {13}0/);
});

test('whoever reads may leave', async () => {
  const [relay] = await startRelays(1);
  const watching = run('watch', relay?.url ?? '');
  await watching.said(/"connected"/);
  watching.process.stdout.destroy();
  expect(await watching.ended).toBe(1);
});
