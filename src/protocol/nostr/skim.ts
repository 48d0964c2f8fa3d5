import { type Frame, type FrameBytes, memoryOf } from '../../frame.ts';
import type { Glimpse } from '../codec.ts';
import { isAt, literalOf } from '../literal.ts';

/** Longest subscription id (NIP-01), in characters. */
export const SUBSCRIPTION_LENGTH_MAX = 64;
/** Digits of an id. */
export const ID_LENGTH = 64;

const QUOTE = '"'.charCodeAt(0);
const EVENT_BEGINS = '["EVENT","';
const ID_BEGINS = '"id":"';
/** What mostly stands between the name of the subscription and the id. */
const BETWEEN = '",{';
/** A name that stands in JSON as it is. */
const PLAIN_NAME = /^[a-zA-Z0-9:_-]+$/;

const EVENT_LITERAL = literalOf(EVENT_BEGINS);
const CONTENT_BEGINS = '"content":"';
/** Characters from the end of the content to the id: a time of this century is between. */
const TIME_LENGTH = ',"created_at":1700000000,'.length;
const BACKSLASH = '\\'.charCodeAt(0);
/** Where more quotes are escaped, it takes less to look for the id at once. */
const QUOTES_LOOKED_FOR = 8;
const CONTENT_LITERAL = literalOf(CONTENT_BEGINS);
const ID_LITERAL = literalOf(ID_BEGINS);
/** Bytes that no event can do without: its id, its author and its signature. Beyond them, nothing is looked at unasked. */
const EVENT_BYTES_MIN = 4 * ID_LENGTH;

/** The subscription of the event before: that of the next is nearly always the same, and need not be made a text of. */
let lastName = 'r1';

/**
 * Where an event says its subscription and its id, found without parsing it. Within a string, JSON writes a quote as `\"`, so
 * `"id":"` outside of one is a key of an object; and events have no other object within them. A relay that puts one there, or
 * two ids, hides its own events only.
 */
export const skim = (frame: Frame): Glimpse | undefined =>
  typeof frame === 'string' ? skimText(frame) : skimBytes(frame);

/** Where the event itself begins in the bytes of a frame, with the comma before it. */
export const eventAt = ({ subscription }: Glimpse): number => EVENT_BEGINS.length + subscription.length + 1;

function skimText(text: string): Glimpse | undefined {
  if (!text.startsWith(EVENT_BEGINS)) return undefined;
  const from = EVENT_BEGINS.length;
  const end = text.indexOf('"', from);
  if (end < 0 || end > from + SUBSCRIPTION_LENGTH_MAX) return undefined;
  const found = text.indexOf(ID_BEGINS, end);
  const at = found + ID_BEGINS.length;
  if (found < 0 || text.charCodeAt(at + ID_LENGTH) !== QUOTE) return undefined;
  return { subscription: text.slice(from, end), text, at };
}

function skimBytes(text: FrameBytes): Glimpse | undefined {
  const { view, from: begin } = memoryOf(text);
  if (text.length < EVENT_BYTES_MIN || !isAt(view, begin, EVENT_LITERAL)) return undefined;
  const subscription = nameIn(text, EVENT_BEGINS.length);
  if (subscription === undefined) return undefined;
  const end = EVENT_BEGINS.length + subscription.length;
  const likely = end + BETWEEN.length;
  const found = isAt(view, begin + likely, ID_LITERAL) ? likely : placeOfId(text, view, begin, likely);
  const at = found + ID_BEGINS.length;
  if (found < 0 || text[at + ID_LENGTH] !== QUOTE) return undefined;
  return { subscription, text, at };
}

/** Where the id begins, in an event that does not begin with it; below 0 where there is none. */
function placeOfId(text: FrameBytes, view: DataView, begin: number, from: number): number {
  const likely = isAt(view, begin + from, CONTENT_LITERAL) ? afterContent(text, from) : text.length;
  const isThere = likely + ID_BEGINS.length < text.length && isAt(view, begin + likely, ID_LITERAL);
  return isThere ? likely : text.indexOf(ID_BEGINS, from);
}

/** The same where the fields are sorted by their names, as the relays of one make have them, unless many quotes are in the content. */
function afterContent(text: FrameBytes, from: number): number {
  let end = from + CONTENT_BEGINS.length - 1;
  for (let quotes = 0; quotes < QUOTES_LOOKED_FOR; quotes += 1) {
    end = text.indexOf(QUOTE, end + 1);
    if (end < 0) return text.length;
    if (text[end - 1] !== BACKSLASH) return end + 1 + TIME_LENGTH;
  }
  return text.length;
}

function nameIn(text: FrameBytes, from: number): string | undefined {
  if (text[from + lastName.length] === QUOTE && standsAt(text, from, lastName)) return lastName;
  const end = text.indexOf(QUOTE, from);
  if (end < 0 || end > from + SUBSCRIPTION_LENGTH_MAX) return undefined;
  const name = text.latin1Slice(from, end);
  if (!PLAIN_NAME.test(name)) return undefined;
  lastName = name;
  return name;
}

function standsAt(text: FrameBytes, from: number, name: string): boolean {
  for (let index = 0; index < name.length; index += 1) {
    if (text[from + index] !== name.charCodeAt(index)) return false;
  }
  return true;
}
