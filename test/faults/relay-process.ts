import type { NostrEvent } from '../../src/index.ts';
import { FaultableRelay, type RelayFaults } from '../../src/testing/index.ts';

/** What a relay in a process of its own can be asked to do, and what it answers. */
export interface RelayCommands {
  /** Starts to listen, on the port that it had or on any; answers the URL. */
  listen(port?: number): string;
  stop(): void;
  set(faults: Partial<RelayFaults>): void;
  heal(): void;
  /** No faults, no events, no counts. */
  reset(): void;
  cut(): void;
  close(code: number): void;
  send(frame: string): void;
  /** Sends a text of so many bytes. */
  sendLarge(bytes: number): void;
  sendMany(frame: string, times: number): void;
  sendAll(frames: readonly string[]): void;
  /** Stores an event as if somebody had published it there, and gives it to whoever subscribed. */
  put(event: NostrEvent): void;
  /** Closes every subscription with these words. */
  closeSubscriptions(text: string): void;
  report(): RelayReport;
}

/** What a relay has seen. */
export interface RelayReport {
  readonly stored: readonly string[];
  /** Ids of the published events that arrived, in order, also those that were refused. */
  readonly published: readonly string[];
  /** Requests that arrived (REQ and COUNT), in order, as they were. */
  readonly requests: readonly string[];
  /** Subscriptions that are open. */
  readonly subscriptions: number;
  readonly dials: number;
  /** Milliseconds since the epoch of each of them. */
  readonly dialledAt: readonly number[];
  readonly open: number;
  readonly openMost: number;
}

let relay = new FaultableRelay();
let published: string[] = [];
let dialledAt: number[] = [];
let requests: string[] = [];

function create(port: number): FaultableRelay {
  const made = new FaultableRelay({ port });
  made.events.on('connection', () => dialledAt.push(Date.now()));
  made.events.on('frame', (frame) => {
    const id = /^\["EVENT",\{"id":"([0-9a-f]{64})"/.exec(frame)?.[1] ?? idOf(frame);
    if (id !== undefined) published.push(id);
    // A probe is no request of the application.
    else if (/^\["(REQ|COUNT)","(?!probe-)/.test(frame)) requests.push(frame);
  });
  return made;
}

/** The id of a published event, wherever in it that stands. */
function idOf(frame: string): string | undefined {
  if (!frame.startsWith('["EVENT"')) return undefined;
  return /"id":"([0-9a-f]{64})"/.exec(frame)?.[1];
}

const commands: { readonly [Name in keyof RelayCommands]: (...given: Parameters<RelayCommands[Name]>) => unknown } = {
  async listen(port = 0) {
    if (!relay.isListening) {
      if (port !== 0) relay = create(port);
      await relay.listen();
    }
    return relay.url;
  },
  stop: () => relay.stop(),
  set: (faults) => relay.set(faults),
  heal: () => relay.heal(),
  reset() {
    relay.heal();
    relay.store.events.clear();
    relay.dials = 0;
    relay.openMost = relay.open;
    published = [];
    dialledAt = [];
    requests = [];
  },
  cut: () => relay.cut(),
  close: (code) => relay.close(code),
  send: (frame) => relay.send(frame),
  sendLarge: (bytes) => relay.send(JSON.stringify(['NOTICE', 'x'.repeat(bytes)])),
  sendMany(frame, times) {
    for (let count = 0; count < times; count += 1) relay.send(frame);
  },
  sendAll(frames) {
    for (const frame of frames) relay.send(frame);
  },
  put: (event) => relay.publish(event),
  closeSubscriptions: (text) => relay.closeSubscriptions(text),
  report: (): RelayReport => ({
    stored: [...relay.store.events.keys()],
    published,
    requests,
    subscriptions: relay.subscriptions,
    dials: relay.dials,
    dialledAt,
    open: relay.open,
    openMost: relay.openMost,
  }),
};

relay = create(0);
process.on('message', async ({ id, name, given }: { id: number; name: keyof RelayCommands; given: never[] }) => {
  const result = await (commands[name] as (...args: never[]) => unknown)(...given);
  process.send?.({ id, result });
});
process.on('disconnect', () => process.exit());
