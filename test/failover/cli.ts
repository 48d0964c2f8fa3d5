import { parseArgs } from 'node:util';
import { percentile } from '../../machines/policy/percentile.ts';
import { signedEvents } from '../../src/testing/index.ts';
import { RemoteRelay } from '../faults/remote-relay.ts';
import { CASES, type Measured, measure } from './measure.ts';

const { values } = parseArgs({
  options: { times: { type: 'string', default: '20' }, rtt: { type: 'string', default: '8,30,80' } },
});
const times = Number(values.times);

const relays = await Promise.all([RemoteRelay.start(), RemoteRelay.start(), RemoteRelay.start()]);
const events = signedEvents();
const column = (value: string | number): string => String(value).padStart(9);
process.stdout.write(
  `One relay of three fails ${times} times; 50 events a second, each to one relay, quorum 1. Milliseconds.\n`,
);
process.stdout.write(
  `${'round trip'.padEnd(12)}${'fault'.padEnd(18)}${['events', 'lost', 'affected', 'p50', 'p95', 'worst', 'moved'].map(column).join('')}\n`,
);
let lost = 0;
for (const rttMs of values.rtt.split(',').map(Number)) {
  for (const fault of CASES) {
    const all: Measured[] = [];
    for (let time = 0; time < times; time += 1) all.push(await measure(relays, rttMs, fault, events));
    const affected = all.flatMap(({ affectedMs }) => affectedMs).sort((a, b) => a - b);
    const moved = all.flatMap(({ movedMs }) => movedMs ?? []);
    const lostHere = all.reduce((sum, each) => sum + each.lost, 0);
    lost += lostHere;
    const row = [
      all.reduce((sum, each) => sum + each.published, 0),
      lostHere,
      affected.length,
      percentile(affected, 0.5).toFixed(0),
      percentile(affected, 0.95).toFixed(0),
      Math.max(...all.map(({ worstMs }) => worstMs)).toFixed(0),
      moved.length === 0 ? '–' : Math.max(...moved).toFixed(1),
    ];
    process.stdout.write(`${`${rttMs} ms`.padEnd(12)}${fault.name.padEnd(18)}${row.map(column).join('')}\n`);
  }
}
await Promise.all(relays.map((relay) => relay.end()));
process.exitCode = lost > 0 ? 1 : 0;
