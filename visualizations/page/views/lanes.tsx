/** @jsxImportSource preact */
import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { colourOf } from '../../../src/looks.ts';
import { type FailoverView, type Model, type RelayView, SPAN_MS, shortUrl } from '../model.ts';

const LANE = 30;
const BAR = 18;
const TOP = 6;
/** About as wide as a letter of a state's name. */
const LETTER = 7;
/** How far arrows bend. */
const BEND = 18;

/** States that are told from others by more than their colour; the others are plain. */
const PATTERNED: ReadonlySet<string> = new Set(['connecting', 'degraded', 'half-open', 'backoff', 'open-circuit']);

interface Bar {
  readonly status: string;
  readonly from: number;
  readonly to: number;
}

function barsOf({ segments }: RelayView, now: number): readonly Bar[] {
  return segments
    .map(({ status, from }, index) => ({ status, from, to: segments[index + 1]?.from ?? now }))
    .filter(({ to }) => to > now - SPAN_MS);
}

const wordWidth = ({ status }: Bar): number => status.length * LETTER + 12;

/** A minute as lanes: a bar per relay in the colours of its states, and an arrow for every failover, with how many moved. */
export function Lanes({ model }: { readonly model: Model }): JSX.Element {
  const { now } = model;
  const [picture, width] = useWidth();
  const relays = [...model.relays.values()];
  const x = (at: number): number => width * Math.max(0, Math.min(1, 1 - (now - at) / SPAN_MS));
  const laneOf = new Map(relays.map(({ url }, index) => [url, TOP + index * LANE + LANE / 2]));
  const height = TOP + relays.length * LANE + 22;
  const failovers = model.failovers.filter(({ at }) => at > now - SPAN_MS);
  /** Whether an arrow goes over a lane between two places, so that nothing could be read there. */
  const isCrossed = (url: string, left: number, right: number): boolean => {
    const lane = laneOf.get(url) ?? 0;
    return failovers.some((failover) => {
      const ends = [failover.url, ...failover.to].flatMap((end) => laneOf.get(end) ?? []);
      const place = x(failover.at);
      const isOver = Math.min(...ends) <= lane && lane <= Math.max(...ends);
      return isOver && place > left - BEND - LETTER && place < right + BEND + LETTER;
    });
  };
  return (
    <div class="lanes">
      <ul aria-hidden="true" style={{ paddingTop: `${TOP}px` }}>
        {relays.map(({ url }) => (
          <li key={url} style={{ height: `${LANE}px` }}>
            {shortUrl(url)}
          </li>
        ))}
      </ul>
      <svg
        ref={picture}
        viewBox={`0 0 ${width} ${height}`}
        style={{ height: `${height}px` }}
        role="img"
        aria-label={`States of ${relays.length} relays over the last minute, with ${failovers.length} failovers`}
      >
        <defs>
          <pattern id="connecting" width="4" height="4" patternUnits="userSpaceOnUse">
            <rect width="1.5" height="4" class="hatch" />
          </pattern>
          <pattern id="degraded" width="6" height="6" patternUnits="userSpaceOnUse">
            <circle cx="2" cy="2" r="1.2" class="hatch" />
          </pattern>
          <pattern id="half-open" width="4" height="4" patternUnits="userSpaceOnUse">
            <rect width="4" height="1.5" class="hatch" />
          </pattern>
          <pattern id="backoff" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect width="2" height="6" class="hatch" />
          </pattern>
          <pattern id="open-circuit" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">
            <path d="M0 0H5M0 0V5" class="cross" />
          </pattern>
          <marker
            id="moved"
            viewBox="0 0 8 8"
            refX="6"
            refY="4"
            markerWidth="9"
            markerHeight="9"
            markerUnits="userSpaceOnUse"
            orient="auto"
          >
            <path d="M0 0L8 4L0 8z" />
          </marker>
        </defs>
        {relays.map((relay) =>
          barsOf(relay, now).map((bar) => {
            const y = (laneOf.get(relay.url) ?? 0) - BAR / 2;
            const [left, right] = [x(bar.from), x(bar.to)];
            const long = Math.max(1, right - left);
            return (
              <g key={`${relay.url} ${bar.from}`} class={`bar ${bar.status}`}>
                <title>{`${shortUrl(relay.url)}: ${bar.status} for ${((bar.to - bar.from) / 1_000).toFixed(1)} s`}</title>
                <rect x={left} y={y} width={long} height={BAR} rx="2" style={{ fill: colourOf(bar.status) }} />
                {PATTERNED.has(bar.status) && (
                  <rect class="pattern" x={left} y={y} width={long} height={BAR} fill={`url(#${bar.status})`} />
                )}
                {long > wordWidth(bar) && !isCrossed(relay.url, left, left + wordWidth(bar)) && (
                  <text class="word" x={left + 6} y={y + BAR / 2 + 4}>
                    {bar.status}
                  </text>
                )}
              </g>
            );
          }),
        )}
        {failovers.flatMap((failover) => arrowsOf(failover, x(failover.at), width, laneOf))}
        {[60, 50, 40, 30, 20, 10, 0].map((ago) => (
          <text
            key={ago}
            class="tick"
            x={width * (1 - (ago * 1_000) / SPAN_MS)}
            y={height - 5}
            text-anchor={ago === 60 ? 'start' : ago === 0 ? 'end' : 'middle'}
          >
            {ago === 0 ? 'now' : `−${ago} s`}
          </text>
        ))}
      </svg>
    </div>
  );
}

function arrowsOf(
  failover: FailoverView,
  x: number,
  width: number,
  laneOf: ReadonlyMap<string, number>,
): readonly JSX.Element[] {
  const from = laneOf.get(failover.url);
  if (from === undefined) return [];
  const bend = x > width - 40 ? -BEND : BEND;
  return failover.to.flatMap((url, index) => {
    const to = laneOf.get(url);
    if (to === undefined) return [];
    const key = `${failover.at} ${failover.url} ${url}`;
    const way = `M${x} ${from}C${x + bend} ${from} ${x + bend} ${to} ${x} ${to}`;
    return [
      <g key={key} class="failover">
        <path class="halo" d={way} />
        <path d={way} marker-end="url(#moved)" />
        {index === 0 && (
          <text x={x + bend * 0.95} y={(from + to) / 2 + 4} text-anchor={bend > 0 ? 'start' : 'end'}>
            {failover.count}
          </text>
        )}
      </g>,
    ];
  });
}

/** The width in pixels of what has the reference, so that a picture is drawn as large as it is shown. */
function useWidth(): [ref: { current: SVGSVGElement | null }, width: number] {
  const ref = useRef<SVGSVGElement>(null);
  const [width, setWidth] = useState(800);
  useLayoutEffect(() => {
    const { current } = ref;
    if (!current) return undefined;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(100, entry?.contentRect.width ?? 800)));
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}
