/** @jsxImportSource preact */
import type { JSX } from 'preact';
import { colourOf, lookOf } from '../../../src/looks.ts';
import { type ActorView, type Model, shortName, wordsOf } from '../model.ts';

interface TreeProps {
  readonly model: Model;
  readonly selected: string | undefined;
  readonly onSelect: (sessionId: string) => void;
}

const DEPTH_MAX = 50;

/** All actors, each below the one that has started it. */
export function Tree({ model, selected, onSelect }: TreeProps): JSX.Element {
  const branch = (actor: ActorView, depth: number): JSX.Element => {
    // No application means what is deeper than that.
    const children = depth < DEPTH_MAX ? model.childrenOf(actor.sessionId) : [];
    const words = wordsOf(actor.value);
    const status = actor.name.startsWith('relay:') ? statusOf(model, actor) : 'idle';
    return (
      <li key={actor.sessionId} class={actor.status === 'active' ? '' : 'has-ended'}>
        <button
          type="button"
          aria-pressed={actor.sessionId === selected}
          onClick={() => onSelect(actor.sessionId)}
          data-actor={actor.name}
        >
          <i style={{ color: colourOf(status) }} aria-hidden="true">
            {lookOf(status).glyph}
          </i>{' '}
          {shortName(actor.name)} <small>{actor.status === 'active' ? words : actor.status}</small>
        </button>
        {children.length > 0 && <ul>{children.map((child) => branch(child, depth + 1))}</ul>}
      </li>
    );
  };
  return <ul class="tree">{model.childrenOf(undefined).map((actor) => branch(actor, 0))}</ul>;
}

const statusOf = (model: Model, { name }: ActorView): string =>
  model.relays.get(name.slice('relay:'.length))?.segments.at(-1)?.status ?? 'idle';
