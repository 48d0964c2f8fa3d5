import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { StartWorker } from './conversation.ts';

/** A worker thread of Node. It keeps no process alive. */
export const startWorker: StartWorker = (answered, ended) => {
  const worker = new Worker(new URL('./thread.node.js', import.meta.url));
  worker.unref();
  worker.on('message', answered);
  worker.on('error', (error) => ended(String(error)));
  worker.on('exit', (code) => ended(`the worker ended with ${code}`));
  return {
    ask: (question) => worker.postMessage(question),
    stop: async () => {
      await worker.terminate();
    },
  };
};

/** Workers that make sense: one for each core but the one that everything else runs on, which has little to do meanwhile. */
export const usualWorkers = (): number => Math.max(2, Math.min(8, availableParallelism() - 1));
