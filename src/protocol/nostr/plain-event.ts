import { type FrameBytes, memoryOf, textIn } from '../../frame.ts';
import { isHexAt } from '../hex.ts';
import { isAt, type Literal, literalOf } from '../literal.ts';
import { EVENT_LIMITS, type NostrEvent } from './event.ts';
import { AuthorKeys, SHORT_TEXT_MAX, ShortTexts } from './repeated-texts.ts';

const codeOf = (character: string): number => character.charCodeAt(0);
const [QUOTE, COMMA, BACKSLASH] = [codeOf('"'), codeOf(','), codeOf('\\')];
const [LIST, LIST_END, OBJECT, OBJECT_END] = [codeOf('['), codeOf(']'), codeOf('{'), codeOf('}')];
const [ZERO, NINE] = [codeOf('0'), codeOf('9')];

/** Where the name of a field begins: what it is by its first letter, but for the two that share theirs. */
const [C, I, K, P, S, T] = ['c', 'i', 'k', 'p', 's', 't'].map(codeOf);

/** Digits of the largest number that is read: with one more, it could be more than a number holds exactly. */
const NUMBER_DIGITS_MAX = 15;
const KEY_DIGITS = 64;
const SIGNATURE_DIGITS = 128;

/** The first character that may stand in a string as it is, and in each of four bytes; and the highest bit of each. */
const SPACE = codeOf(' ');
const ONES = 0x01010101;
const SPACES = SPACE * ONES;
const BACKSLASHES = BACKSLASH * ONES;
const HIGHEST = 0x80 * ONES;
/** The last character of ASCII. */
const ASCII_LAST = 0x7f;

/** Of one character in each of four bytes: the highest bits are all clear only where none has to be escaped, and where none escapes. */
const controlsIn = (characters: number): number => (characters - SPACES) & ~characters;
const escapesIn = (characters: number): number => ((characters ^ BACKSLASHES) - ONES) & ~(characters ^ BACKSLASHES);

/** What stands in a string: nothing but ASCII, or other characters too; or something that JSON writes otherwise, or has to. */
const [ASCII, WIDE, ESCAPED] = [0, 1, 2];

/** Where more quotes are escaped, looking for each of them would take longer than looking at every character. */
const QUOTES_LOOKED_FOR = 8;

/** The tag of a person, by a key. */
const PERSON = 'p';
/** Lists that have no more items are written out, which takes half of the time. */
const SHORT = 4;

const authorKeys = new AuthorKeys();
const shortTexts = new ShortTexts();
const NO_TAGS: readonly (readonly string[])[] = Object.freeze([]);
const NO_TEXTS: readonly string[] = Object.freeze([]);

/** The first items of a list as one of their own: frozen, with no room for more that whoever keeps events would keep, too. */
function frozen<Item>(list: readonly Item[], count: number): readonly Item[] {
  const one = list[0] as Item;
  if (count === 1) return Object.freeze([one]);
  const two = list[1] as Item;
  if (count === 2) return Object.freeze([one, two]);
  const three = list[2] as Item;
  if (count === 3) return Object.freeze([one, two, three]);
  if (count === SHORT) return Object.freeze([one, two, three, list[3] as Item]);
  return Object.freeze(list.slice(0, count));
}

/** Lets go of what is in a list. Giving up the memory of a short one would take longer than reading most events. */
function empty<Item>(list: Item[], nothing: Item): void {
  if (list.length > SHORT) list.length = 0;
  for (let index = 0; index < list.length; index += 1) list[index] = nothing;
}

/**
 * Reads an event that is written as nearly all are: the seven fields once each, in any order, no space between anything. What
 * it reads is what `JSON.parse` would have read and `adoptEvent` would have made of it, for less; whatever it is not sure of
 * it leaves to them. Its texts are their own, so that one that is kept does not keep the frame.
 */
class PlainEventReader {
  #bytes!: FrameBytes;
  #view!: DataView;
  /** Where the frame begins in memory. */
  #begin = 0;
  #at = 0;
  /** What has been read of the list that is being read; nothing stays here. */
  readonly #tagsRead: (readonly string[])[] = [];
  readonly #textsRead: string[] = [];

