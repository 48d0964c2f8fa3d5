/** A seeded stream of numbers, at least 0 and below 1. */
export type Dice = () => number;

/** Spreads the characters of a name over 32 bits (FNV-1a). */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/**
 * A seeded stream of numbers, at least 0 and below 1 (Mulberry32, by Tommy Ettinger). A name makes a stream of its own:
 * give every part of a simulation one, such as `42/relay 3`, and what one part draws does not change the others.
 */
export function seededRandom(seed: number | string): Dice {
  let state = typeof seed === 'string' ? hashOf(seed) : seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
