import { createHash } from 'node:crypto';
import type { NostrEvent } from '../../dist/src/index.js';
import { seededRandom } from '../../dist/src/testing/index.js';

/** As many as somebody follows. */
const AUTHORS = 300;

/** What notes are made of. What is not in English is mostly not ASCII either. */
const SENTENCES = [
  'Good morning to everybody who is still awake.',
  'I have moved all of it to three relays, and so far nobody has noticed.',
  'He said "duplicate", so it was there already.',
  'Does anybody know which of them keeps notes for longer than a year?',
  'https://images.example.com/2f9d4c7e81/harbour-at-noon.jpg',
  'Thank you!',
  'GM ☀️ have a day that you like to think of 🧡',
  'nostr:npub10xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqpkge6d has written about that.',
  'Schöne Grüße aus München, hier fällt noch Schnee.',
  '今日もよろしくお願いします。',
];
const HINTS = ['wss://relay.example.com/', 'wss://nostr.example.org', 'wss://relay.example.net', ''];
const TOPICS = ['nostr', 'photography', 'asknostr', 'coffee', 'grownostr'];

/** Where nothing is verified, it only has to look like chance. */
const digits = (text: string): string => createHash('sha256').update(text).digest('hex');
const signature = (index: number): string => digits(`r ${index}`) + digits(`s ${index}`);

/**
 * Notes as people write them: of one sentence to four, in half of them with lines of their own; half are replies, with ids,
 * people, and addresses of relays. Their fields are sorted by their names, as a much used relay writes them.
 */
export function notes(count: number): readonly NostrEvent[] {
  const random = seededRandom('notes');
  const below = (most: number): number => Math.floor(random() * most);
  const oneOf = (list: readonly string[]): string => list[below(list.length)] as string;
  const author = (): string => digits(`author ${below(AUTHORS)}`);
  const replyTags = (): string[][] => [
    ['e', digits(`note ${below(count)}`), oneOf(HINTS), 'root'],
    ...(random() < 0.5 ? [['e', digits(`note ${below(count)}`), oneOf(HINTS), 'reply']] : []),
    ...Array.from({ length: 1 + below(2) }, () => ['p', author()]),
  ];
  return Array.from({ length: count }, (_, index) => {
    const between = random() < 0.5 ? '\n\n' : ' ';
    const content = Array.from({ length: 1 + below(4) }, () => oneOf(SENTENCES)).join(between);
    const isReply = random() < 0.5;
    return {
      content,
      created_at: 1_790_000_000 - index,
      id: digits(`note ${index}`),
      kind: 1,
      pubkey: author(),
      sig: signature(index),
      tags: isReply ? replyTags() : random() < 0.3 ? [['t', oneOf(TOPICS)]] : [],
    };
  });
}

/** Events that take a parser the least: of authors who write once each, two hundred times one letter, with one short tag. */
export const bareEvents = (count: number): readonly NostrEvent[] =>
  Array.from({ length: count }, (_, index) => ({
    id: digits(`event ${index}`),
    pubkey: digits(`writer ${index}`),
    created_at: 1_790_000_000,
    kind: 1,
    tags: [['n', '0']],
    content: 'x'.repeat(200),
    sig: signature(index),
  }));
