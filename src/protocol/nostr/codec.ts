import { RecloserError } from '../../../machines/policy/error.ts';
import { isAboutRoom } from '../../../machines/policy/request.ts';
import { type Frame, type FrameBytes, textOf } from '../../frame.ts';
import type { Codec, Glimpse, Message } from '../codec.ts';
import { adoptEvent, isId, isSameEvent, type NostrEvent, requireEvent, versionOf } from './event.ts';
import { filtersSince, filterWithin, type NostrFilter, prepareFilters } from './filter.ts';
import { readPlainEvent } from './plain-event.ts';
import { isDuplicate, noticeRefusal, refusalOf } from './refusal.ts';
import { eventAt, ID_LENGTH, SUBSCRIPTION_LENGTH_MAX, skim } from './skim.ts';
import { safeText } from './text.ts';

/** Longest challenge that is listened to, in characters. */
const CHALLENGE_LENGTH_MAX = 1_024;

/** Kind of the event that authenticates (NIP-42). */
const AUTH_KIND = 22_242;

/** An id that no event can have, as far as anybody can tell: nobody finds a pre-image of it. */
const NO_EVENT = '0'.repeat(64);

const malformed = (problem: string): Message => ({ type: 'malformed', problem });

const isSubscription = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= SUBSCRIPTION_LENGTH_MAX;

function decodeOk([, id, accepted, text]: readonly unknown[]): Message {
  if (!isId(id)) return malformed('ok-id');
  // Only true and false count: "true" and 1 have been seen, and mean nothing.
  if (typeof accepted !== 'boolean') return malformed('ok-flag');
  const words = typeof text === 'string' ? text : '';
  if (accepted || isDuplicate(words)) {
    return { type: 'answer', id, accepted: true, duplicate: isDuplicate(words) };
  }
  return { type: 'answer', id, accepted: false, refusal: refusalOf(words) };
}

const ACCEPTED = { begins: '["OK","', ends: '",true,""]' } as const;
const ACCEPTED_LENGTH = ACCEPTED.begins.length + ID_LENGTH + ACCEPTED.ends.length;

/** The answer that says yes and no more, as nearly all do: it has one way to be written without spaces, and needs no parser. */
function readAcceptance(frame: string): Message | undefined {
  if (frame.length !== ACCEPTED_LENGTH || !frame.startsWith(ACCEPTED.begins) || !frame.endsWith(ACCEPTED.ends)) {
    return undefined;
  }
  const id = frame.slice(ACCEPTED.begins.length, ACCEPTED.begins.length + ID_LENGTH);
  return isId(id) ? { type: 'answer', id, accepted: true, duplicate: false } : undefined;
}

const eventMessage = (subscription: string, event: NostrEvent, glimpse?: Glimpse): Message => ({
  type: 'event',
  subscription,
  id: event.id,
  atMs: event.created_at * 1_000,
  event,
  glimpse,
});

function decodeEvent([, subscription, value]: readonly unknown[], frame: string, glimpse?: Glimpse): Message {
  if (!isSubscription(subscription)) return malformed('event-subscription');
  const event = adoptEvent(value);
  if (!event) return malformed('event-shape');
  const isSeen = glimpse !== undefined && frame.startsWith(event.id, glimpse.at);
  return eventMessage(subscription, event, isSeen ? glimpse : undefined);
}

function decodeEose([, subscription, extent]: readonly unknown[]): Message {
  if (!isSubscription(subscription)) return malformed('eose-subscription');
  return { type: 'end-of-stored', subscription, more: extent === 'more' };
}

function decodeClosed([, subscription, text]: readonly unknown[]): Message {
  if (!isSubscription(subscription)) return malformed('closed-subscription');
  return { type: 'closed', subscription, refusal: refusalOf(typeof text === 'string' ? text : '') };
}

function decodeCount([, subscription, value]: readonly unknown[]): Message {
  if (!isSubscription(subscription)) return malformed('count-subscription');
  const { count, approximate } = (value ?? {}) as { count?: unknown; approximate?: unknown };
  if (!Number.isSafeInteger(count) || (count as number) < 0) return malformed('count-value');
  return { type: 'count', subscription, count: count as number, approximate: approximate === true };
}

function decodeAuth([, challenge]: readonly unknown[]): Message {
  const fits = typeof challenge === 'string' && challenge.length > 0 && challenge.length <= CHALLENGE_LENGTH_MAX;
  return fits ? { type: 'challenge', challenge } : malformed('auth-challenge');
}

function decodeComparison([, name, text]: readonly unknown[]): Message {
  if (!isSubscription(name)) return malformed('comparison-name');
  if (typeof text !== 'string' || !/^([0-9a-f]{2})+$/.test(text)) return malformed('comparison-message');
  return { type: 'comparison', name, text, isRefused: false };
}

