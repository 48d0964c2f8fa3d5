import type { Watcher } from './scene.ts';

type Listening = { readonly [Name in keyof Watcher]-?: readonly NonNullable<Watcher[Name]>[] };

/** Tells every watcher what it listens to. */
export class Audience {
  readonly #listening: Listening;

  constructor(watchers: readonly Watcher[]) {
    const to = <Name extends keyof Watcher>(name: Name) => watchers.flatMap((watcher) => watcher[name] ?? []);
    this.#listening = {
      began: to('began'),
      dialled: to('dialled'),
      unresolved: to('unresolved'),
      sent: to('sent'),
      received: to('received'),
      ended: to('ended'),
      fact: to('fact'),
      delivered: to('delivered'),
      storedTold: to('storedTold'),
      readerEnded: to('readerEnded'),
      answered: to('answered'),
      asked: to('asked'),
      settled: to('settled'),
      stepped: to('stepped'),
      closed: to('closed'),
      calmed: to('calmed'),
    };
  }

  tell<Name extends keyof Watcher>(name: Name, ...given: Parameters<NonNullable<Watcher[Name]>>): void {
    for (const hear of this.#listening[name] as readonly ((...args: typeof given) => void)[]) hear(...given);
  }
}
