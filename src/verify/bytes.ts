import type { NostrEvent } from '../protocol/nostr/event.ts';

const encoder = new TextEncoder();

/** What the id of an event is the hash of (NIP-01). */
export const serialised = ({ pubkey, created_at, kind, tags, content }: NostrEvent): Uint8Array =>
  encoder.encode(JSON.stringify([0, pubkey, created_at, kind, tags, content]));

const digit = (code: number): number => (code <= 57 ? code - 48 : code - 87);

/** The bytes of lower-case hex digits, which have been checked. */
export function bytesOf(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let index = 0; index < bytes.length; index += 1) {
    bytes[index] = (digit(hex.charCodeAt(2 * index)) << 4) | digit(hex.charCodeAt(2 * index + 1));
  }
  return bytes;
}

export function isSameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
