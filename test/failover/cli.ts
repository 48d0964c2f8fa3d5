import { parseArgs } from 'node:util';
import { percentile } from '../../machines/policy/percentile.ts';
import { signedEvents } from '../../src/testing/index.ts';
import { RemoteRelay } from '../faults/remote-relay.ts';
import { CASES, eventsFor, type Measured, measure } from './measure.ts';

const { values } = parseArgs({
  options: { times: { type: 'string', default: '20' }, rtt: { type: 'string', default: '8,30,80' } },
});
const times = Number(values.times);

/** What has to hold, in milliseconds; of a relay that falls silent, by the round trip. Machines that are busy miss it. */
const BOUNDS = {
  worstMs: 500,
  movedMs: 50,
  silentP95Ms: new Map([
    [8, 32.5],
    [30, 120],
    [80, 352],
  ]),
} as const;
const missed: string[] = [];

const relays = await Promise.all([RemoteRelay.start(), RemoteRelay.start(), RemoteRelay.start()]);
const supply = signedEvents();
const events = Array.from({ length: eventsFor(relays.length) }, () => supply.next().value);
const column = (value: string | number): string => String(value).padStart(9);
process.stdout.write(
  `One relay of three fails ${times} times; 50 events a second, each to one relay, quorum 1. Milliseconds.\n`,
);
process.stdout.write(
  `${'round trip'.padEnd(12)}${'fault'.padEnd(18)}${['usual', 'events', 'lost', 'affected', 'p50', 'p95', 'worst', 'moved'].map(column).join('')}\n`,
);
for (const rttMs of values.rtt.split(',').map(Number)) {
  for (const fault of CASES) {
    const all: Measured[] = [];
    for (let time = 0; time < times; time += 1) all.push(await measure(relays, rttMs, fault, events));
    const affected = all.flatMap(({ affectedMs }) => affectedMs).sort((a, b) => a - b);
    const moved = all.flatMap(({ movedMs }) => movedMs ?? []);
    const lostHere = all.reduce((sum, each) => sum + each.lost, 0);
    const [worstMs, movedMs] = [Math.max(...all.map((each) => each.worstMs)), Math.max(0, ...moved)];
    const p95Ms = percentile(affected, 0.95);
    const p95Max = fault.name === 'silent' ? BOUNDS.silentP95Ms.get(rttMs) : undefined;
    const name = `${rttMs} ms, ${fault.name}`;
    if (lostHere > 0) missed.push(`${name}: ${lostHere} events were lost`);
    if (worstMs >= BOUNDS.worstMs)
      missed.push(`${name}: an event took ${worstMs.toFixed(0)} ms, not less than ${BOUNDS.worstMs}`);
    if (movedMs > BOUNDS.movedMs)
      missed.push(`${name}: work was moved after ${movedMs.toFixed(0)} ms, not ${BOUNDS.movedMs}`);
    if (p95Max !== undefined && p95Ms > p95Max) missed.push(`${name}: p95 is ${p95Ms.toFixed(0)} ms, not ${p95Max}`);
    const usual = all.flatMap(({ usualMs }) => usualMs).sort((a, b) => a - b);
    const row = [
      percentile(usual, 0.5).toFixed(0),
      all.reduce((sum, each) => sum + each.published, 0),
      lostHere,
      affected.length,
      percentile(affected, 0.5).toFixed(0),
      p95Ms.toFixed(0),
      worstMs.toFixed(0),
      moved.length === 0 ? '–' : movedMs.toFixed(1),
    ];
    process.stdout.write(`${`${rttMs} ms`.padEnd(12)}${fault.name.padEnd(18)}${row.map(column).join('')}\n`);
  }
}
await Promise.all(relays.map((relay) => relay.end()));
for (const each of missed) process.stdout.write(`missed: ${each}\n`);
process.exitCode = missed.length > 0 ? 1 : 0;
