import type { Dice } from '../random.ts';

/** How often something goes wrong: always, never, or on this share of occasions, from 0 to 1. */
export type Share = boolean | number;

/** What a relay does wrong. Each switch is independent of the others and can be turned back at any time. */
export interface RelayFaults {
  /** Reset every new TCP connection. */
  refuse: boolean;
  /** Accept TCP, and never answer the upgrade. */
  tarpit: boolean;
  /** Answer the upgrade with this HTTP status instead, and with these headers. */
  httpStatus: number | undefined;
  httpHeaders: Readonly<Record<string, string>>;
  /** Close every connection with this code right after accepting it. */
  closeOnAccept: number | undefined;
  /** Upgrade, and never answer anything. Frames are read and counted. */
  silent: boolean;
  /** Leave pings unanswered. */
  noPongs: boolean;
  /** Keep TCP open after a Close frame, and leave the client's Close frame unanswered. */
  lingers: boolean;
  /** Milliseconds before every answer. */
  delayMs: number;
  /** Milliseconds that every published event takes, one after the other: how fast the relay works, and how it is overloaded. */
  serviceMs: number;
  /** Store published events, and do not say so. */
  swallowAcks: Share;
  /** Say so only after `lateByMs` more. */
  lateAcks: Share;
  lateByMs: number;
  /** Say so twice. */
  repeatAcks: Share;
  /** Say so, and then the opposite. */
  contradictAcks: Share;
  /** Say so in a way that NIP-01 does not know: `"true"`, upper case, no flag. */
  malformAcks: Share;
  /** Acknowledge events that were never sent here as well. */
  strayAcks: Share;
  /** Send something that is no message before an answer. */
  babble: Share;
  /** Answer published events with a NOTICE of these words, and with no OK. */
  noticeAcks: string | undefined;
  /** Refuse no other events than those of this kind. */
  refusedKind: number | undefined;
  /** Close the connection with this code on a message that is larger than so many bytes. */
  messageBytesMax: number;
  tooLargeCode: number;
  /** Serve no requests: answer them with a NOTICE and an EOSE without a name, or not at all. */
  unserved: 'notice' | 'silent' | undefined;
  /** Refuse published events with this, such as `blocked: not you`; all of them, or a share. */
  refuseWith: string | undefined;
  refusals: Share;
  /** Refuse with `rate-limited:` what exceeds so many events a second, after a burst of as many. */
  ratePerSecond: number;
  /** Refuse events whose time is further than this from the relay's own, which may be wrong. */
  freshMs: number;
  clockOffsetMs: number;
  /** Serve so many subscriptions of one connection at a time; what exceeds them is closed with these words, or with a notice. */
  subscriptionsMax: number;
  tooManyWith: string;
  tooManyByNotice: boolean;
  /** Close subscriptions with this, such as `error: not now`, when they are asked for; all of them, or a share. */
  closeWith: string | undefined;
  closures: Share;
  /** Send no more than so many stored events. */
  storedMax: number;
  /** Never say that all that was stored has been sent, or say it twice. */
  swallowEose: Share;
  repeatEose: Share;
  /** Send before an event a copy of it whose signature is wrong; and after it one with another content. */
  poison: Share;
  tamper: Share;
  /** Send with an event one that the filter does not match; one from the far future; and one for nobody's subscription. */
  unmatched: Share;
  ahead: Share;
  unknown: Share;
  /** Send every event twice. */
  repeatEvents: Share;
  /**
   * Not know what a comparison is (NIP-77); refuse it; answer nonsense; name events that were not asked for; or begin, and
   * say no more.
   */
  comparing: 'unknown' | 'refuse' | 'nonsense' | 'strangers' | 'stall' | undefined;
  /** Demand authentication (NIP-42): with a challenge on connecting, or only with the refusal. */
  requireAuth: 'before' | 'after' | undefined;
}

export const NO_FAULTS: Readonly<RelayFaults> = Object.freeze({
  refuse: false,
  tarpit: false,
  httpStatus: undefined,
  httpHeaders: {},
  closeOnAccept: undefined,
  silent: false,
  noPongs: false,
  lingers: false,
  delayMs: 0,
  serviceMs: 0,
  swallowAcks: false,
  lateAcks: false,
  lateByMs: 0,
  repeatAcks: false,
  contradictAcks: false,
  malformAcks: false,
  strayAcks: false,
  babble: false,
  noticeAcks: undefined,
  refusedKind: undefined,
  messageBytesMax: Number.POSITIVE_INFINITY,
  tooLargeCode: 1009,
  unserved: undefined,
  refuseWith: undefined,
  refusals: true,
  ratePerSecond: Number.POSITIVE_INFINITY,
  freshMs: Number.POSITIVE_INFINITY,
  clockOffsetMs: 0,
  subscriptionsMax: Number.POSITIVE_INFINITY,
  tooManyWith: 'error: too many concurrent REQs',
  tooManyByNotice: false,
  closeWith: undefined,
  closures: true,
  storedMax: Number.POSITIVE_INFINITY,
  swallowEose: false,
  repeatEose: false,
  poison: false,
  tamper: false,
  unmatched: false,
  ahead: false,
  unknown: false,
  repeatEvents: false,
  comparing: undefined,
  requireAuth: undefined,
});

/** Whether it goes wrong this time. The dice are not thrown where there is nothing to decide. */
export const happens = (share: Share, dice: Dice): boolean =>
  typeof share === 'boolean' ? share : share > 0 && dice() < share;
