import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Relays in processes of their own that have the same events stored. */
export class StoredRelays {
  readonly urls: string[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'recloser-bench-'));

  /** Each write has so many events `together`; with many, nobody who receives waits for who sends. */
  static async start(count: number, events: readonly object[], together = 1): Promise<StoredRelays> {
    const relays = new StoredRelays();
    const file = join(relays.#folder, 'events.jsonl');
    writeFileSync(file, events.map((event) => JSON.stringify(event)).join('\n'));
    for (let index = 0; index < count; index += 1) {
      const child = fork(new URL('./stored-relay-process.mjs', import.meta.url), [
        file,
        ...[0, events.length, together].map(String),
      ]);
      relays.#children.push(child);
      const [message] = await once(child, 'message');
      relays.urls.push((message as { url: string }).url);
    }
    return relays;
  }

  stop(): void {
    for (const child of this.#children) child.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
