import {
  type CreatePoolOptions,
  createPool,
  type Frame,
  type NostrEvent,
  nostrCodec,
  type Received,
  type Transport,
  type Verifier,
} from '../../src/index.ts';
import { SimulatedNetwork, SimulatedRelay, seededRandom, signedEvents, VirtualClock } from '../../src/testing/index.ts';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
/** Events of these tests are as old as their clock says. */
export const BEGINNING = 1_700_000_000_000;

const [sample] = signedEvents();
if (!sample) throw new Error('There are no events.');
export const template: NostrEvent = sample;
let made = 0;

export const believing: Verifier = {
  name: 'believing',
  batchMax: 1,
  parallel: 1,
  verify: (events) => events.map(() => true),
};

/** A transport without pings, as in browsers: the question whether a relay lives is a subscription. */
export const pingless = ({ name, open }: Transport): Transport => ({
  name,
  open: (...dial) => Object.assign(open(...dial), { ping: undefined }),
});

/** A transport whose messages are handed on in another way. */
export const handingOn =
  (pass: (frame: Frame, handOn: (frame: Frame) => void) => void) =>
  ({ name, open }: Transport): Transport => ({
    name,
    open: (url, dial, handlers) =>
      open(url, dial, { ...handlers, onFrame: (frame) => pass(frame, (each) => handlers.onFrame(each)) }),
  });

/** A whole pool on a clock that stands still, over simulated relays; `changed` is what it has of their transport. */
export function readingWorld(
  count: number,
  options: CreatePoolOptions = {},
  changed: (transport: Transport, clock: VirtualClock) => Transport = (transport) => transport,
) {
  const clock = new VirtualClock(BEGINNING);
  const network = new SimulatedNetwork({ clock });
  const asked: { url: string; frame: unknown[] }[] = [];
  const relays = Array.from({ length: count }, (_, index) => {
    const url = `wss://relay${index}.example/`;
    const relay = new SimulatedRelay(network, { url, clock, dice: seededRandom(`relay ${index}`) });
    relay.received = (frame: string) => {
      const parsed = JSON.parse(frame) as unknown[];
      if (parsed[0] === 'REQ' && !String(parsed[1]).startsWith('probe')) asked.push({ url, frame: parsed });
    };
    return relay;
  });
  const parts = {
    clock,
    transport: changed(network.transport, clock),
    codec: nostrCodec,
    random: seededRandom(7),
    verifier: believing,
  };
  const pool = createPool({ ...parts, relays: relays.map(({ url }) => url), ...options });
  const event = (change: Partial<NostrEvent> = {}): NostrEvent => {
    made += 1;
    const id = made.toString(16).padStart(64, '0');
    return { ...template, id, created_at: Math.floor(clock.now() / 1_000), ...change };
  };
  const put = (...to: SimulatedRelay[]) => {
    const one = event();
    for (const relay of to) relay.publish(one);
    return one;
  };
  const received: Received[] = [];
  const ids = () => received.map((each) => each.event.id);
  const onEvent = (each: Received) => {
    received.push(each);
  };
  clock.advance(SECOND);
  return { clock, network, relays, pool, parts, asked, event, put, received, ids, onEvent };
}
