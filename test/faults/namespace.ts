import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Verdict } from './play.ts';

const PROGRAM = fileURLToPath(new URL('./inside-namespace.ts', import.meta.url));

/** Why packets cannot be dropped here; nothing when they can. */
export function whyNoNamespace(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it needs Linux and root';
  try {
    execFileSync('unshare', ['-n', 'sh', '-c', 'ip link set lo up && iptables -L'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `it needs unshare, ip and iptables (${String(error).split('\n', 1)[0]})`;
  }
}

/** Plays the scenarios that drop packets, in a network namespace of their own. */
export async function playInNamespace(pace: 'brisk' | 'default'): Promise<readonly Verdict[]> {
  const script = `ip link set lo up && exec "$0" --import tsx "$1" "$2"`;
  const { stdout } = await promisify(execFile)('unshare', ['-n', 'sh', '-c', script, process.execPath, PROGRAM, pace], {
    maxBuffer: 2 ** 24,
  });
  return JSON.parse(stdout.slice(stdout.indexOf('['))) as Verdict[];
}
