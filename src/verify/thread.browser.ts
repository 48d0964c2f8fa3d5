import { nostrVerifier } from '../protocol/nostr/verifier.ts';
import { type Means, verifyBatch } from './batch.ts';
import { answerTo, type Question } from './conversation.ts';

/** The part of a worker's own scope that is used. */
interface WorkerScope {
  onmessage: ((event: { readonly data: Question }) => void) | null;
  postMessage(answer: object): void;
}

const scope = globalThis as unknown as WorkerScope;

/** The WASM has a memory that does not grow. What is larger is rare, and verified by noble. */
const BYTES_MAX = 64 * 1024;

let means: Promise<Means> | undefined;

// Its WASM is within its JavaScript: no bundler has to know what to do with it.
async function load(): Promise<Means> {
  const { initNostrWasm } = await import('nostr-wasm');
  const wasm = await initNostrWasm();
  return {
    sha256: async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)),
    isSigned: async (event, _id, bytes) => {
      if (bytes.length > BYTES_MAX) return (await nostrVerifier.verify([event]))[0] === true;
      // It throws for what is not genuine.
      wasm.verifyEvent(event as Parameters<typeof wasm.verifyEvent>[0]);
      return true;
    },
  };
}

scope.onmessage = async ({ data }) => {
  const answer = await answerTo(data, async (events) => {
    means ??= load();
    return verifyBatch(events, await means);
  });
  scope.postMessage(answer);
};
