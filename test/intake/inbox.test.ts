import { expect, test } from 'vitest';
import { Inbox, type InboxNeeds } from '../../src/intake/inbox.ts';
import type { Glimpse, Message } from '../../src/protocol/codec.ts';

const URL = 'wss://relay.example/';

/** An inbox for subscriptions at one relay, which have seen nothing; and what reaches their screening. */
function inboxOf(names: readonly string[]) {
  const requests = names.map((name) => ({
    name,
    feed: { url: URL, heard: () => {} },
    source: 0,
    wanted: { kind: 'live', seen: { again: () => undefined } },
  }));
  const taken: [name: string, isNew: boolean][] = [];
  const needs = {
    feedOf: () => ({ itemOf: (name: string) => requests.find((request) => request.name === name) }),
    screening: { take: (request: { name: string }, _: Message, isNew: boolean) => taken.push([request.name, isNew]) },
  };
  return { inbox: new Inbox(needs as unknown as InboxNeeds), taken };
}

const glimpseOf = (subscription: string): Glimpse => ({ subscription, text: subscription, at: 0 });
const event = (subscription: string, glimpse?: Glimpse): Extract<Message, { type: 'event' }> => ({
  type: 'event',
  subscription,
  id: 'a'.repeat(64),
  atMs: 0,
  event: {},
  glimpse,
});

test('an event that was seen to be new is not looked up once more', () => {
  const { inbox, taken } = inboxOf(['r1']);
  const glimpse = glimpseOf('r1');
  expect(inbox.handles(URL, glimpse)).toBe(false);
  inbox.receive(URL, event('r1', glimpse));
  expect(taken).toEqual([['r1', true]]);
});

test('one that was not seen, or not the last, is for the subscription that it names, and looked up', () => {
  const { inbox, taken } = inboxOf(['r1', 'r2']);
  expect(inbox.handles(URL, glimpseOf('r1'))).toBe(false);
  inbox.receive(URL, event('r2', glimpseOf('r2')));
  inbox.receive(URL, event('r2'));
  expect(taken).toEqual([
    ['r2', false],
    ['r2', false],
  ]);
});
