import { AUTH } from '../../../machines/policy/limits.ts';
import type { NostrEvent } from '../../../src/index.ts';
import type { Invariant, Wire } from '../scene.ts';

/** What has been said about who we are on one connection. */
interface Round {
  /** The challenges that came, and what was answered by which key. */
  readonly challenges: Set<string>;
  readonly answers: Set<string>;
  /** Whether something was refused for want of it. */
  isRequired: boolean;
  /** Ids of answers that are open. */
  readonly open: Set<string>;
}

/** Milliseconds after which all that waited for a key has been asked for, though another key may not be known yet. */
const ASKED_MS = AUTH.furtherKeysMs + 2_000;

const authentication: Invariant = {
  ids: 'S37',
  says: 'only a challenge of this connection is answered, by each key once, and only after something was refused for want of it',
  watch: (scene) => {
    const rounds = new WeakMap<Wire, Round>();
    /** Connections on which a key is known, and since when. */
    const known = new Map<Wire, number>();
    const on = (wire: Wire): Round => {
      let round = rounds.get(wire);
      if (!round) {
        round = {
          challenges: new Set(),
          answers: new Set(),
          isRequired: false,
          open: new Set(),
        };
        rounds.set(wire, round);
      }
      return round;
    };
    return {
      sent(wire, relay, _eventId, frame) {
        const round = on(wire);
        if (!frame.startsWith('["AUTH"')) return;
        const [, { id, pubkey, tags }] = JSON.parse(frame) as [string, NostrEvent];
        const tag = (wanted: string): string | undefined => tags.find(([key]) => key === wanted)?.[1];
        const challenge = tag('challenge') ?? '';
        if (!round.challenges.has(challenge)) scene.fail('S37', `${relay.url} is told who we are, and has not asked`);
        if (tag('relay') !== relay.url) scene.fail('S37', `${relay.url} is told what is meant for ${tag('relay')}`);
        if (!round.isRequired) scene.fail('S37', `${relay.url} is told who we are before anything depends on it`);
        const answer = `${challenge} ${pubkey}`;
        if (round.answers.has(answer)) scene.fail('S37', `${relay.url} is told twice who we are`);
        round.answers.add(answer);
        round.open.add(id);
      },
      received(wire, _relay, message) {
        const round = on(wire);
        if (message.type === 'challenge') round.challenges.add(message.challenge);
        if (message.type === 'answer' && round.open.delete(message.id) && message.accepted) {
          scene.mark('authenticated');
          if (!known.has(wire)) known.set(wire, scene.now);
        }
        const isRefused = (message.type === 'answer' && !message.accepted) || message.type === 'closed';
        if (!isRefused || message.refusal.class !== 'unauthenticated') return;
        round.isRequired = true;
      },
      began() {
        known.clear();
      },
      ended(wire) {
        known.delete(wire);
      },
      stepped() {
        for (const [wire, at] of known) {
          if (scene.now - at < ASKED_MS) continue;
          known.delete(wire);
          if (scene.timeWasOdd) continue;
          for (const { plan, ended, subscription } of scene.readers) {
            const isLeft = ended === undefined && subscription.status()[wire.url]?.state === 'unauthenticated';
            if (isLeft) scene.fail('S37', `${wire.url} knows who we are, and is not asked for ${plan.name}`);
          }
        }
      },
    };
  },
};

export const AUTHENTICATION_INVARIANTS: readonly Invariant[] = [authentication];
