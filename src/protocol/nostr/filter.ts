import { RecloserError, readable, shown } from '../../../machines/policy/error.ts';
import type { Span } from '../../../machines/policy/gap.ts';
import type { PreparedFilters } from '../codec.ts';
import { isId, type NostrEvent } from './event.ts';

/** What is asked for (NIP-01). All that is given must fit an event; of a list, one must. */
export interface NostrFilter {
  readonly ids?: readonly string[] | undefined;
  readonly authors?: readonly string[] | undefined;
  readonly kinds?: readonly number[] | undefined;
  /** Seconds since the epoch, both inclusive. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Stored events, at most. */
  readonly limit?: number | undefined;
  /** Left to the relay (NIP-50): nothing here checks it. */
  readonly search?: string | undefined;
  /** Values of tags, by the letter of the tag. */
  readonly [tag: `#${string}`]: readonly string[] | undefined;
}

/** Filters of one subscription, at most. */
const FILTERS_MAX = 100;

type Test = (event: NostrEvent) => boolean;

function wrong(problem: string): never {
  throw new RecloserError('INVALID_FILTER', `This is not a Nostr filter: ${problem}.`);
}

function list<Element>(name: string, value: unknown, isElement: (each: unknown) => each is Element, what: string) {
  if (!Array.isArray(value)) return wrong(`${name} is ${shown(value)}; give a list of ${what}`);
  return value.map((each) => (isElement(each) ? each : wrong(`${name} has ${shown(each)}; give ${what}`)));
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isKind = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;

function amount(name: string, value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) >= 0
    ? (value as number)
    : wrong(`${name} is ${shown(value)}; give a whole number from 0`);
}

function checked(given: unknown): NostrFilter {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return wrong(`it is ${shown(given)}; give an object`);
  }
  const filter: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (key === 'ids' || key === 'authors') filter[key] = list(key, value, isId, '64 lower-case hex digits');
    else if (key === 'kinds') filter[key] = list(key, value, isKind, 'kinds');
    else if (key === 'since' || key === 'until' || key === 'limit') filter[key] = amount(key, value);
    else if (key === 'search') filter[key] = isText(value) ? value : wrong(`search is ${shown(value)}; give a string`);
    else if (/^#[A-Za-z]$/.test(key)) filter[key] = list(key, value, isText, 'strings');
    else wrong(`${JSON.stringify(key.slice(0, 40))} is unknown`);
  }
  return filter as NostrFilter;
}

/** What a filter asks of an event, put so that one event is looked at quickly. */
function testOf(filter: NostrFilter): Test {
  const tests: Test[] = [];
  const { ids, authors, kinds, since, until } = filter;
  if (kinds) {
    const wanted = new Set(kinds);
    tests.push(({ kind }) => wanted.has(kind));
  }
  if (authors) {
    const wanted = new Set(authors);
    tests.push(({ pubkey }) => wanted.has(pubkey));
  }
  if (ids) {
    const wanted = new Set(ids);
    tests.push(({ id }) => wanted.has(id));
  }
  if (since !== undefined) tests.push(({ created_at }) => created_at >= since);
  if (until !== undefined) tests.push(({ created_at }) => created_at <= until);
  for (const [key, values] of Object.entries(filter)) {
    if (!key.startsWith('#')) continue;
    const letter = key.slice(1);
    const wanted = new Set(values as readonly string[]);
    tests.push(({ tags }) => tags.some(([name, value]) => name === letter && value !== undefined && wanted.has(value)));
  }
  return (event) => tests.every((test) => test(event));
}

/** Checks filters and copies them; throws `INVALID_FILTER` with what is wrong. One filter may stand for a list of one. */
export function prepareFilters(given: unknown): PreparedFilters {
  const filters = readable('filters', () => (Array.isArray(given) ? given : [given]).map(checked));
  if (filters.length === 0) wrong('there is none in the list');
  if (filters.length > FILTERS_MAX) wrong(`there are ${filters.length}; give at most ${FILTERS_MAX}`);
  const tests = filters.map(testOf);
  const [only] = tests;
  const matches: Test = tests.length === 1 && only ? only : (event) => tests.some((test) => test(event));
  return { list: filters, matches: matches as (event: unknown) => boolean };
}

/** The same filters for what came after a time: without a limit, which counts what is stored and would cut a gap. */
export function filtersSince(
  filters: readonly NostrFilter[],
  sinceMs: number,
  untilMs = Number.POSITIVE_INFINITY,
): readonly NostrFilter[] {
  const from = Math.floor(sinceMs / 1_000);
  return filters.flatMap(({ limit: _limit, ...filter }) => {
    const since = Math.max(from, filter.since ?? 0);
    const until = Math.min(Math.floor(untilMs / 1_000), filter.until ?? Number.POSITIVE_INFINITY);
    if (until < since) return [];
    return [{ ...filter, since, ...(Number.isFinite(until) ? { until } : {}) }];
  });
}

/** The same filter for a span of time, however many that are. */
export function filterWithin({ limit: _limit, ...filter }: NostrFilter, { fromMs, untilMs }: Span): NostrFilter {
  const since = Math.max(filter.since ?? 0, Math.ceil(fromMs / 1_000));
  const until = Math.min(filter.until ?? Number.POSITIVE_INFINITY, Math.floor(untilMs / 1_000));
  return { ...filter, since, until };
}
