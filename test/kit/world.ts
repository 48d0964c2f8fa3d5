import { type CreatePoolOptions, createPool, type Fact } from '../../src/index.ts';
import { nostrCodec } from '../../src/protocol/nostr/codec.ts';
import { nostrVerifier } from '../../src/protocol/nostr/verifier.ts';
import { SimulatedNetwork, seededRandom, VirtualClock } from '../../src/testing/index.ts';
import { MemoryRelay } from './memory-relay.ts';

/** A whole pool on a clock that stands still, over relays in memory. */
export function world(count: number, options: CreatePoolOptions = {}) {
  const clock = new VirtualClock(1_000_000);
  const network = new SimulatedNetwork({ clock });
  const relays = Array.from(
    { length: count },
    (_, index) => new MemoryRelay(network, `wss://relay${index}.example/`, clock),
  );
  const parts = {
    clock,
    transport: network.transport,
    codec: nostrCodec,
    random: seededRandom(7),
    verifier: nostrVerifier,
  };
  const pool = createPool({ ...parts, relays: relays.map((relay) => relay.url), ...options });
  const facts: Fact[] = [];
  pool.on('*', (fact) => facts.push(fact));
  const types = () => facts.map(({ type }) => type);
  return { clock, network, relays, pool, facts, types, parts };
}
