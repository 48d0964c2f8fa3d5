/** @jsxImportSource preact */
import type { JSX } from 'preact';
import { rounded } from '../model.ts';
import type { Session } from '../session.ts';

const isServing = ({ status }: { readonly status: string }): boolean => status === 'connected' || status === 'degraded';

const inMs = (...values: readonly (number | undefined)[]): string =>
  values.every((value) => value === undefined)
    ? '–'
    : `${values.map((value) => (value === undefined ? '–' : rounded(value))).join(' · ')} ms`;

function Figure({ name, value }: { readonly name: string; readonly value: string }): JSX.Element {
  return (
    <div class="figure">
      <dd>{value}</dd>
      <dt>{name}</dt>
    </div>
  );
}

export interface HeaderProps {
  readonly session: Session;
  readonly onTheme: () => void;
  readonly onExport: () => void;
  readonly onImport: (file: File) => void;
}

export function Header({ session, onTheme, onExport, onImport }: HeaderProps): JSX.Element {
  const { model, replay } = session;
  const { summary, hello } = model;
  const number = (value: number): string => value.toLocaleString('en');
  return (
    <header>
      <h1>
        {hello?.name ?? 'recloser'} <span>inspector</span>
      </h1>
      {summary && (
        <dl class="figures">
          <Figure name="connected" value={`${summary.relays.filter(isServing).length} / ${summary.relays.length}`} />
          <Figure name="published" value={number(summary.published)} />
          <Figure name="acknowledged" value={number(summary.confirmed)} />
          {summary.lost === undefined ? (
            <Figure name="failed" value={number(summary.failed)} />
          ) : (
            <Figure name="lost" value={`${number(summary.lost)}${summary.lost === 0 ? ' ✓' : ''}`} />
          )}
          <Figure name="in flight" value={number(summary.inFlight)} />
          <Figure name="queued" value={number(summary.queued)} />
          <Figure name="p50 · p95 · p99" value={inMs(summary.p50, summary.p95, summary.p99)} />
          <Figure name="last failover" value={inMs(model.failovers.at(-1)?.ms)} />
          {model.alerts.size > 0 && (
            <div class="figure alerts" role="status">
              <dd>▲ {model.alerts.size}</dd>
              <dt>{[...new Set([...model.alerts.values()].map(({ name }) => name))].join(', ')}</dt>
            </div>
          )}
        </dl>
      )}
      <div class="tools">
        {summary && <span class="strategy">{summary.strategy}</span>}
        <button type="button" onClick={() => session.pause()} aria-pressed={replay !== undefined} title="Space">
          {replay ? '▶ live' : '❚❚ pause'}
        </button>
        <button type="button" onClick={onTheme}>
          ◐ theme
        </button>
        <button type="button" onClick={onExport}>
          ⤓ export
        </button>
        <label class="button">
          ⤒ import
          <input
            type="file"
            accept="application/json,.json"
            onChange={({ currentTarget }) => {
              const [file] = currentTarget.files ?? [];
              if (file) onImport(file);
              currentTarget.value = '';
            }}
          />
        </label>
      </div>
    </header>
  );
}
