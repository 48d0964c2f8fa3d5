import type { NostrFilter, QueryResult, Subscription, SubscriptionEnd } from '../../src/index.ts';
import type { SubscribePlan } from './plan.ts';

/** Names a subscription in its filters, where every relay can see it: no event is ever as late as this. */
const FAR_AWAY_SECONDS = 4_000_000_000;

/** A subscription of the application, and what it has brought. */
export interface ReaderView {
  readonly plan: SubscribePlan;
  /** Milliseconds of the world at which it began. */
  readonly since: number;
  readonly subscription: Subscription;
  /** What was delivered, and how often, by id. */
  readonly received: Map<string, number>;
  ended: SubscriptionEnd | undefined;
  /** Whether the end of what is stored was told. */
  isStoredTold: boolean;
}

/** Names of questions begin here, beyond those of subscriptions. */
const QUESTIONS = 1_000_000;

/** A question of the application, and what it was answered. */
export interface QuestionView {
  readonly name: number;
  readonly kinds: readonly number[];
  readonly result: QueryResult;
}

export const questionName = (number: number): number => QUESTIONS + number;
export const isQuestion = (name: number | 'page'): name is number => name !== 'page' && name >= QUESTIONS;
export const questionFilter = (name: number, kinds: readonly number[]): NostrFilter => ({
  kinds: [...kinds],
  until: FAR_AWAY_SECONDS + name,
});

export const filterOf = ({ name, kinds, limit }: SubscribePlan): NostrFilter => ({
  ...(kinds ? { kinds } : {}),
  ...(limit === undefined ? {} : { limit }),
  until: FAR_AWAY_SECONDS + name,
});

/**
 * Which subscription or question a request is about, from its frame; nothing for probes. What fetches a page of what was
 * missed does not say for which.
 */
export function nameOf(frame: string): { readonly id: string; readonly name: number | 'page' } | undefined {
  if (!frame.startsWith('["REQ"')) return undefined;
  const [, id, filter] = JSON.parse(frame) as [string, string, { until?: number }];
  if (filter.until === undefined) return undefined;
  return { id, name: filter.until < FAR_AWAY_SECONDS ? 'page' : filter.until - FAR_AWAY_SECONDS };
}

/** Whether what a relay has is meant by a subscription. */
export const isMeant = ({ kinds }: Pick<SubscribePlan, 'kinds'>, kind: number): boolean =>
  kinds === undefined || kinds.includes(kind);
