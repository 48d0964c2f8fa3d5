import { type FrameBytes, memoryOf, textIn } from '../../frame.ts';
import { isHexAt } from '../hex.ts';
import { isAt, type Literal, literalOf } from '../literal.ts';
import { EVENT_LIMITS, type NostrEvent } from './event.ts';

const codeOf = (character: string): number => character.charCodeAt(0);
const [QUOTE, COMMA, BACKSLASH] = [codeOf('"'), codeOf(','), codeOf('\\')];
const [LIST, LIST_END, OBJECT, OBJECT_END] = [codeOf('['), codeOf(']'), codeOf('{'), codeOf('}')];
const [ZERO, NINE] = [codeOf('0'), codeOf('9')];

/** Digits of the largest number that is read: with one more, it could be more than a number holds exactly. */
const NUMBER_DIGITS_MAX = 15;

/** In each of four bytes the highest bit, and the first character that may stand in a string as it is. */
const HIGHEST = 0x80808080;
const SPACES = 0x20202020;

/** Has the highest bit of a byte set where not each of four characters is of ASCII, and none that has to be escaped as such. */
const strayIn = (characters: number): number => characters | (characters - SPACES);

const NO_TAGS: readonly (readonly string[])[] = Object.freeze([]);
const NO_TEXTS: readonly string[] = Object.freeze([]);

/** Frozen. A list that has grown from so many has room for sixteen more, which whoever keeps events would keep, too. */
const tight = <Item>(list: readonly Item[], from: number): readonly Item[] =>
  Object.freeze(list.length === from ? list : list.slice());

/**
 * Reads an event that is written as nearly all are: the seven fields once each, in any order, no space between anything. What
 * it reads is what `JSON.parse` would have read and `adoptEvent` would have made of it, for half of the price; whatever it is
 * not sure of it leaves to them. Its texts are their own, so that one that is kept does not keep the frame.
 */
class PlainEventReader {
  #bytes!: FrameBytes;
  #view!: DataView;
  /** Where the frame begins in memory. */
  #begin = 0;
  #at = 0;
  /** The next place where something is escaped, as far as that has been looked for; below 0 where there is none. */
  #backslashAt = 0;

  /** The event after the comma at a place, with its id at another, which ends the list that it is in and with that the frame. */
  read(bytes: FrameBytes, from: number, idAt: number): NostrEvent | undefined {
    this.#bytes = bytes;
    const { view, from: begin } = memoryOf(bytes);
    this.#view = view;
    this.#begin = begin;
    this.#at = from;
    this.#backslashAt = bytes.indexOf(BACKSLASH, from);
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
      if (id === undefined && this.#takesKey(ID)) {
        if (this.#at + 1 !== idAt) return undefined;
        id = this.#hex(64);
        if (id === undefined) return undefined;
      } else if (pubkey === undefined && this.#takesKey(PUBKEY)) {
        pubkey = this.#hex(64);
        if (pubkey === undefined) return undefined;
      } else if (created_at === undefined && this.#takesKey(CREATED_AT)) {
        created_at = this.#number();
        if (created_at === undefined) return undefined;
      } else if (kind === undefined && this.#takesKey(KIND)) {
        kind = this.#number();
        if (kind === undefined || kind > EVENT_LIMITS.kindMax) return undefined;
      } else if (tags === undefined && this.#takesKey(TAGS)) {
        tags = this.#tags();
        if (tags === undefined) return undefined;
      } else if (content === undefined && this.#takesKey(CONTENT)) {
        content = this.#string();
        if (content === undefined) return undefined;
      } else if (sig === undefined && this.#takesKey(SIG)) {
        sig = this.#hex(128);
        if (sig === undefined) return undefined;
      } else return undefined;
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

  #string(): string | undefined {
    if (!this.#takes(QUOTE)) return undefined;
    const bytes = this.#bytes;
    const from = this.#at;
    const to = bytes.indexOf(QUOTE, from);
    if (to < 0) return undefined;
    if (this.#backslashAt >= 0 && this.#backslashAt < from) this.#backslashAt = bytes.indexOf(BACKSLASH, from);
    if (this.#backslashAt >= 0 && this.#backslashAt < to) return this.#parsed(from, this.#endOfEscaped());
    if (!this.#isPlain(from, to)) return this.#parsed(from, to);
    this.#at = to + 1;
    // Most names of tags are one letter, of which there is a text already.
    return to === from + 1 ? String.fromCharCode(bytes[from] as number) : bytes.latin1Slice(from, to);
  }

  /** Whether nothing but ASCII stands there, and nothing that must not stand in a string as it is. */
  #isPlain(from: number, to: number): boolean {
    const view = this.#view;
    const end = this.#begin + to;
    let at = this.#begin + from;
    let stray = 0;
    for (; at + 16 <= end; at += 16) {
      stray |= strayIn(view.getInt32(at, true)) | strayIn(view.getInt32(at + 4, true));
      stray |= strayIn(view.getInt32(at + 8, true)) | strayIn(view.getInt32(at + 12, true));
    }
    for (; at + 4 <= end; at += 4) stray |= strayIn(view.getInt32(at, true));
    for (; at < end; at += 1) stray |= strayIn(view.getUint8(at) | (SPACES & ~0xff));
    return (stray & HIGHEST) === 0;
  }

  /** The quote that ends the string in which the next character is escaped. */
  #endOfEscaped(): number {
    const bytes = this.#bytes;
    let at = this.#backslashAt;
    while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
    return at;
  }

  #parsed(from: number, to: number): string | undefined {
    if (to >= this.#bytes.length) return undefined;
    this.#at = to + 1;
    const text = textIn(this.#bytes, from - 1, to + 1);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as string;
    } catch {
      return undefined;
    }
  }

  #tags(): readonly (readonly string[])[] | undefined {
    if (!this.#takes(LIST)) return undefined;
    if (this.#takes(LIST_END)) return NO_TAGS;
    const first = this.#tag();
    if (first === undefined) return undefined;
    const tags = [first];
    while (this.#takes(COMMA)) {
      const tag = this.#tag();
      if (tag === undefined || tags.length === EVENT_LIMITS.tags) return undefined;
      tags.push(tag);
    }
    return this.#takes(LIST_END) ? tight(tags, 1) : undefined;
  }

  // Nearly all have two texts or three.
  #tag(): readonly string[] | undefined {
    if (!this.#takes(LIST)) return undefined;
    if (this.#takes(LIST_END)) return NO_TEXTS;
    const first = this.#string();
    if (first === undefined) return undefined;
    if (this.#takes(LIST_END)) return Object.freeze([first]);
    const second = this.#next();
    if (second === undefined) return undefined;
    if (this.#takes(LIST_END)) return Object.freeze([first, second]);
    const third = this.#next();
    if (third === undefined) return undefined;
    const texts = [first, second, third];
    while (!this.#takes(LIST_END)) {
      const text = this.#next();
      if (text === undefined || texts.length === EVENT_LIMITS.tagElements) return undefined;
      texts.push(text);
    }
    return tight(texts, 3);
  }

  #next(): string | undefined {
    return this.#takes(COMMA) ? this.#string() : undefined;
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
