import { isNewer, type Publication } from './publication.ts';

type Versioned = Pick<Publication, 'id' | 'version'>;

/** The publications that are open of whatever is replaced by newer versions, by its name. */
export class Versions {
  readonly #open = new Map<string, Set<Publication>>();

  /** Adds a version, unless it is there, and returns those that are open beside it. */
  add(publication: Publication): readonly Publication[] {
    const { key } = publication.version ?? {};
    if (key === undefined) return [];
    const others = [...(this.#open.get(key) ?? [])].filter((each) => each !== publication);
    this.#open.set(key, new Set([...others, publication]));
    return others;
  }

  delete(publication: Publication): void {
    const { key } = publication.version ?? {};
    const versions = key === undefined ? undefined : this.#open.get(key);
    if (key === undefined || !versions) return;
    versions.delete(publication);
    if (versions.size === 0) this.#open.delete(key);
  }

  /** Whether a newer version is open. */
  isSuperseded(event: Versioned): boolean {
    const versions = event.version && this.#open.get(event.version.key);
    return versions !== undefined && [...versions].some((each) => !each.isOver && isNewer(each, event));
  }
}
