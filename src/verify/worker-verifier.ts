import { startWorker, usualWorkers } from '#worker';
import { RecloserError, shown } from '../../machines/policy/error.ts';
import type { NostrEvent } from '../protocol/nostr/event.ts';
import type { Verifier } from '../protocol/verifier.ts';
import type { Answer, RunningWorker } from './conversation.ts';

export interface WorkerVerifierOptions {
  /** Workers, from 1 to 64. Default: one for each core but one, from 2 to 8. */
  readonly workers?: number;
}

/** Events of one question: enough that asking costs little, few enough that nobody waits for long. */
const BATCH = 64;
const WORKERS_MAX = 64;

interface Waiting {
  readonly resolve: (verdicts: readonly boolean[]) => void;
  readonly reject: (error: Error) => void;
}

/** One worker, and what it has been asked. */
class Hand {
  readonly waiting = new Map<number, Waiting>();
  #worker: RunningWorker | undefined;
  #asked = 0;

  ask(events: readonly NostrEvent[]): Promise<readonly boolean[]> {
    // One that has died is started again with the next question.
    this.#worker ??= this.#start();
    const worker = this.#worker;
    this.#asked += 1;
    const number = this.#asked;
    return new Promise((resolve, reject) => {
      this.waiting.set(number, { resolve, reject });
      worker.ask({ number, events });
    });
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#fail('the verifier is closed');
    await worker?.stop();
  }

  #start(): RunningWorker {
    const worker: RunningWorker = startWorker(
      (answer) => this.#take(answer),
      (problem) => {
        // One that is told to have failed may be told to have ended as well, when there is another already.
        if (this.#worker !== worker) return;
        this.#fail(problem);
        void worker.stop();
      },
    );
    return worker;
  }

  #take(answer: Answer): void {
    const waiting = this.waiting.get(answer.number);
    this.waiting.delete(answer.number);
    if ('verdicts' in answer) waiting?.resolve(answer.verdicts);
    else waiting?.reject(new Error(answer.problem));
  }

  #fail(problem: string): void {
    this.#worker = undefined;
    for (const { reject } of this.waiting.values()) reject(new Error(problem));
    this.waiting.clear();
  }
}

/**
 * Verifies events in workers, by libsecp256k1 as WASM: worker threads in Node with the package `tiny-secp256k1`, module workers in
 * browsers with `nostr-wasm`. Give it to `createPool` as `verifier`, and close it after the last pool that uses it.
 */
export function createWorkerVerifier({ workers = usualWorkers() }: WorkerVerifierOptions = {}): Required<Verifier> {
  if (!Number.isInteger(workers) || workers < 1 || workers > WORKERS_MAX) {
    const problem = `workers is ${shown(workers)}; give a whole number from 1 to ${WORKERS_MAX}.`;
    throw new RecloserError('INVALID_OPTION', problem);
  }
  const hands = Array.from({ length: workers }, () => new Hand());
  const idlest = (): Hand => hands.reduce((best, hand) => (hand.waiting.size < best.waiting.size ? hand : best));
  return {
    name: 'worker',
    batchMax: BATCH,
    // While one batch is on its way back, the next is there already.
    parallel: 2 * workers,
    verify: (events) => idlest().ask(events as readonly NostrEvent[]),
    close: async () => {
      await Promise.all(hands.map((hand) => hand.stop()));
    },
  };
}
