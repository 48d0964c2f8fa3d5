import { nip77 } from 'nostr-tools';
import type { KnownEvent, Reconciler, Reconciliation } from '../reconciler.ts';

/** Bytes of a message, at most: half of what relays take for a frame, because it travels as hex digits. */
const MESSAGE_BYTES_MAX = 30_000;

class NegentropyReconciliation implements Reconciliation {
  readonly opening: string;
  readonly missing = new Set<string>();
  readonly #engine: nip77.Negentropy;

  constructor(known: readonly KnownEvent[]) {
    const storage = new nip77.NegentropyStorageVector();
    for (const { id, atMs } of known) storage.insert(Math.floor(atMs / 1_000), id);
    storage.seal();
    this.#engine = new nip77.Negentropy(storage, MESSAGE_BYTES_MAX);
    this.opening = this.#engine.initiate();
  }

  next(answer: string): string | undefined {
    const next = this.#engine.reconcile(answer, undefined, (id) => this.missing.add(id));
    return next ?? undefined;
  }
}

/**
 * Negentropy (NIP-77) for `createPool({ reconciler: negentropy })`: after a gap, relays that have it are asked what was dated
 * back further than the overlap reaches. Others are asked once, and not again.
 */
export const negentropy: Reconciler = {
  name: 'negentropy',
  begin: (known) => new NegentropyReconciliation(known),
};
