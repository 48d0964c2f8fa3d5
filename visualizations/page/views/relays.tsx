/** @jsxImportSource preact */
import type { JSX } from 'preact';
import { colourOf, LOOKS, lookOf } from '../../../src/looks.ts';
import { type Model, type RelayView, rounded, SPAN_MS, shortUrl } from '../model.ts';

function State({ status }: { readonly status: string }): JSX.Element {
  return (
    <span class="state">
      <i style={{ color: colourOf(status) }} aria-hidden="true">
        {lookOf(status).glyph}
      </i>{' '}
      <b>{status}</b>
    </span>
  );
}

export function Legend(): JSX.Element {
  return (
    <p class="legend" aria-hidden="true">
      {Object.keys(LOOKS)
        .filter((status) => status !== 'idle')
        .map((status) => (
          <span key={status}>
            <i style={{ color: colourOf(status) }}>{lookOf(status).glyph}</i> {status}
          </span>
        ))}
    </p>
  );
}

const [LINE_WIDTH, LINE_HEIGHT] = [110, 24];

/** Latencies of the last minute; where there are none, there is a gap. */
function sparkline(samples: RelayView['samples'], now: number): string {
  const most = Math.max(1, ...samples.map(({ latency = 0 }) => latency));
  let path = '';
  let isDrawing = false;
  for (const { at, latency } of samples) {
    if (latency === undefined) {
      isDrawing = false;
      continue;
    }
    const x = LINE_WIDTH * (1 - (now - at) / SPAN_MS);
    const y = LINE_HEIGHT - 2 - (LINE_HEIGHT - 4) * (latency / most);
    path += `${isDrawing ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    isDrawing = true;
  }
  return path;
}

const ms = (value: number | undefined): string => (value === undefined ? '–' : rounded(value));
const seconds = (value: number): string => `${(value / 1_000).toFixed(value < 9_950 ? 1 : 0)} s`;
const percent = (value: number | undefined): string =>
  value === undefined ? '–' : `${(value * 100).toFixed(value > 0.995 || value === 0 ? 0 : 1)}%`;

interface RelaysProps {
  readonly model: Model;
  readonly selected: string | undefined;
  readonly onSelect: (url: string) => void;
}

function Row({
  relay,
  isSelected,
  now,
  onSelect,
}: {
  relay: RelayView;
  isSelected: boolean;
  now: number;
  onSelect: () => void;
}) {
  const { summary, samples, url } = relay;
  return (
    <tr aria-selected={isSelected} onClick={onSelect} data-relay={url}>
      <td>
        <State status={summary.status} /> <small>{summary.since < 60_000 ? seconds(summary.since) : ''}</small>
      </td>
      <th scope="row">{shortUrl(url)}</th>
      <td>
        <svg class="sparkline" viewBox={`0 0 ${LINE_WIDTH} ${LINE_HEIGHT}`} aria-hidden="true">
          <path d={sparkline(samples, now)} />
        </svg>
      </td>
      <td>{ms(summary.p50)}</td>
      <td>{ms(summary.p95)}</td>
      <td>{ms(summary.p99)}</td>
      <td>{percent(summary.success)}</td>
      <td>{summary.inFlight}</td>
      <td>{summary.queued}</td>
      <td>{percent(summary.share)}</td>
      <td>{summary.next === undefined ? '–' : seconds(summary.next)}</td>
      <td class="reason" title={summary.reason}>
        {summary.reason ?? ''}
      </td>
    </tr>
  );
}

export function Relays({ model, selected, onSelect }: RelaysProps): JSX.Element {
  const relays = [...model.relays.values()];
  return (
    <div class="scroll">
      <table class="relays">
        <thead>
          <tr>
            <th scope="col">state</th>
            <th scope="col">relay</th>
            <th scope="col">latency, 60 s</th>
            <th scope="col">p50</th>
            <th scope="col">p95</th>
            <th scope="col">p99</th>
            <th scope="col">ok</th>
            <th scope="col">in flight</th>
            <th scope="col">queued</th>
            <th scope="col">share</th>
            <th scope="col">next</th>
            <th scope="col">why</th>
          </tr>
        </thead>
        <tbody>
          {relays.map((relay) => (
            <Row
              key={relay.url}
              relay={relay}
              now={model.now}
              isSelected={relay.url === selected}
              onSelect={() => onSelect(relay.url)}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface FaultsProps {
  readonly faults: readonly string[];
  readonly url: string;
  readonly onBreak: (fault: string) => void;
}

export function Faults({ faults, url, onBreak }: FaultsProps): JSX.Element {
  return (
    <p class="faults">
      Inject into <code>{shortUrl(url)}</code>
      {faults.map((fault, index) => (
        <button key={fault} type="button" onClick={() => onBreak(fault)} data-fault={fault}>
          <kbd>{index + 1}</kbd> {fault}
        </button>
      ))}
    </p>
  );
}
