/** Text that says where and what, and nothing of what people write. Everything else that is text is left out. */
const SHOWN_TEXT: ReadonlySet<string> = new Set([
  'actorId',
  'cause',
  'command',
  'durability',
  'network',
  'phase',
  'relay',
  'rest',
  'state',
  'status',
  'to',
  'type',
  'url',
]);

/** Never shown, whatever is asked for: what lets somebody else pass for us. */
const SECRET = /auth|challenge|cookie|credential|header|input|key|nsec|pass|secret|sig|token/i;

const TEXT_MAX = 200;
const DEPTH_MAX = 6;
const ENTRIES_MAX = 50;

/** The name of an event that is no more than an id is shown as such: enough to find it again. */
const ID = /^[0-9a-f]{64}$/;

/** An address without what may follow a question mark: tokens are there. */
export const withoutQuery = (text: string): string => text.replace(/\?.*$/s, '?…');

/** Counters and states of a context or an event, and no contents. */
export function redacted(value: object): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(value)) {
    if (SECRET.test(key)) continue;
    const type = typeof each;
    if (type === 'number' || type === 'boolean') shown[key] = each;
    else if (type === 'string' && SHOWN_TEXT.has(key)) shown[key] = withoutQuery(each).slice(0, TEXT_MAX);
    else if (type === 'string' && key === 'id' && ID.test(each)) shown[key] = each;
  }
  return shown;
}

/** Everything but secrets, as far as JSON can say it and somebody wants to read it. */
export function revealed(value: object): Record<string, unknown> {
  return copy(value, 0, new Set()) as Record<string, unknown>;
}

function copy(value: unknown, depth: number, above: Set<object>): unknown {
  if (typeof value === 'string') return (/^wss?:/.test(value) ? withoutQuery(value) : value).slice(0, 4 * TEXT_MAX);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? undefined : value;
  if (depth >= DEPTH_MAX || above.has(value)) return '…';
  // Actors, sockets and the like are no data.
  const prototype = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return undefined;
  above.add(value);
  try {
    if (Array.isArray(value)) return value.slice(0, ENTRIES_MAX).map((each) => copy(each, depth + 1, above));
    const entries = Object.entries(value).filter(([key]) => !SECRET.test(key));
    return Object.fromEntries(entries.slice(0, ENTRIES_MAX).map(([key, each]) => [key, copy(each, depth + 1, above)]));
  } finally {
    above.delete(value);
  }
}
