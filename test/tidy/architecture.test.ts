import { expect, test } from 'vitest';
import * as machines from '../../machines/index.ts';
import * as recloser from '../../src/index.ts';
import * as inspectBrowser from '../../src/inspect/index.browser.ts';
import * as inspect from '../../src/inspect/index.ts';
import * as react from '../../src/react/index.ts';
import * as testing from '../../src/testing/index.ts';
import { circles, eventNameProblems, importProblems, type SourceFile, sourceFiles, worldProblems } from './rules.ts';

const root = new URL('../..', import.meta.url).pathname;
const files = sourceFiles(root, ['machines', 'src', 'visualizations']);
const within = (folder: string): readonly SourceFile[] => files.filter(({ path }) => path.startsWith(folder));

test('everybody imports only whom they may', () => {
  expect(files.length).toBeGreaterThan(60);
  expect(importProblems(files)).toEqual([]);
});

test.each([
  ['machines/policy/bad.ts', "import { assign } from 'xstate';"],
  ['machines/relay/bad.ts', "import { x } from '../pool/pool.context.ts';"],
  ['machines/delivery/bad.ts', "import fs from 'node:fs';"],
  ['machines/table.ts', "import { x } from './relay/relay.machine.ts';"],
  ['src/transport/bad.ts', "import { x } from '../pool/facts.ts';"],
  ['src/health/bad.ts', "import { x } from '../delivery/lane.ts';"],
  ['src/delivery/bad.ts', "import { x } from '../pool/facts.ts';"],
  ['src/pool/bad.ts', "import { x } from '../testing/random.ts';"],
  ['src/index.ts', "export { x } from './testing/index.ts';"],
  ['src/elsewhere/bad.ts', ''],
])('a forbidden import in %s is found', (path, text) => {
  expect(importProblems([{ path, text }])).toHaveLength(1);
});

test('nobody imports in a circle', () => {
  expect(circles(files)).toEqual([]);
});

test('a circle is found', () => {
  const planted = [
    { path: 'src/a.ts', text: "import { b } from './b.ts';" },
    { path: 'src/b.ts', text: "import type { a } from './a.ts';" },
  ];
  expect(circles(planted)).toEqual(['src/a.ts -> src/b.ts -> src/a.ts']);
});

test('machines take neither time nor chance from the world', () => {
  expect(worldProblems(within('machines/'))).toEqual([]);
});

test.each(['const a = Date.now();', 'f(Math.random());', 'setTimeout(f, 1);', 'new Date()'])(
  '%s in machines is found',
  (text) => {
    expect(worldProblems([{ path: 'machines/relay/bad.ts', text }])).toHaveLength(1);
  },
);

test('commands shout, and facts are dotted', () => {
  const events = files.filter(({ path }) => path.endsWith('.events.ts'));
  expect(events.length).toBeGreaterThan(3);
  expect(eventNameProblems(events)).toEqual([]);
  expect(eventNameProblems([{ path: 'bad.events.ts', text: "{ type: 'socketOpened' } | { type: 'relay' }" }])).toEqual([
    'bad.events.ts: socketOpened',
    'bad.events.ts: relay',
  ]);
});

test('the doors let out what they always did; a change here is a change for users', () => {
  expect({
    recloser: Object.keys(recloser).sort(),
    'recloser/inspect': Object.keys(inspect).sort(),
    'recloser/inspect-browser': Object.keys(inspectBrowser).sort(),
    'recloser/machines': Object.keys(machines).sort(),
    'recloser/react': Object.keys(react).sort(),
    'recloser/testing': Object.keys(testing).sort(),
  }).toMatchInlineSnapshot(`
    {
      "recloser": [
        "RecloserError",
        "areFrameBytes",
        "browserNetwork",
        "createMemoryOutbox",
        "createPool",
        "nostrCodec",
        "nostrVerifier",
        "openState",
        "poolMachine",
        "providePoolMachine",
        "relayInformation",
        "systemClock",
        "textOf",
        "webSocketTransport",
      ],
      "recloser/inspect": [
        "FAILURES",
        "createInspector",
        "createRecorder",
        "observePool",
        "readRecording",
        "saveRecording",
        "watchThresholds",
      ],
      "recloser/inspect-browser": [
        "FAILURES",
        "createBrowserInspector",
        "createRecorder",
        "observePool",
        "readRecording",
        "watchThresholds",
      ],
      "recloser/machines": [
        "authMachine",
        "circuitMachine",
        "connectionMachine",
        "deliveryMachine",
        "poolMachine",
        "publicationMachine",
        "relayMachine",
        "scalingMachine",
        "subscriptionMachine",
      ],
      "recloser/react": [
        "RelaySettings",
        "RelayStatus",
        "usePoolStatus",
        "useRelayPool",
      ],
      "recloser/testing": [
        "FaultProxy",
        "FaultableRelay",
        "NO_FAULTS",
        "SimulatedHost",
        "SimulatedNetwork",
        "SimulatedRelay",
        "VirtualClock",
        "seededRandom",
        "signedEvents",
      ],
    }
  `);
});
