import { SEEN } from '../../machines/policy/limits.ts';
import type { Version } from '../protocol/codec.ts';

interface Held extends Version {
  readonly id: string;
}

const isNewer = (one: Held, other: Held): boolean => one.at > other.at || (one.at === other.at && one.id < other.id);

/** The newest versions of what can be replaced, as far as they have come. */
export class Newest {
  #young = new Map<string, Held>();
  #old = new Map<string, Held>();

  /** Whether it is newer than what has come of the same thing, with the lower id at equal times; then it takes its place. */
  take(version: Version, id: string): boolean {
    const held = this.#young.get(version.key) ?? this.#old.get(version.key);
    const next = { ...version, id };
    if (held && !isNewer(next, held)) return false;
    this.#young.set(version.key, next);
    if (this.#young.size >= SEEN.versions) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    return true;
  }
}
