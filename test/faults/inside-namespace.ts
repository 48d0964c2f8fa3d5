import { BRISK_PACE, DEFAULT_PACE } from './pace.ts';
import { play, recloser, type Verdict } from './play.ts';
import { RemoteRelay } from './remote-relay.ts';
import { SCENARIOS } from './scenarios/index.ts';

const pace = process.argv[2] === 'default' ? DEFAULT_PACE : BRISK_PACE;
const relays = [await RemoteRelay.start(), await RemoteRelay.start(), await RemoteRelay.start()] as const;
const verdicts: Verdict[] = [];
for (const scenario of SCENARIOS) {
  if (scenario.needs === 'iptables') verdicts.push(await play(scenario, relays, recloser(pace), pace));
}
await Promise.all(relays.map((relay) => relay.end()));
process.stdout.write(JSON.stringify(verdicts));
