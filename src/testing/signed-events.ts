import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import type { NostrEvent } from '../protocol/nostr/event.ts';

/** An endless supply of real, signed, distinct notes of one throw-away key; as old as is said, in seconds. */
export function* signedEvents(content = 'a note', ageSeconds = 0): Generator<NostrEvent, never> {
  const key = generateSecretKey();
  for (let index = 0; ; index += 1) {
    const created_at = Math.floor(Date.now() / 1_000) - ageSeconds;
    const {
      id,
      pubkey,
      kind,
      tags,
      content: text,
      sig,
    } = finalizeEvent({ kind: 1, created_at, tags: [['n', String(index)]], content }, key);
    yield { id, pubkey, created_at, kind, tags, content: text, sig };
  }
}
