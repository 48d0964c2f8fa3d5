/** @jsxImportSource preact */
import { type JSX, render } from 'preact';
import { useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks';
import { LOOKS } from '../../src/looks.ts';
import { chartIdOf } from './drawings.ts';
import type { ActorView, Model } from './model.ts';
import { Session } from './session.ts';
import './style.css';
import { Actor } from './views/chart.tsx';
import { Header } from './views/header.tsx';
import { Lanes } from './views/lanes.tsx';
import { Log } from './views/log.tsx';
import { Faults, Legend, Relays } from './views/relays.tsx';
import { Sequence } from './views/sequence.tsx';
import { Tree } from './views/tree.tsx';

/** Milliseconds between two drawings: more could not be read. */
const DRAW_MS = 100;

/** Draws when something has changed, and no more often than can be read; not at all while nobody sees it. */
let draw = (): void => {};
let isDrawing = false;
const session = new Session(() => {
  if (isDrawing) return;
  isDrawing = true;
  setTimeout(() => {
    isDrawing = false;
    if (!document.hidden) draw();
  }, DRAW_MS);
});

type Theme = 'light' | 'dark';
const systemTheme = (): Theme => (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');

/** The actor that is shown: the one that was chosen, or else the first relay, or else the first root that has a chart. */
function shownActor(model: Model, selected: string | undefined): ActorView | undefined {
  const chosen = selected === undefined ? undefined : model.actors.get(selected);
  // Of a relay whose actor was replaced, the new one.
  const url = chosen && relayOf(chosen);
  if (chosen) return (url === undefined ? undefined : model.actorOf(url)) ?? chosen;
  const [relay] = model.relays.keys();
  const first = relay === undefined ? undefined : model.actorOf(relay);
  const charts = [...model.actors.values()].filter(({ definition }) => definition !== undefined);
  const roots = charts.filter(({ parentId }) => parentId === undefined);
  // Actors that move change places; by their ids they do not.
  const [oldest] = (roots.length > 0 ? roots : charts).sort((a, b) => a.sessionId.localeCompare(b.sessionId));
  return first ?? oldest;
}

const relayOf = ({ name }: ActorView): string | undefined => (name.startsWith('relay:') ? name.slice(6) : undefined);

function save(text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  link.download = 'recloser-recording.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function Page(): JSX.Element {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  draw = () => redraw(undefined);
  const [selected, select] = useState<string>();
  const [filter, setFilter] = useState('');
  const [theme, setTheme] = useState<Theme>(systemTheme);
  const { model, replay } = session;
  const { hello, relays } = model;
  const actor = shownActor(model, selected);
  const url = actor && relayOf(actor);
  const faults = replay ? [] : (hello?.faults ?? []);

  const selectRelay = (relay: string): void => select(model.actorOf(relay)?.sessionId);
  const breakRelay = (fault: string): void => {
    if (url !== undefined) session.request({ type: 'recloser.break', url, fault });
  };

  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  // With what is drawn, and not a moment later: a key means what is seen when it is pressed.
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const isTyping = event.target instanceof HTMLInputElement && TYPED.has(event.target.type);
      if (event.key === 'Escape') {
        if (isTyping) event.target.blur();
        return session.goLive();
      }
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      const fault = faults[Number(event.key) - 1];
      if (event.key === 'ArrowLeft') session.step(-1);
      else if (event.key === 'ArrowRight') session.step(1);
      else if (event.key === ' ' && !isPressed(event.target)) session.pause();
      else if (event.key === 'ArrowUp' || event.key === 'ArrowDown') moveSelection(event.key === 'ArrowUp' ? -1 : 1);
      else if (fault !== undefined) breakRelay(fault);
      else return;
      event.preventDefault();
    };
    const moveSelection = (by: number): void => {
      const urls = [...relays.keys()];
      const next = urls[Math.max(0, Math.min(urls.length - 1, urls.indexOf(url ?? '') + by))];
      if (next !== undefined) selectRelay(next);
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  });
  useEffect(() => {
    const take = (event: DragEvent): void => {
      event.preventDefault();
      const [file] = event.dataTransfer?.files ?? [];
      if (event.type === 'drop' && file) void file.text().then((text) => session.load(text, file.name));
    };
    addEventListener('dragover', take);
    addEventListener('drop', take);
    return () => {
      removeEventListener('dragover', take);
      removeEventListener('drop', take);
    };
  }, []);

  const controls = actor && !replay ? controlsOf(actor, hello?.controls) : [];
  const isPool = model.summary !== undefined;
  return (
    <>
      <Header
        session={session}
        onTheme={() => setTheme(theme === 'light' ? 'dark' : 'light')}
        onExport={() => save(session.export())}
        onImport={(file) => void file.text().then((text) => session.load(text, file.name))}
      />
      {session.problem && (
        <p class="problem" role="alert">
          {session.problem}
        </p>
      )}
      {session.status && <p class="problem">{session.status}</p>}
      <main class={isPool ? 'is-pool' : ''}>
        {isPool && (
          <section class="card" aria-labelledby="relays">
            <h2 id="relays">
              Relays <Legend />
            </h2>
            <Relays model={model} selected={url} onSelect={selectRelay} />
            {faults.length > 0 && url !== undefined && <Faults faults={faults} url={url} onBreak={breakRelay} />}
            <h2>
              Last 60 s: state of every relay, failovers as arrows{' '}
              <small>arrow = failover, number = messages moved</small>
            </h2>
            <Lanes model={model} />
          </section>
        )}
        <div class="right">
          {actor ? (
            <Actor
              model={model}
              actor={actor}
              controls={controls}
              onSend={(event) => session.request({ type: 'recloser.control', sessionId: actor.sessionId, event })}
              onDrawn={() => redraw(undefined)}
            />
          ) : (
            <section class="card actor">
              <p class="empty">No actor has been heard of so far.</p>
            </section>
          )}
          <details class="card" open={!isPool}>
            <summary>Actors ({model.actors.size})</summary>
            <Tree model={model} selected={actor?.sessionId} onSelect={select} />
          </details>
        </div>
        <div class="below">
          <Sequence model={model} />
          <Log model={model} session={session} filter={filter} onFilter={setFilter} onSelect={select} />
        </div>
      </main>
    </>
  );
}

/** Inputs in which keys are letters. */
const TYPED: ReadonlySet<string> = new Set(['text', 'search']);

/** Whether Space means something else to what has the focus. */
const isPressed = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.tagName === 'BUTTON' || target.tagName === 'SUMMARY');

/** Events that may be sent to an actor, by the id of its chart. */
function controlsOf(
  { definition }: ActorView,
  controls: Readonly<Record<string, readonly string[]>> = {},
): readonly string[] {
  const id = definition === undefined ? undefined : chartIdOf(definition);
  return id !== undefined && Object.hasOwn(controls, id) ? (controls[id] ?? []) : [];
}

for (const [status, { light, dark }] of Object.entries(LOOKS)) {
  document.documentElement.style.setProperty(`--light-${status}`, light);
  document.documentElement.style.setProperty(`--dark-${status}`, dark);
}
document.addEventListener('visibilitychange', () => draw());
const root = document.getElementById('page');
if (root) render(<Page />, root);
session.begin();
