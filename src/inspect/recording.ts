import { type ActorMessage, type InspectorMessage, isInspectorMessage, timeOf } from './messages.ts';

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
  /** Of the messages as text, as far as it is said how long they are. Default 64 MiB. */
  readonly bytesMax?: number;
}

/** Actors that are known from before the oldest message. */
const ACTORS_MAX = 2_000;

/** Bytes that a message is taken for where nobody says. */
const USUAL_BYTES = 500;

interface Kept<Message> {
  readonly message: Message;
  readonly bytes: number;
}

/**
 * The last minutes as messages, in bounded memory. What is forgotten leaves behind how every actor was by then, so that what
 * is kept can be understood from its beginning, whoever comes late.
 */
export class MessageLog {
  readonly #bounds: Required<LogBounds>;
  /** A queue in a list: what is before `#from` has been forgotten. */
  #messages: Kept<InspectorMessage>[] = [];
  #from = 0;
  #bytes = 0;
  /** How every actor was when the queue begins; the one that has not moved for longest first. */
  readonly #actors = new Map<string, Kept<ActorMessage>>();
  #actorBytes = 0;
  #hello: InspectorMessage | undefined;

  constructor(bounds: LogBounds) {
    this.#bounds = { bytesMax: 64 << 20, ...bounds };
  }

  get size(): number {
    return this.#messages.length - this.#from;
  }

  add(message: InspectorMessage, bytes = USUAL_BYTES): void {
    this.#messages.push({ message, bytes });
    this.#bytes += bytes;
    const { messagesMax, bytesMax, ageMaxMs } = this.#bounds;
    const oldestMs = timeOf(message) - ageMaxMs;
    for (let first = this.#messages[this.#from]; first; first = this.#messages[this.#from]) {
      const fits = this.size <= messagesMax && this.#bytes + this.#actorBytes <= bytesMax;
      if (fits && timeOf(first.message) >= oldestMs) break;
      this.#from += 1;
      this.#bytes -= first.bytes;
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
    for (const { message } of this.#actors.values()) before.push(message);
    return [...before, ...this.#messages.slice(this.#from).map(({ message }) => message)];
  }

  recording(nowMs: number): Recording {
    return { format: FORMAT, version: VERSION, savedAt: nowMs, messages: this.messages() };
  }

  #fold({ message, bytes }: Kept<InspectorMessage>): void {
    switch (message.type) {
      case 'recloser.hello':
        this.#hello = message;
        return;
      case '@xstate.actor':
        return this.#keep(message, bytes);
      case '@xstate.snapshot': {
        const known = this.#actors.get(message.sessionId);
        if (!known) return;
        if (message.snapshot.status !== 'active') return this.#forget(message.sessionId);
        const { snapshot, createdAt } = message;
        this.#keep({ ...known.message, snapshot, createdAt }, (known.message.definition?.length ?? 0) + bytes);
      }
    }
  }

  #keep(message: ActorMessage, bytes: number): void {
    this.#forget(message.sessionId);
    this.#actors.set(message.sessionId, { message, bytes });
    this.#actorBytes += bytes;
    const isTooMuch = (): boolean => this.#actors.size > ACTORS_MAX || this.#actorBytes > this.#bounds.bytesMax / 2;
    if (!isTooMuch()) return;
    for (const [oldest, { message: actor }] of this.#actors) {
      // Without the root, nothing could be understood.
      if (actor.parentId !== undefined) this.#forget(oldest);
      if (!isTooMuch()) return;
    }
  }

  #forget(sessionId: string): void {
    const known = this.#actors.get(sessionId);
    if (!known) return;
    this.#actors.delete(sessionId);
    this.#actorBytes -= known.bytes;
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
