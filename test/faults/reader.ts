import type { NostrEvent } from '../../src/index.ts';
import type { RemoteRelay } from './remote-relay.ts';
import type { Stage } from './scenario.ts';

/** Compares what a subscription brings with what it should. */
export class Reader {
  readonly #stage: Stage;
  readonly #times = new Map<string, number>();
  readonly #due: NostrEvent[] = [];

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  readonly receive = (event: NostrEvent): void => {
    this.#times.set(event.id, (this.#times.get(event.id) ?? 0) + 1);
  };

  /** Puts a new event to some relays; it is due. */
  async put(...relays: readonly RemoteRelay[]): Promise<NostrEvent> {
    const event = this.#stage.event();
    await this.expect(event, ...relays);
    return event;
  }

  /** The same with an event of one's own. */
  async expect(event: NostrEvent, ...relays: readonly RemoteRelay[]): Promise<void> {
    this.#due.push(event);
    for (const relay of relays) await relay.put(event);
  }

  get missing(): number {
    return this.#due.filter(({ id }) => !this.#times.has(id)).length;
  }

  /** Waits until all that is due has come. */
  async caughtUp(what = 'all that was due'): Promise<void> {
    await this.#stage.until(what, () => this.missing === 0);
  }

  /** Nothing came twice, and nothing that was not due. */
  check(): void {
    const due = new Set(this.#due.map(({ id }) => id));
    for (const [id, times] of this.#times) {
      this.#stage.check(due.has(id), `${id} was not due`);
      this.#stage.check(times === 1, `${id} came ${times} times`);
    }
  }
}
