import type { NostrEvent } from '../protocol/nostr/event.ts';

/** What a worker is asked, and what it answers. */
export interface Question {
  readonly number: number;
  readonly events: readonly NostrEvent[];
}

export type Answer = { readonly number: number } & (
  | { readonly verdicts: readonly boolean[] }
  /** It could not do its work, such as for want of its library. */
  | { readonly problem: string }
);

/** A worker, on whatever platform. */
export interface RunningWorker {
  ask(question: Question): void;
  stop(): Promise<void> | void;
}

/** Starts a worker; `ended` is called when it has died by itself. */
export type StartWorker = (answered: (answer: Answer) => void, ended: (problem: string) => void) => RunningWorker;

/** Answers questions by a function that may throw. */
export async function answerTo(
  { number, events }: Question,
  verify: (events: readonly NostrEvent[]) => Promise<readonly boolean[]>,
): Promise<Answer> {
  try {
    return { number, verdicts: await verify(events) };
  } catch (error) {
    return { number, problem: String(error) };
  }
}
