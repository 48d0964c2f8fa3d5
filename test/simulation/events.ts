import type { NostrEvent } from '../../src/index.ts';
import { seededRandom } from '../../src/testing/index.ts';

/** Numbers of events that belong together. */
const SERIES = 500_000;

/** What looks like a signed event. Nobody in a simulation checks signatures, which would be most of its work. */
export function eventOf(seed: number, index: number): NostrEvent {
  const dice = seededRandom(`${seed}/event ${index}`);
  const hex = (length: number): string => {
    let text = '';
    while (text.length < length)
      text += Math.floor(dice() * 2 ** 32)
        .toString(16)
        .padStart(8, '0');
    return text;
  };
  const id = hex(64);
  // Some are versions of one thing: a profile.
  const kind = seededRandom(`${seed}/kind ${index}`)() < 0.15 ? 0 : 1;
  const content = 'x'.repeat(Math.round(10 * 60 ** dice()));
  return {
    id,
    pubkey: 'a'.repeat(64),
    // Some are as old as others; those of another series begin anew, and none is far ahead of its time.
    created_at: 1_700_000_000 + Math.floor((index % SERIES) / 3),
    kind,
    tags: [['n', String(index)]],
    content,
    sig: 'b'.repeat(128),
  };
}
