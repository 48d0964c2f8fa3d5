import type { NostrEvent } from '../protocol/nostr/event.ts';
import { bytesOf, isSameBytes, serialised } from './bytes.ts';

/** What verifying takes, by whatever library a platform has for it. */
export interface Means {
  /** Hashes bytes with SHA-256. */
  sha256(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Whether the author of an event has signed its id. May throw for what is no key or no signature. */
  isSigned(event: NostrEvent, id: Uint8Array, bytes: Uint8Array): boolean | Promise<boolean>;
}

async function isGenuine(event: NostrEvent, { sha256, isSigned }: Means): Promise<boolean> {
  const bytes = serialised(event);
  const id = bytesOf(event.id);
  if (!isSameBytes(await sha256(bytes), id)) return false;
  try {
    return await isSigned(event, id, bytes);
  } catch {
    return false;
  }
}

/** Verifies events one after the other. */
export async function verifyBatch(events: readonly NostrEvent[], means: Means): Promise<boolean[]> {
  const verdicts: boolean[] = [];
  for (const event of events) verdicts.push(await isGenuine(event, means));
  return verdicts;
}