function decodeComparisonError([, name, text]: readonly unknown[]): Message {
  if (!isSubscription(name)) return malformed('comparison-name');
  return { type: 'comparison', name, text: safeText(typeof text === 'string' ? text : ''), isRefused: true };
}

function decodeNotice([, text]: readonly unknown[]): Message {
  return typeof text === 'string'
    ? { type: 'notice', text: safeText(text), refusal: noticeRefusal(text) }
    : malformed('notice-text');
}

const DECODERS: ReadonlyMap<unknown, (message: readonly unknown[], frame: string, glimpse?: Glimpse) => Message> =
  new Map([
    ['OK', decodeOk],
    ['EVENT', decodeEvent],
    ['EOSE', decodeEose],
    ['CLOSED', decodeClosed],
    ['COUNT', decodeCount],
    ['AUTH', decodeAuth],
    ['NEG-MSG', decodeComparison],
    ['NEG-ERR', decodeComparisonError],
    ['NOTICE', decodeNotice],
  ]);

function decodeText(frame: Frame, glimpse?: Glimpse): Message {
  const text = textOf(frame);
  if (text === undefined) return { type: 'garbled' };
  const acceptance = readAcceptance(text);
  if (acceptance) return acceptance;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return malformed('json');
  }
  if (!Array.isArray(parsed)) return malformed('not-a-list');
  const decode = DECODERS.get(parsed[0]);
  return decode ? decode(parsed, text, glimpse) : malformed('unknown-type');
}

/** An event, where it is written plainly: nearly all are, and most of what comes is events. */
function decodePlain(frame: FrameBytes, glimpse: Glimpse | undefined): Message | undefined {
  const event = glimpse && readPlainEvent(frame, eventAt(glimpse), glimpse.at);
  return event && eventMessage(glimpse.subscription, event, glimpse);
}

/** As JSON would have it, at half its price: of the seven fields, only two can hold anything that has to be escaped. */
function frameOf({ id, pubkey, created_at, kind, tags, content, sig }: NostrEvent): string {
  return (
    `["EVENT",{"id":"${id}","pubkey":"${pubkey}","created_at":${created_at},"kind":${kind},` +
    `"tags":${JSON.stringify(tags)},"content":${JSON.stringify(content)},"sig":"${sig}"}]`
  );
}

/** Nostr: NIP-01, with the messages of NIP-42, NIP-45 and NIP-77, and the third element of EOSE from NIP-67. */
export const nostrCodec: Codec = {
  name: 'nostr',
  prepare(value) {
    const event = requireEvent(value);
    const version = versionOf(event);
    return { id: event.id, frame: frameOf(event), ...(version ? { version } : {}) };
  },
  filters: prepareFilters,
  filtersSince,
  versionOf: (event) => versionOf(event as NostrEvent),
  isSame: (one, other) => isSameEvent(one as NostrEvent, other as NostrEvent),
  skim,
  subscribe: (subscription, filters) => JSON.stringify(['REQ', subscription, ...filters]),
  unsubscribe: (subscription) => JSON.stringify(['CLOSE', subscription]),
  count: (subscription, filters) => JSON.stringify(['COUNT', subscription, ...filters]),
  byIds: (ids) => prepareFilters({ ids }),
  compare: (name, filter: NostrFilter, span, message) =>
    JSON.stringify(['NEG-OPEN', name, filterWithin(filter, span), message]),
  compareOn: (name, message) => JSON.stringify(['NEG-MSG', name, message]),
  endComparison: (name) => JSON.stringify(['NEG-CLOSE', name]),
  authTemplate: (url, challenge, nowMs) => ({
    kind: AUTH_KIND,
    created_at: Math.floor(nowMs / 1_000),
    tags: [
      ['relay', url],
      ['challenge', challenge],
    ],
    content: '',
  }),
  authenticate(template, signed) {
    const event = requireEvent(signed);
    const { kind, created_at, tags, content } = event;
    if (JSON.stringify({ kind, created_at, tags, content }) !== JSON.stringify(template)) {
      throw new RecloserError('INVALID_EVENT', 'The signer has signed something else than it was asked to.');
    }
    return { id: event.id, pubkey: event.pubkey, frame: JSON.stringify(['AUTH', event]) };
  },
  probe(token) {
    const subscription = `probe-${token}`;
    return {
      frame: nostrCodec.subscribe(subscription, [{ ids: [NO_EVENT], limit: 1 }]),
      isAnswer: (message) =>
        message.type === 'end-of-stored' || message.type === 'closed'
          ? message.subscription === subscription
          : // Some say in this way that there are too many already, and that they live.
            message.type === 'notice' && isAboutRoom({ prefix: '', text: message.text }),
      cleanup: nostrCodec.unsubscribe(subscription),
    };
  },
  decode: (frame, glimpse) => {
    if (typeof frame === 'string') return decodeText(frame, glimpse);
    // What was seen in bytes is counted in bytes, and may stand elsewhere in the text.
    return decodePlain(frame, glimpse) ?? decodeText(frame);
  },
};
