/** @jsxImportSource preact */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { colourOf, lookOf } from '../../../src/looks.ts';
import { drawnEvent } from '../../events.ts';
import type { LogLine, Model } from '../model.ts';
import type { Session } from '../session.ts';

const LINES_SHOWN = 200;

const timeOf = (at: number): string => {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  const hundredths = two(Math.floor(date.getMilliseconds() / 10));
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${hundredths}`;
};

/** Of a nested state, the one that a user knows it by. */
function known(state: string): string {
  const parts = state.split('.');
  return parts.find((part) => lookOf(part) !== lookOf('')) ?? state;
}

/** From where to where: by the states that a user knows, or where that is the same one, by those within it. */
function moveOf(from: string, to: string): readonly [from: string, to: string] {
  if (known(from) !== known(to)) return [known(from), known(to)];
  const inner = (state: string): string => state.split('.').at(-1) ?? state;
  return inner(from) === inner(to) ? [from, to] : [inner(from), inner(to)];
}

function Move({ line }: { readonly line: LogLine }): JSX.Element {
  const { from: before = '', to: after = '', words } = line;
  const [from, to] = moveOf(before, after);
  return (
    <span title={`${before} → ${after}`}>
      {from} → <i style={{ color: colourOf(known(after)) }}>{lookOf(known(after)).glyph}</i> <b>{to}</b>{' '}
      <small>{drawnEvent(words)}</small>
    </span>
  );
}

const matches = (line: LogLine, filter: string): boolean =>
  filter === '' || `${line.who} ${line.from ?? ''} ${line.to ?? ''} ${line.words}`.toLowerCase().includes(filter);

interface LogProps {
  readonly model: Model;
  readonly session: Session;
  readonly filter: string;
  readonly onFilter: (filter: string) => void;
  readonly onSelect: (sessionId: string) => void;
}

/** What happened, the newest first. */
export function Log({ model, session, filter, onFilter, onSelect }: LogProps): JSX.Element {
  const lines = model.log
    .filter((line) => matches(line, filter.toLowerCase()))
    .slice(-LINES_SHOWN)
    .reverse();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: KeyboardEvent): void => {
      if (event.key !== '/' || event.target instanceof HTMLInputElement) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener('keydown', focus);
    return () => removeEventListener('keydown', focus);
  }, []);
  const { replay } = session;
  return (
    <section class="card log" aria-labelledby="log">
      <h2 id="log">
        Events
        <input
          ref={field}
          type="search"
          placeholder="filter  /"
          aria-label="filter events"
          value={filter}
          onInput={({ currentTarget }) => onFilter(currentTarget.value)}
        />
      </h2>
      {replay && (
        <p class="replay" role="status">
          <button type="button" onClick={() => session.step(-1)} aria-label="one step back">
            ←
          </button>
          <input
            type="range"
            min="0"
            max={replay.stops.length - 1}
            value={replay.stop}
            aria-label="moment"
            onInput={({ currentTarget }) => session.seek(Number(currentTarget.value))}
          />
          <button type="button" onClick={() => session.step(1)} aria-label="one step on">
            →
          </button>
          <span>
            {replay.source}: {replay.stop + 1} of {replay.stops.length}
          </span>
        </p>
      )}
      <ol>
        {lines.map((line) => (
          <li key={line.number} title={line.to === undefined ? line.words : `${line.from} → ${line.to}: ${line.words}`}>
            <time>{timeOf(line.at)}</time>{' '}
            {line.sessionId === undefined ? (
              <b>{line.who}</b>
            ) : (
              <button type="button" onClick={() => onSelect(line.sessionId ?? '')}>
                {line.who}
              </button>
            )}{' '}
            {line.to === undefined ? line.words : <Move line={line} />}
          </li>
        ))}
      </ol>
      {model.omitted > 0 && (
        <p class="omitted">{model.omitted.toLocaleString('en')} events were left out: there were too many.</p>
      )}
    </section>
  );
}
