/** Stable, documented reasons for which a call is refused as misuse. What can happen on a network is never an error. */
export type RecloserErrorCode =
  /** An option is missing, of the wrong type or out of its bounds. */
  | 'INVALID_OPTION'
  /** A relay URL is malformed, or points where the pool may not go. */
  | 'INVALID_URL'
  /** What was given to publish is not an event of this pool's protocol. */
  | 'INVALID_EVENT'
  /** What was given to subscribe to are not filters of this pool's protocol. */
  | 'INVALID_FILTER'
  /** The call names a relay that is not in the pool, or the pool has none. */
  | 'NO_RELAYS'
  /** The quorum is larger than the number of distinct relays that may confirm. */
  | 'INVALID_QUORUM'
  /** As many subscriptions are open as the pool may have. */
  | 'TOO_MANY_SUBSCRIPTIONS'
  /** A subscription was read too slowly, and more came than its buffer holds. */
  | 'BUFFER_FULL'
  /** What verifies in the way that was asked for is not installed. */
  | 'VERIFIER_UNAVAILABLE'
  /** The inspector cannot be served, such as on a port that is taken. */
  | 'INSPECTOR_FAILED'
  /** The pool is draining or closed. */
  | 'POOL_CLOSED'
  /** The outbox keeps as many items as it may, cannot write (such as a full disk), or is closed. */
  | 'OUTBOX_FULL'
  | 'OUTBOX_FAILED'
  | 'OUTBOX_CLOSED';

/** Thrown for misuse of the library: `code` is stable, `message` says what to do. */
export class RecloserError extends Error {
  override readonly name = 'RecloserError';
  readonly code: RecloserErrorCode;

  constructor(code: RecloserErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A wrong value as messages show it. Values come from anywhere, so nothing of them is called. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' || typeof value === 'function'
    ? `a ${typeof value}`.replace('a o', 'an o')
    : String(value);
}

/**
 * Reads what an application gave. Whatever reading it throws, such as a getter of its own or what it lacks, becomes an
 * `INVALID_OPTION` that has it as its cause.
 */
export function readable<Value>(what: string, read: () => Value): Value {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof RecloserError) throw cause;
    throw new RecloserError('INVALID_OPTION', `${what} cannot be read; give what its type says.`, { cause });
  }
}
