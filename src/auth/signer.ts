/** The event that answers a challenge (NIP-42), before it is signed. */
export interface UnsignedAuthEvent {
  readonly kind: 22_242;
  readonly created_at: number;
  readonly tags: string[][];
  readonly content: '';
}

/**
 * Signs the event that authenticates one key at a relay: `(event) => window.nostr.signEvent(event)`, say. It is asked only
 * where the policy for that relay allows it, and refuses by throwing. What it returns is compared with what was asked for.
 */
export type Signer = (event: UnsignedAuthEvent, relay: string) => unknown;
