import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { answerTo, type Question } from './conversation.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

// Loaded with the first question, so that what is missing is told as an answer.
parentPort?.on('message', async (question: Question) => {
  const answer = await answerTo(question, async (events) => {
    const { verifyBatch } = await import('./batch.ts');
    return verifyBatch(events, sha256);
  });
  parentPort?.postMessage(answer);
});
