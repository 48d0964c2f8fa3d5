import type { InspectorMessage, PageRequest } from '../../src/inspect/messages.ts';
import { MessageLog, readRecording } from '../../src/inspect/recording.ts';
import { type Feed, type FeedHandlers, openerFeed, serverFeed } from './feed.ts';
import { Model } from './model.ts';

/** As much as a recorder keeps. */
const BOUNDS = { ageMaxMs: 300_000, messagesMax: 50_000 };

/** What happened is looked at again: the messages, those that wrote a line of the log, and up to which it is shown. */
interface Replay {
  readonly messages: readonly InspectorMessage[];
  readonly stops: readonly number[];
  readonly stop: number;
  readonly source: string;
}

/** What the page shows: what happens now, or what happened up to a moment of a recording. */
export class Session {
  model = new Model();
  replay: Replay | undefined;
  /** What stands in the way, in words; empty while all is well. */
  problem = '';
  status = '';
  readonly #changed: () => void;
  #log = new MessageLog(BOUNDS);
  #live = this.model;
  #feed: Feed | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Listens to whoever opened the page, or else to the server that it is from; a page from a file waits for a recording. */
  begin(): void {
    const handlers: FeedHandlers = {
      begin: () => this.#begin(),
      take: (message, bytes) => this.#take(message, bytes),
      status: (words) => {
        this.status = words;
        this.#changed();
      },
    };
    const application: Window | null = window.opener ?? (window.parent === window ? null : window.parent);
    if (application) this.#feed = openerFeed(application, handlers);
    else if (location.protocol === 'http:' || location.protocol === 'https:') this.#feed = serverFeed(handlers);
    else this.status = 'load a recording';
    this.#changed();
  }

  request(request: PageRequest): void {
    if (!this.replay) this.#feed?.request(request);
  }

  /** Stands still at the last line, or goes on with what happens now. */
  pause(): void {
    if (this.replay) return this.goLive();
    const messages = this.#log.messages();
    const stops = stopsOf(messages);
    this.#show({ messages, stops, stop: stops.length - 1, source: 'paused' });
  }

  goLive(): void {
    this.replay = undefined;
    this.problem = '';
    this.model = this.#live;
    this.#changed();
  }

  /** Goes so many lines of the log back or on. */
  step(by: number): void {
    if (!this.replay) this.pause();
    if (this.replay) this.seek(this.replay.stop + by);
  }

  seek(stop: number): void {
    if (!this.replay) return;
    this.#show({ ...this.replay, stop: Math.max(0, Math.min(stop, this.replay.stops.length - 1)) });
  }

  load(text: string, name: string): void {
    const recording = readRecording(text);
    if ('problem' in recording) {
      this.problem = `${name} cannot be shown. ${recording.problem}`;
      return this.#changed();
    }
    const { messages } = recording;
    const stops = stopsOf(messages);
    this.problem = '';
    this.#show({ messages, stops, stop: stops.length - 1, source: name });
  }

  /** What is shown as a file; of a recording, that recording. */
  export(): string {
    if (!this.replay) return JSON.stringify(this.#log.recording(this.model.now));
    return JSON.stringify({ ...this.#log.recording(this.model.now), messages: this.replay.messages });
  }

  #begin(): void {
    this.#log = new MessageLog(BOUNDS);
    this.#live = new Model();
    if (!this.replay) this.model = this.#live;
    this.#changed();
  }

  #take(message: InspectorMessage, bytes: number): void {
    this.#log.add(message, bytes);
    this.#live.apply(message);
    if (!this.replay) this.#changed();
  }

  #show(replay: Replay): void {
    // From the beginning every time: a few thousand messages take a few milliseconds, and there is one way to be wrong less.
    const until = replay.stops[replay.stop] ?? replay.messages.length - 1;
    const model = new Model();
    for (const message of replay.messages.slice(0, until + 1)) model.apply(message);
    this.replay = replay;
    this.model = model;
    this.#changed();
  }
}

/** The messages at which something can be seen to have happened, and the end. */
function stopsOf(messages: readonly InspectorMessage[]): readonly number[] {
  const model = new Model();
  const last = messages.length - 1;
  return messages.flatMap((message, index) => (model.apply(message) || index === last ? [index] : []));
}
