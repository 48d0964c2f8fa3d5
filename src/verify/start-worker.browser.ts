import type { StartWorker } from './conversation.ts';

/** A module worker of the browser. */
export const startWorker: StartWorker = (answered, ended) => {
  const worker = new Worker(new URL('./thread.browser.js', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }) => answered(data);
  worker.onerror = ({ message }) => ended(message ?? 'the worker could not be loaded');
  return {
    ask: (question) => worker.postMessage(question),
    stop: () => worker.terminate(),
  };
};

/** Workers that make sense: one for each core but the one that everything else runs on, which has little to do meanwhile. */
export const usualWorkers = (): number => Math.max(2, Math.min(8, (navigator.hardwareConcurrency ?? 2) - 1));
