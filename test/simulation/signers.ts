import type { Signer } from '../../src/index.ts';
import type { Dice } from '../../src/testing/index.ts';

/** How a key signs: at once, or it refuses, or nothing is heard of it. */
export type SignerKind = 'prompt' | 'refusing' | 'hanging';

const hex = (dice: Dice, digits: number): string =>
  Array.from({ length: digits }, () => Math.floor(dice() * 16).toString(16)).join('');

/** Signs as far as relays of the simulation look at it. */
export function simulatedSigner(kind: SignerKind, dice: Dice): Signer {
  const pubkey = hex(dice, 64);
  return async (event) => {
    if (kind === 'hanging') return new Promise(() => {});
    if (kind === 'refusing') throw new Error('not today');
    return { ...event, id: hex(dice, 64), pubkey, sig: hex(dice, 128) };
  };
}
