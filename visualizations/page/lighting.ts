import type { StateValue } from '../../src/inspect/messages.ts';
import { drawnEvent } from '../events.ts';
import type { Drawing, DrawnArrow } from '../layout.ts';

/** What of a drawing is lit. */
export interface Lighting {
  /** States that the actor is in. */
  readonly active: ReadonlySet<string>;
  /** Arrows that it took last, and those that it can take from where it is. */
  readonly taken: ReadonlySet<string>;
  readonly enabled: ReadonlySet<string>;
}

/** The paths of the states of a value, the outer ones too. */
function pathsOf(machineId: string, value: StateValue | undefined): readonly string[] {
  if (value === undefined) return [];
  if (typeof value === 'string') return [`${machineId}.${value}`];
  return Object.entries(value).flatMap(([state, inner]) => {
    const id = `${machineId}.${state}`;
    return [id, ...pathsOf(id, inner)];
  });
}

/** The ids of the states of a value: charts may have given them their own. */
function statesOf({ id, states }: Drawing, value: StateValue | undefined): ReadonlySet<string> {
  const paths = new Set(pathsOf(id, value));
  return new Set(states.filter(({ path }) => paths.has(path)).map((state) => state.id));
}

/** The events of an arrow's labels: what comes before a guard. */
const eventOf = (label: string): string => label.replace(/ ?\[.*\]$/, '').replace(/^otherwise$/, '');

export function lightingOf(
  drawing: Drawing,
  value: StateValue | undefined,
  from: StateValue | undefined,
  by: string | undefined,
): Lighting {
  const active = statesOf(drawing, value);
  const enabled = drawing.arrows.filter(({ source, label }) => label.length > 0 && active.has(source));
  return {
    active,
    taken: takenArrows(drawing, statesOf(drawing, from), active, by),
    enabled: new Set(enabled.map(({ id }) => id)),
  };
}

/** The way from one state to another: an arrow of the event, and those of the decisions that it leads through. */
function takenArrows(
  { arrows, states }: Drawing,
  before: ReadonlySet<string>,
  now: ReadonlySet<string>,
  by: string | undefined,
): ReadonlySet<string> {
  if (by === undefined || before.size === 0) return new Set();
  const event = drawnEvent(by);
  const decisions = new Set(states.filter(({ kind }) => kind === 'decision').map(({ id }) => id));
  const isOfEvent = ({ label }: DrawnArrow): boolean => label.some((each) => eventOf(each) === event);
  const first = arrows.filter((arrow) => before.has(arrow.source) && isOfEvent(arrow));
  const direct = first.filter(({ target }) => now.has(target) && !before.has(target));
  const arrived = direct.length > 0 ? direct : first.filter(({ target }) => now.has(target));
  if (arrived.length > 0) return new Set(arrived.slice(0, 1).map(({ id }) => id));
  // A decision after another is as far as charts go in a step, give or take one.
  for (const start of first.filter(({ target }) => decisions.has(target))) {
    const way = wayThrough(arrows, decisions, start.target, now, 4);
    if (way) return new Set([start.id, ...way]);
  }
  return new Set();
}

function wayThrough(
  arrows: readonly DrawnArrow[],
  decisions: ReadonlySet<string>,
  from: string,
  now: ReadonlySet<string>,
  steps: number,
): readonly string[] | undefined {
  if (steps === 0) return undefined;
  const next = arrows.filter(({ source }) => source === from);
  const last = next.find(({ target }) => now.has(target));
  if (last) return [last.id];
  for (const { id, target } of next.filter((arrow) => decisions.has(arrow.target))) {
    const way = wayThrough(arrows, decisions, target, now, steps - 1);
    if (way) return [id, ...way];
  }
  return undefined;
}

/** The events that can happen where it is, by the labels of the arrows that leave its states; each once. */
export function possibleEvents(drawing: Drawing, { enabled }: Lighting): readonly string[] {
  const events = drawing.arrows.filter(({ id }) => enabled.has(id)).flatMap(({ label }) => label.map(eventOf));
  return [...new Set(events)].filter((event) => event !== '').sort();
}
