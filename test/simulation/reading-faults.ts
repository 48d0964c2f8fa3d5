import type { AuthEvent } from '../../machines/auth/auth.events.ts';
import { authTable } from '../../machines/auth/auth.table.ts';
import { subscriptionTable } from '../../machines/subscription/subscription.table.ts';
import { Feed, type FeedSession } from '../../src/intake/feed.ts';
import { Intake } from '../../src/intake/intake.ts';
import { Newest } from '../../src/intake/newest.ts';
import { Question } from '../../src/intake/query.ts';
import { type EventMessage, Screening } from '../../src/intake/screening.ts';
import { Seen } from '../../src/intake/seen.ts';
import { LiveSubscription } from '../../src/intake/subscription.ts';
import { type Verdict, Verification } from '../../src/intake/verification.ts';
import { Request, type WantedInput } from '../../src/intake/wanted.ts';
import { Session } from '../../src/pool/session.ts';
import type { Version } from '../../src/protocol/codec.ts';
import { all, of, type ProductFault, replace, step } from './planting.ts';

type AnyFeed = Feed<Request>;
type AuthStep = (record: object, event: AuthEvent) => readonly string[] | undefined;

/** Edits the filters of a request that has a `since`. */
function withSince(frame: string | undefined, change: (since: number) => number): string | undefined {
  if (frame === undefined) return undefined;
  const [verb, name, ...filters] = JSON.parse(frame) as [string, string, ...{ since?: number }[]];
  const changed = filters.map((filter) =>
    filter.since === undefined ? filter : { ...filter, since: change(filter.since) },
  );
  return JSON.stringify([verb, name, ...changed]);
}

/** Tells the end of what is stored in one way only. */
const told = (sink: { prototype: object }, complete: boolean): (() => void) =>
  replace(
    of(sink),
    'stored',
    (stored: (complete: boolean) => void) =>
      function always(this: unknown) {
        stored.call(this, complete);
      },
  );

type Frame = (name: string) => string | undefined;

