import { hash } from 'node:crypto';
import { type LibraryHandle, load } from 'koffi';
import { RecloserError } from '../../machines/policy/error.ts';
import type { NostrEvent } from '../protocol/nostr/event.ts';
import type { Verifier } from '../protocol/verifier.ts';
import { serialised } from './bytes.ts';

export interface NativeVerifierOptions {
  /** Where libsecp256k1 is. Default: where the system finds it. */
  readonly library?: string;
}

/** Names under which systems know it, the newest first. */
const LIBRARIES = [
  'libsecp256k1.so.6',
  'libsecp256k1.so.5',
  'libsecp256k1.so.2',
  'libsecp256k1.so.1',
  'libsecp256k1.so',
  'libsecp256k1.dylib',
  'libsecp256k1.dll',
] as const;

/** Events of one go, which take about a millisecond. */
const BATCH = 16;
const SECP256K1_CONTEXT_NONE = 1;
/** Bytes of a key and of a signature, and of a key that the library has parsed (its own header). */
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const PARSED_KEY_BYTES = 64;
/** Parsed keys that are kept. */
const KEYS_MAX = 1_000;

function loadLibrary(names: readonly string[]): LibraryHandle {
  let cause: unknown;
  for (const name of names) {
    try {
      return load(name);
    } catch (error) {
      cause = error;
    }
  }
  throw unavailable(`${names[0]} was not found; on Debian, install libsecp256k1-1`, cause);
}

const unavailable = (problem: string, cause: unknown): RecloserError =>
  new RecloserError('VERIFIER_UNAVAILABLE', `There is no native verifier: ${problem}.`, { cause });

/**
 * Verifies events in this thread by the system's libsecp256k1, many times faster than anything in JavaScript. For servers:
 * needs the package `koffi` and the library, with its module for Schnorr signatures. Throws `VERIFIER_UNAVAILABLE` where that
 * is missing.
 */
export function createNativeVerifier({ library }: NativeVerifierOptions = {}): Verifier {
  const secp256k1 = loadLibrary(library === undefined ? LIBRARIES : [library]);
  const [create, parse, verify] = functionsOf(secp256k1);
  const context = create(SECP256K1_CONTEXT_NONE);
  /** By author, for most have written before: parsing a key takes an eighth of what verifying takes. */
  const keys = new Map<string, Uint8Array>();
  const keyOf = (pubkey: string): Uint8Array | undefined => {
    const known = keys.get(pubkey);
    if (known) return known;
    const bytes = Buffer.from(pubkey, 'hex');
    const key = new Uint8Array(PARSED_KEY_BYTES);
    if (bytes.length !== KEY_BYTES || parse(context, key, bytes) !== 1) return undefined;
    if (keys.size >= KEYS_MAX) keys.clear();
    keys.set(pubkey, key);
    return key;
  };
  const isGenuine = (event: NostrEvent): boolean => {
    if (hash('sha256', serialised(event)) !== event.id) return false;
    const id = Buffer.from(event.id, 'hex');
    const signature = Buffer.from(event.sig, 'hex');
    // The library reads as much as it expects, whatever it is given.
    if (signature.length !== SIGNATURE_BYTES) return false;
    const key = keyOf(event.pubkey);
    return key !== undefined && verify(context, signature, id, id.length, key) === 1;
  };
  return {
    name: 'native',
    batchMax: BATCH,
    parallel: 1,
    verify: (events) => (events as readonly NostrEvent[]).map(isGenuine),
  };
}

type Call = (...given: unknown[]) => unknown;

function functionsOf(library: LibraryHandle): readonly [create: Call, parse: Call, verify: Call] {
  try {
    return [
      library.func('void *secp256k1_context_create(unsigned int flags)'),
      library.func('int secp256k1_xonly_pubkey_parse(void *context, _Out_ uint8_t *key, const uint8_t *bytes)'),
      library.func(
        'int secp256k1_schnorrsig_verify(void *context, const uint8_t *signature, const uint8_t *message, size_t length, const uint8_t *key)',
      ),
    ];
  } catch (cause) {
    throw unavailable('the library was built without Schnorr signatures', cause);
  }
}
