/** One relay that a subscription may be on, as it stands. */
export interface Place {
  /** Whether the subscription is there, and how it goes: it is `served` or may be, or something stands in its way. */
  readonly standing: 'absent' | 'served' | 'hindered' | 'refused';
  /** Whether the relay has refused it for now, and is not to be asked before its time. */
  readonly isResting: boolean;
  /** Whether the relay could serve it now: it is connected and not suspect. */
  readonly isFit: boolean;
  /** Whether it has a slot left. */
  readonly hasRoom: boolean;
}

/** What has to change, so that a subscription is on as many relays as it wants. */
export interface Move<Each extends Place> {
  /** How many more it needs, and the relays among which to choose. */
  readonly missing: number;
  readonly among: readonly Each[];
  /** Where it is not wanted any more. */
  readonly leave: readonly Each[];
}

/**
 * Where a subscription on `copies` of some relays should be. One that is hindered keeps its place until another serves; and
 * nobody is left who serves, unless there are more than are wanted: a relay that comes back does not take a subscription
 * back. The first to be left are those that are hindered, then those that came last.
 */
export function nextMove<Each extends Place>(places: readonly Each[], copies: number): Move<Each> {
  const served = places.filter(({ standing }) => standing === 'served');
  const hindered = places.filter(({ standing }) => standing === 'hindered');
  const surplus = served.length + hindered.length - copies;
  if (served.length >= copies) {
    const leave = [...hindered, ...[...served].reverse()].slice(0, Math.max(0, surplus));
    return { missing: 0, among: [], leave };
  }
  const absent = places.filter(({ standing, isResting }) => standing === 'absent' && !isResting);
  const fit = absent.filter(({ isFit }) => isFit);
  const roomy = fit.filter(({ hasRoom }) => hasRoom);
  // Somebody who serves makes up for each that is hindered; where nobody does, it waits where it is, or anywhere.
  if (roomy.length > 0) return { missing: copies - served.length, among: roomy, leave: [] };
  const anywhere = fit.length > 0 ? fit : absent;
  return { missing: Math.max(0, -surplus), among: anywhere, leave: [] };
}
