import {
  type ActorMessage,
  type InspectorMessage,
  isInspectorMessage,
  type SnapshotMessage,
  timeOf,
} from './messages.ts';

/** Marks a recording's file. */
const FORMAT = 'recloser-recording';
const VERSION = 1;

/** What a recording's file holds: what was there when it begins, and what happened since. */
export interface Recording {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  /** Milliseconds since the epoch. */
  readonly savedAt: number;
  readonly messages: readonly InspectorMessage[];
}

/** How much a log keeps. */
export interface LogBounds {
  /** Milliseconds. */
  readonly ageMaxMs: number;
  readonly messagesMax: number;
}

/** Actors that are known from before the oldest message. */
const ACTORS_MAX = 2_000;

interface Remembered {
  readonly actor: ActorMessage;
  readonly snapshot: SnapshotMessage | undefined;
}

/**
 * The last minutes as messages, in bounded memory. What is forgotten leaves behind how every actor was by then, so that what
 * is kept can be understood from its beginning, whoever comes late.
 */
export class MessageLog {
  readonly #bounds: LogBounds;
  /** A queue in a list: what is before `#from` has been forgotten. */
  #messages: InspectorMessage[] = [];
  #from = 0;
  readonly #actors = new Map<string, Remembered>();
  #hello: InspectorMessage | undefined;

  constructor(bounds: LogBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#messages.length - this.#from;
  }

  add(message: InspectorMessage): void {
    this.#messages.push(message);
    const oldestMs = timeOf(message) - this.#bounds.ageMaxMs;
    for (let first = this.#first; first; first = this.#first) {
      if (this.size <= this.#bounds.messagesMax && timeOf(first) >= oldestMs) break;
      this.#from += 1;
      this.#fold(first);
    }
    // Moved together only now and then: it takes as long as the list is.
    if (this.#from <= this.#messages.length / 2) return;
    this.#messages = this.#messages.slice(this.#from);
    this.#from = 0;
  }

  /** Everything that is needed to see what happened, in order. */
  messages(): InspectorMessage[] {
    const before: InspectorMessage[] = this.#hello ? [this.#hello] : [];
    for (const { actor, snapshot } of this.#actors.values()) before.push(actor, ...(snapshot ? [snapshot] : []));
    return [...before, ...this.#messages.slice(this.#from)];
  }

  recording(nowMs: number): Recording {
    return { format: FORMAT, version: VERSION, savedAt: nowMs, messages: this.messages() };
  }

  get #first(): InspectorMessage | undefined {
    return this.#messages[this.#from];
  }

  #fold(message: InspectorMessage): void {
    switch (message.type) {
      case 'recloser.hello':
        this.#hello = message;
        return;
      case '@xstate.actor':
        this.#actors.set(message.sessionId, { actor: message, snapshot: undefined });
        if (this.#actors.size > ACTORS_MAX) this.#forgetOldest();
        return;
      case '@xstate.snapshot': {
        const known = this.#actors.get(message.sessionId);
        if (!known) return;
        if (message.snapshot.status === 'active') this.#actors.set(message.sessionId, { ...known, snapshot: message });
        else this.#actors.delete(message.sessionId);
      }
    }
  }

  #forgetOldest(): void {
    const [oldest] = this.#actors.keys();
    if (oldest !== undefined) this.#actors.delete(oldest);
  }
}

/** The messages of a recording's file; what is wrong with it, where it is none. */
export function readRecording(
  text: string,
): { readonly messages: readonly InspectorMessage[] } | { readonly problem: string } {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return { problem: 'It is not JSON.' };
  }
  const { format, version, messages } = (given ?? {}) as Partial<Record<keyof Recording, unknown>>;
  if (format !== FORMAT) return { problem: 'It is not a recording of recloser.' };
  if (version !== VERSION)
    return { problem: `It is a recording of version ${String(version)}; this page reads ${VERSION}.` };
  if (!Array.isArray(messages)) return { problem: 'It has no messages.' };
  const wrong = messages.findIndex((message) => !isInspectorMessage(message));
  if (wrong >= 0) return { problem: `Its message ${wrong + 1} is none.` };
  return { messages };
}
