/** @jsxImportSource preact */
import type { JSX } from 'preact';
import { type FailoverView, type Model, rounded, shortName, shortUrl } from '../model.ts';

interface Message {
  readonly from: number;
  readonly to: number;
  readonly words: string;
  /** To the right of it. */
  readonly time: string;
  readonly kind: 'plain' | 'bad' | 'good';
}

interface Exchanged {
  readonly who: readonly string[];
  readonly messages: readonly Message[];
}

/** The way of the event of a failover that took longest: application, pool, the relay that failed, the one that took over. */
function failoverSequence({ url, cause, slowest, count }: FailoverView): Exchanged {
  const { relay, publishedMs, sentMs, movedMs, acceptedMs } = slowest;
  const began = publishedMs;
  const time = (ms: number): string => `${rounded(ms - began)} ms`;
  const message = (from: number, to: number, words: string, ms: number, kind: Message['kind'] = 'plain'): Message => ({
    from,
    to,
    words,
    time: time(ms),
    kind,
  });
  return {
    who: ['application', 'pool', shortUrl(url), shortUrl(relay)],
    messages: [
      message(0, 1, 'PUBLISH', publishedMs),
      ...(sentMs === undefined ? [] : [message(1, 2, 'EVENT', sentMs)]),
      message(2, 1, `✖ ${cause}: ${count}`, 0, 'bad'),
      message(1, 3, 'EVENT', movedMs),
      message(3, 1, 'OK', acceptedMs, 'good'),
      message(1, 0, 'accepted', acceptedMs, 'good'),
    ],
  };
}

/** Whoever is none of the actors. */
const OUTSIDE = '';

const EXCHANGES_SHOWN = 14;
const PARTNERS_SHOWN = 6;

/** The last events between actors of any application. */
function lastExchanges(model: Model): Exchanged {
  const last = model.exchanges.slice(-EXCHANGES_SHOWN);
  // Several may have the same name.
  const known = (id: string | undefined): string => (id !== undefined && model.actors.has(id) ? id : OUTSIDE);
  const partners = [...new Set(last.flatMap(({ source, target }) => [known(source), known(target)]))];
  const shown = partners.slice(-PARTNERS_SHOWN);
  const began = last[0]?.at ?? 0;
  const messages = last.flatMap(({ at, source, target, event }): Message[] => {
    const [from, to] = [shown.indexOf(known(source)), shown.indexOf(known(target))];
    if (from < 0 || to < 0) return [];
    return [{ from, to, words: event, time: `${rounded(at - began)} ms`, kind: 'plain' }];
  });
  const who = shown.map((id) => shortName(model.actors.get(id)?.name ?? 'outside'));
  return { who, messages };
}

const COLUMN = 88;
const ROW = 26;
/** Letters of a name that have room; of addresses, the end tells them apart. */
const NAME_LENGTH_MAX = 13;
const TOP = 40;
const TIMES = 48;

export function Sequence({ model }: { readonly model: Model }): JSX.Element {
  const failover = model.failovers.at(-1);
  const isPool = model.summary !== undefined;
  const { who, messages } = failover ? failoverSequence(failover) : isPool ? EMPTY : lastExchanges(model);
  const title = isPool ? 'Last failover, message by message' : 'Last events between actors';
  return (
    <section class="card sequence" aria-labelledby="sequence">
      <h2 id="sequence">
        {title}
        {failover && (
          <small>
            {failover.count} {failover.count === 1 ? 'message' : 'messages'}, {rounded(failover.ms)} ms
            {model.summary?.failoverP50 === undefined
              ? ''
              : `; of ${model.summary.failovers}: p50 ${rounded(model.summary.failoverP50)}, p99 ${rounded(model.summary.failoverP99 ?? 0)} ms`}
          </small>
        )}
      </h2>
      {messages.length === 0 ? (
        <p class="empty">{isPool ? 'Nothing has had to be moved so far.' : 'Nothing has been sent so far.'}</p>
      ) : (
        <Diagram who={who} messages={messages} />
      )}
    </section>
  );
}

const EMPTY: Exchanged = { who: [], messages: [] };

function Diagram({ who, messages }: Exchanged): JSX.Element {
  const width = who.length * COLUMN + TIMES;
  const height = TOP + messages.length * ROW + 14;
  const x = (index: number): number => COLUMN * (index + 0.5);
  return (
    <div class="scrolled">
      <svg
        class="diagram"
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        role="img"
        aria-label={messages
          .map(({ from, to, words, time }) => `${who[from]} to ${who[to]}: ${words} at ${time}`)
          .join('; ')}
      >
        <defs>
          {['plain', 'bad', 'good'].map((kind) => (
            <marker
              key={kind}
              id={`sent-${kind}`}
              class={kind}
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="7"
              markerHeight="7"
              orient="auto"
            >
              <path d="M0 0L8 4L0 8z" />
            </marker>
          ))}
        </defs>
        {who.map((name, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: several may have the same name
          <g key={index}>
            <line class="life" x1={x(index)} x2={x(index)} y1={TOP - 16} y2={height - 4} />
            <text class="who" x={x(index)} y={TOP - 22} text-anchor="middle">
              {name.length > NAME_LENGTH_MAX ? `…${name.slice(1 - NAME_LENGTH_MAX)}` : name}
            </text>
          </g>
        ))}
        {messages.map(({ from, to, words, time, kind }, index) => {
          const y = TOP + index * ROW + 12;
          const loop = from === to ? `M${x(from)} ${y}h26v10h-26` : `M${x(from)} ${y}H${x(to)}`;
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: the same may be said twice at one time
            <g key={index} class={`message ${kind}`}>
              <path d={loop} marker-end={`url(#sent-${kind})`} />
              <text
                x={from === to ? x(from) + 32 : (x(from) + x(to)) / 2}
                y={y - 4}
                text-anchor={from === to ? 'start' : 'middle'}
              >
                {words}
              </text>
              <text class="time" x={width - 4} y={y + 3} text-anchor="end">
                {time}
              </text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}
