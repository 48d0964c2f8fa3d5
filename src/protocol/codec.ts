import type { Span } from '../../machines/policy/gap.ts';
import type { Refusal } from '../../machines/policy/refusal.ts';
import type { Frame, Place } from '../frame.ts';

/** An event of the application, checked and made ready to be sent. */
export interface PreparedEvent {
  /** Names the event by a hash of what it says: 64 lower-case hex digits, the same for the same content. */
  readonly id: string;
  /** The frame that publishes it. */
  readonly frame: string;
  /** Where a newer event takes the place of an older one. */
  readonly version?: Version;
}

/** Which of several events replaces the others. */
export interface Version {
  /** Names what is replaced; events of the same key are versions of one thing. */
  readonly key: string;
  /** The later the newer; among equals the smaller id wins. */
  readonly at: number;
}

/** What is asked for, checked and ready to be sent; and whether a received event is among it. */
export interface PreparedFilters {
  readonly list: readonly object[];
  matches(event: unknown): boolean;
}

/** What a relay said, typed. Nothing in it is trusted further than its type says. */
export type Message =
  /** The answer to a published event. */
  | { readonly type: 'answer'; readonly id: string; readonly accepted: true; readonly duplicate: boolean }
  | { readonly type: 'answer'; readonly id: string; readonly accepted: false; readonly refusal: Refusal }
  /**
   * Rebuilt from what an event may have, and frozen; whether it is genuine is not known yet. `atMs` is its own time. One with
   * another `id` than 64 lower-case hex digits is delivered to nobody.
   */
  | {
      readonly type: 'event';
      readonly subscription: string;
      readonly id: string;
      readonly atMs: number;
      readonly event: unknown;
      /** What was seen of it before, where that was the same id. */
      readonly glimpse?: Glimpse | undefined;
    }
  /** Everything stored has been sent; `more` says that the relay stopped before its end (NIP-67). */
  | { readonly type: 'end-of-stored'; readonly subscription: string; readonly more: boolean }
  | { readonly type: 'closed'; readonly subscription: string; readonly refusal: Refusal }
  | { readonly type: 'count'; readonly subscription: string; readonly count: number; readonly approximate: boolean }
  /** About a comparison of what the relay has with what we have; `isRefused` with the relay's words, made safe to show. */
  | { readonly type: 'comparison'; readonly name: string; readonly text: string; readonly isRefused: boolean }
  | { readonly type: 'challenge'; readonly challenge: string }
  /** Words for people. `refusal` is what they mean if they refuse the only message that is unanswered. */
  | { readonly type: 'notice'; readonly text: string; readonly refusal?: Refusal }
  /** Bytes that are no UTF-8. The connection ends with it (RFC 6455, section 8.1). */
  | { readonly type: 'garbled' }
  /** Not understood. `problem` is one of a fixed set of words, fit for counting. */
  | { readonly type: 'malformed'; readonly problem: string };

/** What is seen of an event in a frame without parsing it: where its id stands, and the subscription. */
export interface Glimpse extends Place {
  readonly subscription: string;
}

/** A question that a living relay always answers, and how to recognise its answer. */
export interface Probe {
  readonly frame: string;
  isAnswer(message: Message): boolean;
  /** Frame that cleans up after the answer. */
  readonly cleanup: string;
}

/** A protocol: turns what the application means into frames, and frames into messages. It never throws on input. */
export interface Codec {
  readonly name: string;
  /** Checks an event; throws `INVALID_EVENT` with what is wrong. */
  prepare(event: unknown): PreparedEvent;
  /** Checks filters and copies them; throws `INVALID_FILTER` with what is wrong. */
  filters(given: unknown): PreparedFilters;
  /** What of them asks for events from a time on, and up to one, without bounds on how many; perhaps nothing. */
  filtersSince(filters: readonly object[], sinceMs: number, untilMs?: number): readonly object[];
  /** What a received event is a version of, where events replace each other. */
  versionOf(event: unknown): Version | undefined;
  /** Whether two received events are the same in every part. */
  isSame(one: unknown, other: unknown): boolean;
  /**
   * Nothing where the frame is no event, or is written in another way than usual. No content of an event can make it see
   * another id.
   */
  skim(frame: Frame): Glimpse | undefined;
  subscribe(subscription: string, filters: readonly object[]): string;
  unsubscribe(subscription: string): string;
  count(subscription: string, filters: readonly object[]): string;
  /** What asks for events by their ids. */
  byIds(ids: readonly string[]): PreparedFilters;
  /** Begins a comparison of all that a filter asks for within a span, goes on with it, and ends it (NIP-77). */
  compare(name: string, filter: object, span: Span, message: string): string;
  compareOn(name: string, message: string): string;
  endComparison(name: string): string;
  /** The event that answers a challenge of the relay that was dialled at this URL, before it is signed (NIP-42). */
  authTemplate(url: string, challenge: string, nowMs: number): object;
  /** Checks that a signer has signed just that; throws `INVALID_EVENT` with what is wrong. */
  authenticate(
    template: object,
    signed: unknown,
  ): { readonly id: string; readonly pubkey: string; readonly frame: string };
  /** `token` is unique within the connection. */
  probe(token: string): Probe;
  /** `glimpse` is what skimming the same frame has shown. */
  decode(frame: Frame, glimpse?: Glimpse): Message;
}