/** Mistakes in what is received and asked for. */
export const READING_FAULTS: readonly ProductFault[] = [
  {
    says: 'an event counts as seen before it is verified',
    breaks: ['L13', 'S36'],
    plant: () =>
      replace(
        of(Screening),
        'take',
        (take: (request: Request, message: EventMessage) => void) =>
          function seenFirst(this: Screening, request: Request, message: EventMessage) {
            take.call(this, request, message);
            const { seen } = request.wanted;
            if (seen.again(message.id, request.source) === undefined) {
              seen.add(message.id, request.source, message.atMs);
            }
          },
      ),
  },
  {
    says: 'a gap begins with the newest event that came, genuine or not',
    breaks: ['L13'],
    plant: () => {
      const newest = new WeakMap<Request, number>();
      return all(
        replace(
          of(Screening),
          'take',
          (take: (request: Request, message: EventMessage, isNew: boolean) => void) =>
            function believing(this: Screening, request: Request, message: EventMessage, isNew: boolean) {
              newest.set(request, Math.max(newest.get(request) ?? 0, message.atMs));
              return take.call(this, request, message, isNew);
            },
        ),
        replace(
          of(Request),
          'frame',
          (frame: Frame) =>
            function fromNewest(this: Request, name: string) {
              const at = newest.get(this);
              const own = frame.call(this, name);
              return at === undefined ? own : withSince(own, (since) => Math.max(since, Math.floor(at / 1_000) - 60));
            },
        ),
      );
    },
  },
  {
    says: 'what is asked for after a gap does not reach back before it',
    breaks: ['L13'],
    plant: () =>
      replace(
        of(Request),
        'frame',
        (frame: Frame) =>
          function exact(this: Request, name: string) {
            return withSince(frame.call(this, name), (since) => since + 60);
          },
      ),
  },
  {
    says: 'what is stored counts as complete before its end',
    breaks: ['L13'],
    plant: () =>
      replace(
        of(Request),
        'noteEvent',
        (note: (atMs: number) => void) =>
          function early(this: Request, atMs: number) {
            const { isStoredComplete } = this;
            this.isStoredComplete = true;
            note.call(this, atMs);
            this.isStoredComplete = isStoredComplete;
          },
      ),
  },
  {
    says: 'every subscription is sent twice',
    breaks: ['S32', 'S33'],
    plant: () =>
      replace(
        of(Feed),
        'attach',
        (attach: (session: FeedSession) => void) =>
          function twice(this: AnyFeed, session: FeedSession) {
            const send = session.send.bind(session);
            session.send = (frame) => {
              const isSent = send(frame);
              if (isSent && frame.startsWith('["REQ","r')) send(frame.replace('["REQ","r', '["REQ","r9'));
              return isSent;
            };
            attach.call(this, session);
          },
      ),
  },
  {
    says: 'subscriptions are forgotten when a connection is lost',
    breaks: ['L13'],
    plant: () => {
      const lost = new WeakSet<object>();
      return step(subscriptionTable, (original) => (record, event) => {
        if (event.type === 'socket.lost') lost.add(record);
        return event.type === 'relay.resumed' && lost.has(record) ? undefined : original(record, event);
      });
    },
  },
  {
    says: 'what a relay has refused for now is asked for again at once',
    breaks: ['S32'],
    plant: () =>
      step(subscriptionTable, (original) => (record, event) => {
        const effects = original(record, event);
        if (event.type !== 'answer.refused' || !effects?.includes('retryLater')) return effects;
        record.state = 'queued';
        return ['releaseSlot', 'enqueue'];
      }),
  },
  {
    says: 'a relay is asked for as much as is wanted',
    breaks: ['S33'],
    plant: () => replace(of(Feed), 'slots', () => () => 1_000_000),
  },
  {
    says: 'whatever comes is taken for genuine',
    breaks: ['S35'],
    plant: () =>
      replace(
        of(Verification),
        'submit',
        () =>
          (_docket: object, _id: string, _event: unknown, settle: (verdict: Verdict) => void): void =>
            settle('genuine'),
      ),
  },
  {
    says: 'of versions, the first that comes stays',
    breaks: ['L13'],
    plant: () => {
      const known = new WeakMap<Newest, Set<string>>();
      return replace(
        of(Newest),
        'take',
        () =>
          function (this: Newest, { key }: Version): boolean {
            const keys = known.get(this) ?? new Set();
            known.set(this, keys);
            return !keys.has(key) && Boolean(keys.add(key));
          },
      );
    },
  },
  {
    says: 'what was delivered is delivered again',
    breaks: ['S22'],
    plant: () => replace(of(Seen), 'again', () => () => undefined),
  },
  {
    says: 'the end of what is stored is told while events before it are being verified',
    breaks: ['S36'],
    plant: () =>
      all(
        replace(
          of(Screening),
          'after',
          () =>
            (_feed: object, then: () => void): void =>
              then(),
        ),
        replace(
          of(Screening),
          'afterAll',
          () =>
            (_wanted: object, then: () => void): void =>
              then(),
        ),
      ),
  },
  {
    says: 'a question is answered without what came',
    breaks: ['S36'],
    plant: () => replace(of(Question), 'event', () => () => {}),
  },
  {
    says: 'the answer to a question is complete, whoever was late',
    breaks: ['S36'],
    plant: () => told(Question, true),
  },
  {
    says: 'the end of what is stored is never complete',
    breaks: ['S36'],
    plant: () => told(LiveSubscription, false),
  },
  {
    says: 'a page that was missed and the question whether the relay lives have a slot each',
    breaks: ['S33'],
    plan: 'a-slot-each',
    plant: () =>
      all(
        replace(of(Feed), 'mayQuestion', () => () => true),
        replace(of(Session), 'isQuestioned', () => () => false),
      ),
  },
  {
    says: 'relays are told who we are as soon as they ask',
    breaks: ['S37'],
    plant: () =>
      replace(
        authTable,
        'step',
        (original: AuthStep) => (record: object, event: AuthEvent) =>
          original(record, event.type === 'relay.challenged' ? { ...event, isEager: true } : event),
      ),
  },
  {
    says: 'a challenge that is repeated is answered again',
    breaks: ['S37'],
    plant: () =>
      replace(authTable, 'step', (original: AuthStep) => (record: { state: string }, event: AuthEvent) => {
        if (event.type !== 'relay.challenged' || record.state !== 'sent') return original(record, event);
        record.state = 'signing';
        return ['sign'];
      }),
  },
  {
    says: 'what was refused until we are known is not asked for again when we are',
    breaks: ['S37'],
    plant: () =>
      step(
        subscriptionTable,
        (original) => (record, event) => (event.type === 'auth.granted' ? undefined : original(record, event)),
      ),
  },
  {
    says: 'a question waits for relays that are late',
    breaks: ['L14', 'S36'],
    plant: () =>
      replace(
        of(Intake),
        'subscribe',
        (subscribe: (input: WantedInput, storedTimeoutMs: number) => unknown) =>
          function patient(this: Intake, input: WantedInput, storedTimeoutMs: number) {
            return subscribe.call(this, input, input.kind === 'live' ? storedTimeoutMs : 1_000 * storedTimeoutMs);
          },
      ),
  },
];
