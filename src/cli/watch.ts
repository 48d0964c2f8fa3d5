import { parseArgs } from 'node:util';
import { RecloserError } from '../../machines/policy/error.ts';
import { systemClock } from '../clock.ts';
import { createPool, type Pool } from '../pool/create-pool.ts';
import type { PoolMetrics } from '../pool/metrics.ts';
import { interrupted, numberOf, TYPED, type Verb } from './arguments.ts';
import { hasColours, isTerminal, onKeys, printEvery, redraw } from './display.ts';
import { relayTable } from './table.ts';

/** The state of a pool as one JSON text. */
function line({ relays, ...pool }: PoolMetrics): string {
  const each = Object.entries(relays).map(([url, { connections: _connections, faults: _faults, ...relay }]) => [
    url,
    relay,
  ]);
  return JSON.stringify({ at: Math.round(systemClock.now()), ...pool, relays: Object.fromEntries(each) });
}

function show(pool: Pool, asJson: boolean): () => void {
  if (asJson) return printEvery(() => line(pool.metrics()));
  return redraw(() => relayTable(pool.metrics(), systemClock.now(), hasColours()), 250);
}

export const watch: Verb = {
  usage: `watch URL… [--json] [--seconds N]
    Keeps connected to the relays and shows how they are: a table on a terminal, and elsewhere, or with --json, one JSON
    text a second. Ends with q, Ctrl-C or after so many seconds; exits with 1 if none could be reached at the end.`,
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { json: { type: 'boolean' }, seconds: { type: 'string' } },
    });
    if (positionals.length === 0) throw new RecloserError('NO_RELAYS', 'Give at least one URL of a relay.');
    const forMs = numberOf('seconds', values.seconds, 86_400) * 1_000;
    const pool = createPool({ relays: positionals, trust: TYPED });
    const stop = show(pool, values.json === true || !isTerminal());
    let stopKeys = (): void => {};
    await Promise.race([
      interrupted(),
      new Promise<void>((resolve) => {
        setTimeout(resolve, forMs).unref();
        stopKeys = onKeys((key) => {
          if (key === 'q') resolve();
        });
      }),
    ]);
    stop();
    stopKeys();
    const { activeConnections } = pool.metrics();
    await pool.close();
    return activeConnections > 0 ? 0 : 1;
  },
};
