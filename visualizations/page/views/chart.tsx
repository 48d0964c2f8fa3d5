/** @jsxImportSource preact */
import type { JSX } from 'preact';
import { colourOf, LOOKS } from '../../../src/looks.ts';
import { drawnEvent } from '../../events.ts';
import type { Drawing, DrawnArrow, DrawnState } from '../../layout.ts';
import { drawingOf } from '../drawings.ts';
import { type Lighting, lightingOf, possibleEvents } from '../lighting.ts';
import { type ActorView, type Model, shortName, wordsOf } from '../model.ts';

interface ActorProps {
  readonly model: Model;
  readonly actor: ActorView;
  /** Events that may be sent to it. */
  readonly controls: readonly string[];
  readonly onSend: (event: string) => void;
  readonly onDrawn: () => void;
}

/** The chart of one actor, with the states lit that it is in, what it did last, and what can happen now. */
export function Actor({ model, actor, controls, onSend, onDrawn }: ActorProps): JSX.Element {
  const { definition } = actor;
  const drawing = definition === undefined ? undefined : drawingOf(definition, onDrawn);
  const isDrawn = typeof drawing === 'object';
  const lighting = isDrawn ? lightingOf(drawing, actor.value, actor.from, actor.by) : undefined;
  return (
    <section class="card actor" aria-labelledby="actor">
      <h2 id="actor">
        Actor <code>{shortName(actor.name)}</code>
        <small>
          {wordsOf(actor.value) || 'no chart'}
          {actor.status === 'active' ? '' : `, ${actor.status}`}
        </small>
      </h2>
      <p class="facts">
        {actor.by !== undefined && (
          <span>
            last <b>{drawnEvent(actor.by)}</b>
          </span>
        )}
        {model.now > 0 && <span>in state {((model.now - actor.since) / 1_000).toFixed(1)} s</span>}
        {contextOf(actor).map(([key, value]) => (
          <span key={key}>
            {key} <b>{value}</b>
          </span>
        ))}
      </p>
      {isDrawn && lighting && (
        <>
          <p class="events">
            <span>can happen now</span>
            {possibleEvents(drawing, lighting).map((event) =>
              controls.includes(event) ? (
                <button key={event} type="button" onClick={() => onSend(event)} data-send={event}>
                  {event}
                </button>
              ) : (
                <code key={event}>{event}</code>
              ),
            )}
            {rootControls(drawing, controls).map((event) => (
              <button key={event} type="button" onClick={() => onSend(event)} data-send={event}>
                {event}
              </button>
            ))}
          </p>
          <Chart drawing={drawing} lighting={lighting} by={actor.by} />
        </>
      )}
      {definition === undefined && <p class="empty">This actor has no chart; its events are in the log.</p>}
      {drawing === 'failed' && <p class="empty">Its chart cannot be drawn: it is none, or too large to be read.</p>}
      {definition !== undefined && drawing === undefined && <p class="empty">Drawing its chart…</p>}
    </section>
  );
}

const CONTEXT_SHOWN = 12;

/** Numbers that are moments, which nobody reads. */
const isMoment = (value: unknown): boolean => typeof value === 'number' && value > 1e11;

/** What of the context says something: not what is off, zero or somewhere else on the page. */
function contextOf({ context }: ActorView): readonly (readonly [string, string])[] {
  return Object.entries(context)
    .filter(([key, value]) => Boolean(value) && typeof value !== 'object' && key !== 'url' && !isMoment(value))
    .slice(0, CONTEXT_SHOWN)
    .map(([key, value]) => [key, typeof value === 'number' ? String(Math.round(value * 10) / 10) : String(value)]);
}

