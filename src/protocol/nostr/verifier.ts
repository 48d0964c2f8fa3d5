import type { Verifier } from '../verifier.ts';
import type { NostrEvent } from './event.ts';

type Check = (event: NostrEvent) => boolean;

let check: Check | undefined;

/** Loaded when the first event is to be verified: whoever verifies in another way, or only publishes, does without. */
async function load(): Promise<Check> {
  const { verifyEvent } = await import('nostr-tools/pure');
  // It leaves its verdict on what it is given, and believes such a mark: it gets an object that has nothing but the fields.
  check = ({ id, pubkey, created_at, kind, tags, content, sig }) =>
    verifyEvent({ id, pubkey, created_at, kind, tags: tags as string[][], content, sig });
  return check;
}

/** Verifies in this thread, by noble: a few hundred events a second. It needs nothing that is not everywhere. */
export const nostrVerifier: Verifier = {
  name: 'noble',
  batchMax: 1,
  parallel: 1,
  verify: (events) => {
    const all = events as readonly NostrEvent[];
    return check ? all.map(check) : load().then((loaded) => all.map(loaded));
  },
};
