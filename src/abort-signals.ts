import { RecloserError } from '../machines/policy/error.ts';

/** Throws `INVALID_OPTION` for a signal that is none. */
export function checkSignal(signal: unknown): asserts signal is AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw new RecloserError('INVALID_OPTION', 'signal is not an AbortSignal; give the signal of an AbortController.');
}

/**
 * Callbacks of abort signals, with one listener per signal. An application often gives one long-lived signal to every call,
 * and Node warns of a leak at the eleventh listener.
 */
export class AbortSignals {
  readonly #callbacks = new Map<AbortSignal, Set<() => void>>();

  /** Calls back once the signal aborts. Returns the function that takes the callback away. */
  onAbort(signal: AbortSignal, callback: () => void): () => void {
    let callbacks = this.#callbacks.get(signal);
    if (!callbacks) {
      callbacks = new Set();
      this.#callbacks.set(signal, callbacks);
      signal.addEventListener('abort', this.#abort, { once: true });
    }
    // Wrapped, so that one function can be given several times.
    const entry = (): void => callback();
    callbacks.add(entry);
    return () => {
      callbacks.delete(entry);
      if (callbacks.size > 0 || this.#callbacks.get(signal) !== callbacks) return;
      this.#callbacks.delete(signal);
      signal.removeEventListener('abort', this.#abort);
    };
  }

  readonly #abort = ({ currentTarget }: Event): void => {
    const signal = currentTarget as AbortSignal;
    const callbacks = this.#callbacks.get(signal) ?? [];
    this.#callbacks.delete(signal);
    for (const callback of callbacks) callback();
  };
}