/** What may be sent in every state, as far as the picture tells. */
function rootControls({ footnotes }: Drawing, controls: readonly string[]): readonly string[] {
  return controls.filter((event) => footnotes.some((note) => note.split(/[ →[]/)[0] === event));
}

const LINE = 15;

interface ChartProps {
  readonly drawing: Drawing;
  readonly lighting: Lighting;
  /** The event of the last transition. */
  readonly by: string | undefined;
}

function Chart({ drawing, lighting, by }: ChartProps): JSX.Element {
  const width = Math.ceil(drawing.width);
  const height = Math.ceil(drawing.height);
  const arrows = drawing.arrows.map((arrow) => ({
    arrow,
    rank: Number(lighting.enabled.has(arrow.id)) + 2 * Number(lighting.taken.has(arrow.id)),
  }));
  return (
    <div class="chart">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        style={{ maxWidth: `${width}px` }}
        role="img"
        aria-label={`Statechart ${drawing.id}; active: ${[...lighting.active].join(', ')}`}
      >
        <defs>
          {['plain', 'enabled', 'taken'].map((kind) => (
            <marker
              key={kind}
              id={`head-${kind}`}
              class={kind}
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="8"
              markerHeight="8"
              markerUnits="userSpaceOnUse"
              orient="auto"
            >
              <path d="M0 0L8 4L0 8z" />
            </marker>
          ))}
        </defs>
        {drawing.states
          .filter(({ kind }) => kind !== 'root')
          .map((state) => (
            <StateBox key={state.id} state={state} isActive={lighting.active.has(state.id)} />
          ))}
        {/* What is lit comes last, so that nothing covers it. */}
        {arrows
          .sort((a, b) => a.rank - b.rank)
          .map(({ arrow }) => (
            <Arrow key={arrow.id} arrow={arrow} lighting={lighting} by={by} />
          ))}
      </svg>
      {drawing.footnotes.length > 0 && (
        <details class="footnotes">
          <summary>in every state: {drawing.footnotes.length}</summary>
          <p>{drawing.footnotes.join(' · ')}</p>
        </details>
      )}
    </div>
  );
}

function StateBox({ state, isActive }: { readonly state: DrawnState; readonly isActive: boolean }): JSX.Element {
  const { id, name, kind, x, y, width, height } = state;
  if (kind === 'initial') return <circle class="initial" cx={x + width / 2} cy={y + height / 2} r="5" />;
  const isLarge = kind === 'compound' || kind === 'parallel';
  const colour = isActive && name in LOOKS ? { '--state': colourOf(name) } : {};
  return (
    <g class={`box ${kind}${isActive ? ' is-active' : ''}`} data-state={id} style={colour}>
      <rect x={x} y={y} width={width} height={height} rx="8" />
      <text
        x={isLarge ? x + 14 : x + width / 2}
        y={isLarge ? y + 22 : y + height / 2 + 4.5}
        text-anchor={isLarge ? 'start' : 'middle'}
      >
        {name}
      </text>
    </g>
  );
}

interface ArrowProps {
  readonly arrow: DrawnArrow;
  readonly lighting: Lighting;
  readonly by: string | undefined;
}

/** What is said on the arrow that was taken last, where there is no room for what all of them say. */
function takenLabel({ label }: DrawnArrow, by: string | undefined): string | undefined {
  const event = by === undefined ? undefined : drawnEvent(by);
  return label.find((line) => event !== undefined && line.startsWith(event)) ?? label[0];
}

/** The middle of the longest part of an arrow. */
function middleOf(points: DrawnArrow['points']): readonly [number, number] {
  let longest = -1;
  let middle: readonly [number, number] = [0, 0];
  points.forEach(([x, y], index) => {
    const [px, py] = points[index - 1] ?? [x, y];
    const length = Math.abs(x - px) + Math.abs(y - py);
    if (length <= longest) return;
    longest = length;
    middle = [(x + px) / 2, (y + py) / 2];
  });
  return middle;
}

function Arrow({ arrow, lighting, by }: ArrowProps): JSX.Element {
  const { id, points, label, x, y } = arrow;
  const kind = lighting.taken.has(id) ? 'taken' : lighting.enabled.has(id) ? 'enabled' : 'plain';
  const path = points.map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${px} ${py}`).join('');
  const hasRoom = x !== 0 || y !== 0;
  const [middleX, middleY] = middleOf(points);
  return (
    <g class={`arrow ${kind}`} data-arrow={id}>
      <title>{label.join('\n')}</title>
      <path class="hit" d={path} />
      <path d={path} marker-end={`url(#head-${kind})`} />
      {!hasRoom && kind === 'taken' && (
        <text x={middleX} y={middleY - 4} text-anchor="middle">
          {takenLabel(arrow, by)}
        </text>
      )}
      {hasRoom &&
        label.map((line, index) => (
          <text key={line} x={x + 3} y={y + 11 + index * LINE}>
            {line}
          </text>
        ))}
    </g>
  );
}
