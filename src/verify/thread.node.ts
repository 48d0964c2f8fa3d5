import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { type Means, verifyBatch } from './batch.ts';
import { bytesOf } from './bytes.ts';
import { answerTo, type Question } from './conversation.ts';

let means: Promise<Means> | undefined;

async function load(): Promise<Means> {
  const { verifySchnorr } = await import('tiny-secp256k1');
  return {
    sha256: (bytes) => createHash('sha256').update(bytes).digest(),
    isSigned: ({ pubkey, sig }, id) => verifySchnorr(id, bytesOf(pubkey), bytesOf(sig)),
  };
}

// Loaded with the first question, so that what is missing is told as an answer.
parentPort?.on('message', async (question: Question) => {
  const answer = await answerTo(question, async (events) => {
    means ??= load();
    return verifyBatch(events, await means);
  });
  parentPort?.postMessage(answer);
});
