import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createLevelOutbox } from '../../dist/src/delivery/outbox/level-outbox.js';

const USAGE = `usage: npm run powercut -- [--times N]

Cuts the power of a machine that writes to an outbox: the image of its disk is copied in one moment, without anything that
was only in memory, and opened again. Everything that had been accepted must be there. A quarter as often it is done without
synchronous writes, and something must be missing. Needs root, and btrfs-progs.`;

const WRITER = fileURLToPath(new URL('writer.mjs', import.meta.url));
const sh = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });

/** A folder that is mounted until it is let go. */
function mounted(folder: string, ...args: readonly string[]): () => void {
  mkdirSync(folder, { recursive: true });
  sh('mount', ...args, folder);
  return () => sh('umount', folder);
}

/** Lines that a process has said by now. */
function listen(child: ChildProcess, into: Set<string>): void {
  let rest = '';
  child.stdout?.on('data', (data: Buffer) => {
    const lines = (rest + data.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) into.add(line);
  });
}

async function idsIn(folder: string): Promise<{ ids: Set<string>; damaged: number }> {
  const outbox = createLevelOutbox(folder);
  const ids = new Set<string>();
  const stopping = new AbortController();
  const { waiting, damaged } = await outbox.stats();
  if (waiting > 0) {
    for await (const { id } of outbox.lease({ window: Number.MAX_SAFE_INTEGER, signal: stopping.signal })) {
      ids.add(id);
      if (ids.size === waiting) stopping.abort();
    }
  }
  await outbox.close();
  return { ids, damaged };
}

interface Cut {
  readonly accepted: number;
  readonly lost: number;
  readonly damaged: number;
}

async function cutOnce(work: string, cut: number, isControl: boolean): Promise<Cut> {
  const image = join(work, 'disk.img');
  const snapshot = join(work, 'snapshot.img');
  for (const file of [image, snapshot]) rmSync(file, { force: true });
  sh('truncate', '-s', '64M', image);
  sh('mkfs.ext4', '-q', '-F', image);
  const unmount = mounted(join(work, 'disk'), '-o', 'loop', image);
  const child = spawn(
    process.execPath,
    [WRITER, join(work, 'disk', 'outbox'), `cut${cut}`, ...(isControl ? ['control'] : [])],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const said = new Set<string>();
  listen(child, said);
  await new Promise((resolve) => {
    setTimeout(resolve, 400 + Math.random() * 800);
  });
  // What was said by now was accepted before the power is cut.
  const accepted = new Set(said);
  sh('cp', '--reflink=always', image, snapshot);
  child.kill('SIGKILL');
  await once(child, 'close');
  unmount();
  const release = mounted(join(work, 'after'), '-o', 'loop', snapshot);
  try {
    const { ids, damaged } = await idsIn(join(work, 'after', 'outbox'));
    return { accepted: accepted.size, lost: [...accepted].filter((id) => !ids.has(id)).length, damaged };
  } catch (error) {
    if (!isControl) process.stdout.write(`cut ${cut}: ${error instanceof Error ? error.message : String(error)}\n`);
    return { accepted: accepted.size, lost: accepted.size, damaged: 0 };
  } finally {
    release();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { times: { type: 'string' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const times = Number(values.times ?? 40);
  if (!(times >= 1)) throw new Error('--times takes a number from 1.');
  const folder = mkdtempSync(join(tmpdir(), 'powercut-'));
  const outer = join(folder, 'outer.img');
  const work = join(folder, 'work');
  sh('truncate', '-s', '2G', outer);
  sh('mkfs.btrfs', '-q', outer);
  const unmount = mounted(work, '-o', 'loop', outer);
  const cutAll = async (count: number, isControl: boolean): Promise<Cut & { cutsWithLoss: number }> => {
    const total = { accepted: 0, lost: 0, damaged: 0, cutsWithLoss: 0 };
    for (let cut = 1; cut <= count; cut += 1) {
      const { accepted, lost, damaged } = await cutOnce(work, cut, isControl);
      total.accepted += accepted;
      total.lost += lost;
      total.damaged += damaged;
      if (lost > 0) total.cutsWithLoss += 1;
    }
    const { accepted, lost, cutsWithLoss, damaged } = total;
    process.stdout.write(
      `${count} power cuts${isControl ? ' without synchronous writes' : ''}: ${accepted} accepted, ${lost} lost in ${cutsWithLoss} cuts, ${damaged} damaged records\n`,
    );
    return total;
  };
  try {
    const total = await cutAll(times, false);
    const control = await cutAll(Math.ceil(times / 4), true);
    return total.accepted > 0 && total.lost === 0 && control.lost > 0 ? 0 : 1;
  } finally {
    for (const name of ['disk', 'after']) {
      const mount = join(work, name);
      if (existsSync(join(mount, 'lost+found'))) sh('umount', '-l', mount);
    }
    unmount();
    rmSync(folder, { recursive: true, force: true });
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`);
    process.exitCode = 2;
  },
);
