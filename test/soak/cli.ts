import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { percentile } from '../../machines/policy/percentile.ts';
import { createPool, type NostrEvent, type Receipt } from '../../src/index.ts';
import type { RelaysAnswer, RelaysCommand } from './relays.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: 'soak' }, relays: { type: 'string', default: '30' } },
});
const minutes = Number(positionals[0] ?? 10);

const PUBLISHES_PER_SECOND = 50;
const QUERIES_PER_SECOND = 5;
const SUBSCRIPTIONS = 20;
const QUORUM = 2;
/** Milliseconds within which every relay has to be connected once all is well, and everything has to have arrived. */
const RECOVERY_MS = 30_000;
const FIRST_KIND = 1_000;

const relays = fork(fileURLToPath(new URL('./relays.ts', import.meta.url)), { execArgv: ['--import', 'tsx'] });
async function ask<Answer extends RelaysAnswer>(command: RelaysCommand): Promise<Answer> {
  relays.send(command);
  const [answer] = await once(relays, 'message');
  return answer as Answer;
}
const line = (...cells: readonly (string | number)[]): void => {
  process.stdout.write(`${cells.map((cell) => String(cell).padStart(11)).join('')}\n`);
};
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(isTrue: () => boolean, withinMs: number): Promise<number | undefined> {
  const startedAt = performance.now();
  while (!isTrue()) {
    if (performance.now() - startedAt > withinMs) return undefined;
    await wait(50);
  }
  return performance.now() - startedAt;
}

const { urls } = await ask<{ readonly urls: readonly string[] }>({
  do: 'start',
  relays: Number(values.relays),
  seed: values.seed,
});
const pool = createPool({ relays: urls, trust: { allowPrivate: true }, subscriptionsMax: SUBSCRIPTIONS + 5 });
const key = generateSecretKey();
const since = Math.floor(Date.now() / 1_000);

/** How often each event was delivered. */
const delivered = new Map<string, number>();
for (let index = 0; index < SUBSCRIPTIONS; index += 1) {
  pool.subscribe(
    { kinds: [FIRST_KIND + index], since },
    { onEvent: ({ event }) => delivered.set(event.id, (delivered.get(event.id) ?? 0) + 1) },
  );
}

const confirmed = new Set<string>();
const failures = new Map<string, number>();
const latencies: number[] = [];
const open = new Set<Promise<void>>();
let published = 0;
let queries = 0;
let failedQueries = 0;

function settle({ id, status, cause }: Receipt, tookMs: number): void {
  if (status === 'confirmed') {
    confirmed.add(id);
    latencies.push(tookMs);
  } else failures.set(cause ?? status, (failures.get(cause ?? status) ?? 0) + 1);
}

function publish(): void {
  const kind = FIRST_KIND + (published % SUBSCRIPTIONS);
  const created_at = Math.floor(Date.now() / 1_000);
  published += 1;
  const event = finalizeEvent({ kind, created_at, tags: [['n', String(published)]], content: 'soak' }, key);
  const askedAt = performance.now();
  const call = pool
    .publish(event as NostrEvent, { relays: QUORUM + 1, quorum: QUORUM, timeoutMs: 300_000 })
    .then((receipt) => settle(receipt, performance.now() - askedAt))
    .finally(() => open.delete(call));
  open.add(call);
}

function query(): void {
  queries += 1;
  const kind = FIRST_KIND + (queries % SUBSCRIPTIONS);
  void pool.query({ kinds: [kind], since, limit: 10 }, { timeoutMs: 5_000 }).then(
    () => {},
    () => {
      failedQueries += 1;
    },
  );
}

const heapMb = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

process.stdout.write(
  `${urls.length} relays of which 3 to 8 are broken, ${PUBLISHES_PER_SECOND} publishes and ${QUERIES_PER_SECOND} queries a second, ${SUBSCRIPTIONS} subscriptions, ${minutes} min\n`,
);
line('minute', 'published', 'confirmed', 'open', 'p50 ms', 'p99 ms', 'delivered', 'connected', 'heap MB');
const startedAt = performance.now();
let sent = 0;
let asked = 0;
let told = 0;
while (performance.now() - startedAt < minutes * 60_000) {
  const seconds = (performance.now() - startedAt) / 1_000;
  for (; sent < seconds * PUBLISHES_PER_SECOND; sent += 1) publish();
  for (; asked < seconds * QUERIES_PER_SECOND; asked += 1) query();
  if (seconds >= 60 * (told + 1)) {
    told += 1;
    const sorted = latencies.splice(0).sort((a, b) => a - b);
    const [p50, p99] = [0.5, 0.99].map((share) => percentile(sorted, share).toFixed(0)) as [string, string];
    const connected = Object.values(pool.status()).filter((status) => status === 'connected').length;
    line(told, published, confirmed.size, open.size, p50, p99, delivered.size, connected, heapMb().toFixed(0));
  }
  await wait(10);
}

await ask({ do: 'heal' });
const isWell = (): boolean => Object.values(pool.status()).every((status) => status === 'connected');
const wellMs = await until(isWell, RECOVERY_MS);
await Promise.race([Promise.all(open), wait(RECOVERY_MS)]);
const isMissing = (id: string): boolean => !delivered.has(id);
await until(() => ![...confirmed].some(isMissing), RECOVERY_MS);
const { stored, faults } = await ask<{ readonly stored: readonly string[]; readonly faults: number }>({ do: 'report' });
const kept = new Set(stored);
const lost = [...confirmed].filter((id) => !kept.has(id)).length;
const missed = [...confirmed].filter(isMissing).length;
const doubled = [...delivered.values()].filter((times) => times > 1).length;
const failed = [...failures].map(([cause, times]) => `${times} ${cause}`).join(', ') || '0';
const unwell = Object.entries(pool.status()).filter(([, status]) => status !== 'connected');
const result: readonly (readonly [string, string | number])[] = [
  ['faults', faults],
  ['published', published],
  ['confirmed', confirmed.size],
  ['failed', failed],
  ['not settled', open.size],
  ['lost', lost],
  ['missed by subscriptions', missed],
  ['delivered twice', doubled],
  ['queries', queries],
  ['queries that threw', failedQueries],
  ['all connected after healing', wellMs === undefined ? `no: ${JSON.stringify(unwell)}` : `${wellMs.toFixed(0)} ms`],
];
for (const [name, value] of result) process.stdout.write(`${name.padEnd(29)}${value}\n`);
await pool.close({ drainMs: 0 });
relays.kill();
const isClean = lost + missed + doubled + open.size + failures.size + failedQueries === 0 && wellMs !== undefined;
process.exitCode = isClean ? 0 : 1;
