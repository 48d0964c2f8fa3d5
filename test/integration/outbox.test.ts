import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { createLevelOutbox } from 'recloser/outbox-level';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createPool, type Outbox } from '../../src/index.ts';
import { FaultableRelay, signedEvents } from '../../src/testing/index.ts';
import { QUICK } from '../kit/relays.ts';

const PROGRAM = fileURLToPath(new URL('crash-process.mjs', import.meta.url));
const KILLS = 200;

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'recloser-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What processes said, and whether any said what it must not. */
class Testimony {
  readonly accepted = new Set<string>();
  readonly confirmed = new Map<string, number>();
  readonly failed = new Set<string>();

  hear(line: string): void {
    const [what, id = ''] = line.split(' ');
    if (what === 'accepted') this.accepted.add(id);
    if (what === 'confirmed') this.confirmed.set(id, (this.confirmed.get(id) ?? 0) + 1);
    if (what === 'failed') this.failed.add(id);
  }
}

/** A process that publishes, or works off what others have left. */
async function run(
  work: 'publish' | 'finish',
  folder: string,
  urls: readonly string[],
  testimony: Testimony,
  killAfterMs?: number,
): Promise<void> {
  const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
  const child: ChildProcessByStdio<null, Readable, null> = spawn(process.execPath, [PROGRAM, folder, work, ...urls], {
    stdio,
  });
  const closed = once(child, 'close');
  const lines = createInterface({ input: child.stdout });
  let isDoomed = killAfterMs === undefined;
  lines.on('line', (line) => {
    testimony.hear(line);
    if (isDoomed) return;
    isDoomed = true;
    setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  });
  await closed;
}

test(`of a process that is killed ${KILLS} times, everything that it accepted reaches its quorum, and is confirmed once`, async () => {
  // Slow enough that much is open whenever it is killed; and one of three is silent now and then.
  const relays = await Promise.all(
    Array.from({ length: 3 }, (_, index) =>
      FaultableRelay.start({ verify: false, faults: { delayMs: 5 + 10 * index } }),
    ),
  );
  onTestFinished(async () => {
    await Promise.all(relays.map((relay) => relay.stop()));
  });
  const urls = relays.map(({ url }) => url);
  const totals = { accepted: 0, confirmed: 0, open: 0 };
  const kill = async (folder: string, times: number): Promise<void> => {
    const testimony = new Testimony();
    for (let kills = 0; kills < times; kills += 1) {
      relays[kills % 3]?.set({ silent: kills % 5 === 0 });
      await run('publish', folder, urls, testimony, Math.random() * 60);
      totals.open += testimony.accepted.size - testimony.confirmed.size;
    }
    for (const relay of relays) relay.set({ silent: false });
    await run('finish', folder, urls, testimony);
    const missing = [...testimony.accepted].filter(
      (id) => relays.filter(({ store }) => store.events.has(id)).length < 2,
    );
    expect(missing).toEqual([]);
    expect([...testimony.confirmed.entries()].filter(([, times]) => times > 1)).toEqual([]);
    expect([...testimony.failed]).toEqual([]);
    totals.accepted += testimony.accepted.size;
    totals.confirmed += testimony.confirmed.size;
  };
  const folder = temporaryFolder();
  await Promise.all(['a', 'b'].map((name) => kill(join(folder, name), KILLS / 2)));
  console.log(
    `${KILLS} kills: ${totals.accepted} accepted, ${totals.confirmed} told as confirmed, ${Math.round(totals.open / KILLS)} open at a kill`,
  );
  expect(totals.accepted).toBeGreaterThan(KILLS);
  expect(totals.open).toBeGreaterThan(KILLS);
  // Two hundred processes take their time on a busy machine.
}, 300_000);

test('a disk is asked to be sure once for all that is published at one time', async ({ skip }) => {
  const folder = temporaryFolder();
  const program = `
    import { createLevelOutbox } from ${JSON.stringify(new URL('../../dist/src/delivery/outbox/level-outbox.js', import.meta.url).href)};
    const outbox = createLevelOutbox(process.argv[1]);
    const item = (id) => ({ id: String(id), body: 'x'.repeat(500), priority: 'normal' });
    await outbox.enqueue([item('first')]);
    if (process.argv[2] === 'together') await Promise.all(Array.from({ length: 100 }, (_, id) => outbox.enqueue([item(id)])));
    else for (let id = 0; id < 100; id += 1) await outbox.enqueue([item(id)]);
    await outbox.close();`;
  const synced = (how: string): number => {
    const trace = join(folder, `${how}.trace`);
    const command = [process.execPath, '--input-type=module', '-e', program, join(folder, how), how];
    execFileSync('strace', ['-f', '-e', 'trace=fsync,fdatasync', '-o', trace, ...command], { stdio: 'pipe' });
    return readFileSync(trace, 'utf8').match(/fdatasync\(|fsync\(/g)?.length ?? 0;
  };
  try {
    execFileSync('strace', ['-V'], { stdio: 'pipe' });
  } catch {
    if (!process.env.CI) return skip();
    throw new Error('strace is missing, which counts the synchronous writes');
  }
  const [together, alone] = [synced('together'), synced('alone')];
  console.log(`100 publishes: ${together} synchronous writes together, ${alone} one after the other`);
  expect(together).toBeLessThan(12);
  expect(alone).toBeGreaterThanOrEqual(100);
});

describe('on a full disk', () => {
  const mounted = (): string | undefined => {
    const folder = mkdtempSync(join(tmpdir(), 'recloser-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder], { stdio: 'pipe' });
    } catch {
      rmSync(folder, { recursive: true, force: true });
      return undefined;
    }
    onTestFinished(() => {
      execFileSync('umount', [folder]);
      rmSync(folder, { recursive: true, force: true });
    });
    return folder;
  };

  test('what is published is refused at the door, and what was accepted is still delivered; with room, all is well', async ({
    skip,
  }) => {
    const folder = mounted();
    if (folder === undefined) return skip();
    const relay = await FaultableRelay.start({ verify: false });
    onTestFinished(() => relay.stop());
    const outbox: Outbox = createLevelOutbox(join(folder, 'outbox'));
    const pool = createPool({ ...QUICK, relays: [relay.url], outbox, trust: { allowPrivate: true } });
    onTestFinished(async () => {
      await pool.close({ drainMs: 0 });
      await outbox.close();
    });
    const events = signedEvents('x'.repeat(20_000));
    relay.set({ silent: true });
    const kept = events.next().value;
    const delivered = pool.publish(kept);
    while ((await outbox.stats()).leased === 0) await new Promise((resolve) => setImmediate(resolve));
    const filler = join(folder, 'filler');
    try {
      writeFileSync(filler, Buffer.alloc(16 * 1024 * 1024));
    } catch {
      // As much as there is room for.
    }
    let refused: string | undefined;
    for (let tries = 0; tries < 500 && refused === undefined; tries += 1) {
      const receipt = await pool.publish(events.next().value, { until: 'first', timeoutMs: 20 });
      if (receipt.status === 'refused') refused = receipt.cause;
    }
    expect(refused).toBe('not-kept');
    relay.set({ silent: false });
    expect(await delivered).toMatchObject({ status: 'confirmed' });
    rmSync(filler);
    let receipt = await pool.publish(events.next().value);
    for (let tries = 0; tries < 5 && receipt.status === 'refused'; tries += 1) {
      receipt = await pool.publish(events.next().value);
    }
    expect(receipt).toMatchObject({ status: 'confirmed', durability: 'power-loss' });
    expect(relay.store.events.has(kept.id)).toBe(true);
  });
});
