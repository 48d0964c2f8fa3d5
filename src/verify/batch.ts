import { verifySchnorr } from 'tiny-secp256k1';
import type { NostrEvent } from '../protocol/nostr/event.ts';
import { bytesOf, isSameBytes, serialised } from './bytes.ts';

/** Hashes bytes with SHA-256. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

async function isGenuine(event: NostrEvent, sha256: Sha256): Promise<boolean> {
  try {
    const id = bytesOf(event.id);
    if (!isSameBytes(await sha256(serialised(event)), id)) return false;
    return verifySchnorr(id, bytesOf(event.pubkey), bytesOf(event.sig));
  } catch {
    // It throws for what is no key.
    return false;
  }
}

/** Verifies events one after the other. */
export async function verifyBatch(events: readonly NostrEvent[], sha256: Sha256): Promise<boolean[]> {
  const verdicts: boolean[] = [];
  for (const event of events) verdicts.push(await isGenuine(event, sha256));
  return verdicts;
}
