import { fork } from 'node:child_process';
import { once } from 'node:events';

const CONNECTIONS = 1_000;
const SECONDS = 10;
/** Milliseconds between two checks of one connection, and one that is never. */
const HEARTBEAT_MS = 2_000;
const NEVER_MS = 100_000;
const ROUNDS = 3;

interface Result {
  /** Bytes of heap and buffers per connection. */
  readonly bytes: number;
  /** Checks that were answered, and milliseconds of CPU meanwhile. */
  readonly checks: number;
  readonly cpuMs: number;
}

const relay = fork(new URL('./relay-process.mjs', import.meta.url));
const [{ url }] = (await once(relay, 'message')) as [{ url: string }];

async function measure(contender: string, heartbeatMs: number): Promise<Result> {
  const given = [contender, url, CONNECTIONS, SECONDS, heartbeatMs].map(String);
  const child = fork(new URL('./connections-process.mjs', import.meta.url), given, { execArgv: ['--expose-gc'] });
  const [result] = (await once(child, 'message')) as [Result];
  child.kill();
  return result;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const bytes: Record<string, number[]> = { bare: [], recloser: [] };
const checkMs: Record<string, number[]> = { bare: [], recloser: [] };
for (let round = 0; round < ROUNDS; round += 1) {
  for (const contender of ['bare', 'recloser']) {
    const idle = await measure(contender, NEVER_MS);
    const checked = await measure(contender, HEARTBEAT_MS);
    bytes[contender]?.push(idle.bytes);
    // What an idle process takes is no part of the checks.
    checkMs[contender]?.push(Math.max(0, checked.cpuMs - idle.cpuMs) / checked.checks);
  }
}
relay.kill();

const [bareKb, ourKb] = [median(bytes.bare ?? []) / 1024, median(bytes.recloser ?? []) / 1024];
const [bareMs, ourMs] = [median(checkMs.bare ?? []), median(checkMs.recloser ?? [])];
process.stdout.write(
  `${CONNECTIONS} idle connections in one process, median of ${ROUNDS} rounds\n` +
    `memory of one:  bare ws ${bareKb.toFixed(1)} KiB  recloser ${ourKb.toFixed(1)} KiB  ratio ${(ourKb / bareKb).toFixed(2)}\n` +
    `CPU of a health check:  bare ws ${bareMs.toFixed(3)} ms  recloser ${ourMs.toFixed(3)} ms  ratio ${(ourMs / bareMs).toFixed(2)}\n`,
);
