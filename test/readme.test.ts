import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, onTestFinished, test } from 'vitest';
import * as xstate from 'xstate';
import * as outboxLevel from '../src/delivery/outbox/level-outbox.ts';
import * as recloser from '../src/index.ts';
import * as inspect from '../src/inspect/index.ts';
import * as testing from '../src/testing/index.ts';
import { startRelays } from './kit/relays.ts';

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');

const MODULES: Readonly<Record<string, unknown>> = {
  recloser,
  'recloser/inspect': inspect,
  'recloser/testing': testing,
  'recloser/outbox-level': outboxLevel,
  xstate,
};

/** Runs an example as it stands, over relays on this machine in place of those that it names. */
async function run(
  example: string,
  scope: Readonly<Record<string, unknown>>,
  stored: readonly recloser.NostrEvent[] = [],
): Promise<unknown[][]> {
  const relays = await startRelays(3);
  for (const event of stored) for (const relay of relays) relay.publish(event);
  const folder = await mkdtemp(join(tmpdir(), 'recloser-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const urls = ['wss://relay.one', 'wss://relay.two', 'wss://relay.three'];
  const local = urls.reduce((text, url, index) => text.replaceAll(url, relays[index]?.url ?? ''), example);
  const trusting = local
    .replaceAll("'./outbox'", JSON.stringify(join(folder, 'outbox')))
    .replaceAll("'./recordings'", JSON.stringify(join(folder, 'recordings')))
    .replaceAll(
      /createPool\(\{ relays: (\[[^\]]*\])((?:, [^}]*[^} ])?) \}\)/g,
      'createPool({ relays: $1$2, trust: { allowPrivate: true } })',
    )
    .replaceAll(
      /input: \{ relays: (\[[^\]]*\]) \}/g,
      'input: { relays: $1, options: { trust: { allowPrivate: true } } }',
    );
  const bodies = trusting.replaceAll(/^import \{ ([^}]+) \} from '([^']+)';.*$/gm, "const { $1 } = modules['$2'];");
  const { outputText, diagnostics } = ts.transpileModule(bodies, {
    reportDiagnostics: true,
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
  });
  expect(diagnostics).toEqual([]);
  const printed: unknown[][] = [];
  const names = ['modules', 'console', 'keep', ...Object.keys(scope)];
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
  const kept: { stop?: () => void }[] = [];
  onTestFinished(() => {
    for (const each of kept) each.stop?.();
  });
  const program = AsyncFunction(...names, `${outputText}\nif (typeof actor !== 'undefined') keep(actor);`);
  await program(
    MODULES,
    { log: (...words: unknown[]) => printed.push(words) },
    (each: object) => kept.push(each),
    ...Object.values(scope),
  );
  if (kept[0])
    await new Promise<void>((resolve) =>
      (kept[0] as unknown as recloser.PoolActor).on('publication.confirmed', () => resolve()),
    );
  return printed;
}

test('every example of the README runs as it stands', async () => {
  expect(examples).toHaveLength(7);
  const [publishing = '', subscribing = '', keeping = '', going = '', actors = '', watching = '', faults = ''] =
    examples;
  const event = testing.signedEvents().next().value;
  const printed = await run(publishing, { event });
  expect(printed[0]?.[0]).toBe('confirmed');
  expect(Object.values(printed[1]?.[0] as object).map(({ status }) => status)).toEqual(Array(3).fill('accepted'));
  const read = await run(subscribing, {}, [event]);
  expect(read).toContainEqual([event.id, expect.any(String), true]);
  expect(read.at(-1)).toEqual([1, true, event]);
  expect(await run(keeping, { event })).toEqual([['power-loss']]);
  expect(await run(going, {})).toEqual([[expect.any(Array)]]);
  const heard = await run(actors, { event });
  expect(heard).toEqual([[event.id, expect.any(Number)]]);
  const watched = await run(watching, { event });
  expect(watched[0]?.[0]).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\/$/);
  expect(watched[1]?.[0]).toMatch(/recloser-.*\.json$/);
  await run(faults, { event });
});

test('the README names only commands and files that exist', async () => {
  const { scripts } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  const named = [...readme.matchAll(/`npm run ([a-z:]+)`/g)].map((match) => match[1] ?? '');
  expect(named.length).toBeGreaterThan(1);
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
  const files = [...readme.matchAll(/`(test\/[\w./-]+\.ts)`/g)].map((match) => match[1] ?? '');
  for (const file of files) await readFile(new URL(`../${file}`, import.meta.url));
  expect(files.length).toBeGreaterThan(5);
});
