import { answerTo, type Question } from './conversation.ts';

/** The part of a worker's own scope that is used. */
interface WorkerScope {
  onmessage: ((event: { readonly data: Question }) => void) | null;
  postMessage(answer: object): void;
}

const scope = globalThis as unknown as WorkerScope;

const sha256 = async (bytes: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));

scope.onmessage = async ({ data }) => {
  const answer = await answerTo(data, async (events) => {
    const { verifyBatch } = await import('./batch.ts');
    return verifyBatch(events, sha256);
  });
  scope.postMessage(answer);
};