  /** The event after the comma at a place, with its id at another, which ends the list that it is in and with that the frame. */
  read(bytes: FrameBytes, from: number, idAt: number): NostrEvent | undefined {
    const event = this.#read(bytes, from, idAt);
    empty(this.#tagsRead, NO_TEXTS);
    empty(this.#textsRead, '');
    return event;
  }

  #read(bytes: FrameBytes, from: number, idAt: number): NostrEvent | undefined {
    this.#bytes = bytes;
    const { view, from: begin } = memoryOf(bytes);
    this.#view = view;
    this.#begin = begin;
    this.#at = from;
    let id: string | undefined;
    let pubkey: string | undefined;
    let created_at: number | undefined;
    let kind: number | undefined;
    let tags: readonly (readonly string[])[] | undefined;
    let content: string | undefined;
    let sig: string | undefined;
    if (!this.#takes(COMMA) || !this.#takes(OBJECT)) return undefined;
    do {
      if (!this.#takes(QUOTE)) return undefined;
      switch (bytes[this.#at]) {
        case I:
          if (id !== undefined || !this.#takesKey(ID) || this.#at + 1 !== idAt) return undefined;
          id = this.#hex(KEY_DIGITS);
          if (id === undefined) return undefined;
          break;
        case P:
          if (pubkey !== undefined || !this.#takesKey(PUBKEY)) return undefined;
          pubkey = this.#key();
          if (pubkey === undefined) return undefined;
          break;
        case K:
          if (kind !== undefined || !this.#takesKey(KIND)) return undefined;
          kind = this.#number();
          if (kind === undefined || kind > EVENT_LIMITS.kindMax) return undefined;
          break;
        case T:
          if (tags !== undefined || !this.#takesKey(TAGS)) return undefined;
          tags = this.#tags();
          if (tags === undefined) return undefined;
          break;
        case S:
          if (sig !== undefined || !this.#takesKey(SIG)) return undefined;
          sig = this.#hex(SIGNATURE_DIGITS);
          if (sig === undefined) return undefined;
          break;
        case C:
          if (content === undefined && this.#takesKey(CONTENT)) {
            content = this.#string();
            if (content === undefined) return undefined;
          } else {
            if (created_at !== undefined || !this.#takesKey(CREATED_AT)) return undefined;
            created_at = this.#number();
            if (created_at === undefined) return undefined;
          }
          break;
        default:
          return undefined;
      }
    } while (this.#takes(COMMA));
    if (!this.#takes(OBJECT_END) || !this.#takes(LIST_END) || this.#at !== bytes.length) return undefined;
    if (id === undefined || pubkey === undefined || created_at === undefined || kind === undefined) return undefined;
    if (tags === undefined || content === undefined || sig === undefined) return undefined;
    return Object.freeze({ id, pubkey, created_at, kind, tags, content, sig });
  }

  #takes(code: number): boolean {
    const at = this.#at;
    if (at >= this.#bytes.length || this.#bytes[at] !== code) return false;
    this.#at = at + 1;
    return true;
  }

  #takesKey(key: Literal): boolean {
    const to = this.#at + key.length;
    if (to > this.#bytes.length || !isAt(this.#view, this.#begin + this.#at, key)) return false;
    this.#at = to;
    return true;
  }

  #hex(digits: number): string | undefined {
    const bytes = this.#bytes;
    const from = this.#at + 1;
    const to = from + digits;
    if (to >= bytes.length || bytes[from - 1] !== QUOTE || bytes[to] !== QUOTE) return undefined;
    if (!isHexAt(this.#view, this.#begin + from, digits)) return undefined;
    this.#at = to + 1;
    return bytes.latin1Slice(from, to);
  }

  #number(): number | undefined {
    const bytes = this.#bytes;
    const from = this.#at;
    const most = Math.min(bytes.length, from + NUMBER_DIGITS_MAX + 1);
    let value = 0;
    let at = from;
    for (; at < most; at += 1) {
      const code = bytes[at] as number;
      if (code < ZERO || code > NINE) break;
      value = 10 * value + (code - ZERO);
    }
    const digits = at - from;
    if (digits === 0 || digits > NUMBER_DIGITS_MAX || (bytes[from] === ZERO && digits > 1)) return undefined;
    this.#at = at;
    return value;
  }

  #key(): string | undefined {
    const bytes = this.#bytes;
    const from = this.#at + 1;
    const to = from + KEY_DIGITS;
    if (to >= bytes.length || bytes[from - 1] !== QUOTE || bytes[to] !== QUOTE) return undefined;
    const known = authorKeys.at(this.#view, this.#begin + from);
    if (known !== undefined) {
      this.#at = to + 1;
      return known;
    }
    const key = this.#hex(KEY_DIGITS);
    if (key !== undefined) authorKeys.keep(this.#view, this.#begin + from, key);
    return key;
  }

  #string(): string | undefined {
    if (!this.#takes(QUOTE)) return undefined;
    const bytes = this.#bytes;
    const from = this.#at;
    const to = bytes.indexOf(QUOTE, from);
    if (to < 0) return undefined;
    const characters = this.#charactersIn(from, to);
    if (characters === ESCAPED) return this.#parsed(from, this.#endOfEscaped(to));
    this.#at = to + 1;
    return characters === ASCII ? bytes.latin1Slice(from, to) : textIn(bytes, from, to);
  }

  #charactersIn(from: number, to: number): number {
    const view = this.#view;
    const end = this.#begin + to;
    let at = this.#begin + from;
    let all = 0;
    let others = 0;
    for (; at + 4 <= end; at += 4) {
      const characters = view.getInt32(at, true);
      all |= characters;
      others |= controlsIn(characters) | escapesIn(characters);
    }
    for (; at < end; at += 1) {
      const character = view.getUint8(at) | (SPACES & ~0xff);
      all |= character;
      others |= controlsIn(character) | escapesIn(character);
    }
    if ((others & HIGHEST) !== 0) return ESCAPED;
    return (all & HIGHEST) === 0 ? ASCII : WIDE;
  }

  /** The quote that ends a string in which something is escaped, maybe the next quote; beyond the frame where there is none. */
  #endOfEscaped(quoteAt: number): number {
    const bytes = this.#bytes;
    let at = quoteAt;
    for (let quotes = 0; quotes < QUOTES_LOOKED_FOR && at >= 0; quotes += 1) {
      let escapesAt = at;
      while (bytes[escapesAt - 1] === BACKSLASH) escapesAt -= 1;
      // Two of them are one that is escaped itself.
      if ((at - escapesAt) % 2 === 0) return at;
      at = bytes.indexOf(QUOTE, at + 1);
    }
    if (at < 0) return bytes.length;
    // There are many: from the first of them on, every character is looked at.
    for (at = quoteAt + 1; at < bytes.length && bytes[at] !== QUOTE; ) at += bytes[at] === BACKSLASH ? 2 : 1;
    return at;
  }

  #parsed(from: number, to: number): string | undefined {
    if (to >= this.#bytes.length) return undefined;
    this.#at = to + 1;
    const text = textIn(this.#bytes, from - 1, to + 1);
    if (text === undefined) return undefined;
    try {
      const parsed = JSON.parse(text) as string;
      // Only an escape can be half of a character.
      return !text.includes('\\u') || parsed.isWellFormed() ? parsed : undefined;
    } catch {
      return undefined;
    }
  }

  #tags(): readonly (readonly string[])[] | undefined {
    if (!this.#takes(LIST)) return undefined;
    if (this.#takes(LIST_END)) return NO_TAGS;
    const tags = this.#tagsRead;
    let count = 0;
    do {
      const tag = count < EVENT_LIMITS.tags ? this.#tag() : undefined;
      if (tag === undefined) return undefined;
      tags[count] = tag;
      count += 1;
    } while (this.#takes(COMMA));
    return this.#takes(LIST_END) ? frozen(tags, count) : undefined;
  }

  #tag(): readonly string[] | undefined {
    if (!this.#takes(LIST)) return undefined;
    if (this.#takes(LIST_END)) return NO_TEXTS;
    const texts = this.#textsRead;
    let count = 0;
    do {
      const text = count < EVENT_LIMITS.tagElements ? this.#text(count === 1 && texts[0] === PERSON) : undefined;
      if (text === undefined) return undefined;
      texts[count] = text;
      count += 1;
    } while (this.#takes(COMMA));
    return this.#takes(LIST_END) ? frozen(texts, count) : undefined;
  }

  /** A text of a tag: mostly an id, or a person's key, or short. */
  #text(isPerson: boolean): string | undefined {
    const bytes = this.#bytes;
    const from = this.#at + 1;
    if (from + KEY_DIGITS < bytes.length && bytes[from + KEY_DIGITS] === QUOTE) {
      const digits = isPerson ? this.#key() : this.#hex(KEY_DIGITS);
      if (digits !== undefined) return digits;
    }
    if (from > bytes.length || bytes[from - 1] !== QUOTE) return undefined;
    const most = Math.min(bytes.length, from + SHORT_TEXT_MAX + 1);
    for (let at = from; at < most; at += 1) {
      const code = bytes[at] as number;
      if (code === QUOTE) {
        this.#at = at + 1;
        return shortTexts.in(bytes, from, at);
      }
      if (code === BACKSLASH || code < SPACE || code > ASCII_LAST) break;
    }
    return this.#string();
  }
}

const ID = literalOf('id":');
const PUBKEY = literalOf('pubkey":');
const CREATED_AT = literalOf('created_at":');
const KIND = literalOf('kind":');
const TAGS = literalOf('tags":');
const CONTENT = literalOf('content":');
const SIG = literalOf('sig":');

const reader = new PlainEventReader();

export const readPlainEvent = (bytes: FrameBytes, from: number, idAt: number): NostrEvent | undefined =>
  reader.read(bytes, from, idAt);
