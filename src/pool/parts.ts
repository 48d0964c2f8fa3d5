import { RecloserError, shown } from '../../machines/policy/error.ts';
import type { Signer } from '../auth/signer.ts';
import type { Clock } from '../clock.ts';
import type { Outbox } from '../delivery/outbox/outbox.ts';
import type { Codec } from '../protocol/codec.ts';
import type { Reconciler } from '../protocol/reconciler.ts';
import type { Verifier } from '../protocol/verifier.ts';
import type { InformationReader } from '../transport/information.ts';
import type { NetworkStatus } from '../transport/network-status.ts';
import type { Transport } from '../transport/transport.ts';
import type { PoolState } from './pool-state.ts';

/** What a pool stands on. Each has a real implementation and one for simulation. */
export interface PoolParts {
  readonly transport: Transport;
  readonly codec: Codec;
  readonly clock: Clock;
  /** At least 0 and below 1. */
  readonly random: () => number;
  /** Tells whether received events are genuine. */
  readonly verifier: Verifier;
  /** Finds out after a gap what the overlap does not reach (NIP-77). Default: nothing does. */
  readonly reconciler?: Reconciler | undefined;
  /**
   * Asks each relay what it takes, once an hour and after a connection is open (NIP-11): subscriptions, bytes of a message,
   * stored events in an answer. It is kept to where it is less than the options say. `relayInformation` does it over HTTP.
   * Default: nobody asks, and a relay's limits are learned from its refusals.
   */
  readonly information?: InformationReader | undefined;
  /** Whose keys may authenticate at relays (NIP-42), where `authenticate` of the relay allows it. Default: none. */
  readonly signers?: readonly Signer[] | undefined;
  /** What the platform knows of our own network. Default: nothing. */
  readonly network?: NetworkStatus;
  /** Keeps what is accepted until its quorum. Default: nothing does, and what is open is lost with the process. */
  readonly outbox?: Outbox | undefined;
  /**
   * Keeps the relays, their options and their history, from `openState`. Default: nothing does. Whoever starts the machine
   * and not `createPool` gives it what was kept: `fitting(…)`, with its options as `configured`.
   */
  readonly state?: PoolState | undefined;
}

/** Functions that each part must have, by the name of its option. */
const PART_FUNCTIONS = {
  transport: ['open'],
  codec: ['prepare', 'filters', 'decode', 'skim', 'subscribe', 'unsubscribe', 'probe'],
  clock: ['now', 'setTimeout', 'clearTimeout'],
  verifier: ['verify'],
  reconciler: ['begin'],
  information: ['read'],
  network: ['subscribe'],
  outbox: ['enqueue', 'lease'],
  state: ['fitting'],
} as const satisfies Partial<Record<keyof PoolParts, readonly string[]>>;

/** Throws `INVALID_OPTION` for a part of the wrong type, which would fail later and far from its cause. */
export function checkParts(given: object): void {
  const parts = given as Readonly<Record<string, unknown>>;
  for (const [name, functions] of Object.entries(PART_FUNCTIONS)) {
    const part = parts[name];
    if (part === undefined) continue;
    const isObject = typeof part === 'object' && part !== null;
    const missing = functions.find(
      (each) => !isObject || typeof (part as Record<string, unknown>)[each] !== 'function',
    );
    if (missing === undefined) continue;
    throw new RecloserError(
      'INVALID_OPTION',
      `${name} is ${shown(part)}; give an object with the function ${missing}.`,
    );
  }
  checkRandom(parts.random);
  const { inspect } = parts;
  const isObserver = typeof inspect === 'function' || (typeof inspect === 'object' && inspect !== null);
  if (inspect === undefined || isObserver) return;
  throw new RecloserError('INVALID_OPTION', `inspect is ${shown(inspect)}; give a function or an observer.`);
}

function checkRandom(random: unknown): void {
  if (random === undefined) return;
  if (typeof random !== 'function') {
    throw new RecloserError('INVALID_OPTION', `random is ${shown(random)}; give a function.`);
  }
  const drawn: unknown = random();
  if (typeof drawn === 'number' && drawn >= 0 && drawn < 1) return;
  throw new RecloserError(
    'INVALID_OPTION',
    `random returned ${shown(drawn)}; it must return a number from 0 to below 1.`,
  );
}
