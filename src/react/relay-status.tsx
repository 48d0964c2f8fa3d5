import type { JSX } from 'react';
import type { Pool } from '../index.ts';
import { lookName, lookOf } from '../looks.ts';
import type { RelayHealth } from './pool-store.ts';
import { usePoolStatus } from './use-pool-status.ts';

export interface RelayStatusProps {
  readonly pool: Pool | undefined;
  /** Class of the list. Default `recloser-status`, which the optional stylesheet knows. */
  readonly className?: string;
}

const shortened = (url: string): string => url.replace(/^wss?:\/\//, '').replace(/\/$/, '');

const measured = ({ latencyMs, successRate }: RelayHealth): string =>
  [
    latencyMs === undefined ? undefined : `${Math.round(latencyMs)} ms`,
    successRate === undefined ? undefined : `${Math.round(successRate * 100)} %`,
  ]
    .filter((part) => part !== undefined)
    .join(', ');

/** Every relay of a pool with its state, and how it answers. */
export function RelayStatus({ pool, className = 'recloser-status' }: RelayStatusProps): JSX.Element {
  const { connections, healthMetrics } = usePoolStatus(pool);
  return (
    <ul className={className} aria-label="relays">
      {connections.map(({ url, status }) => (
        <li key={url} data-relay={url} data-status={status}>
          <i data-look={lookName(status)} aria-hidden="true">
            {lookOf(status).glyph}
          </i>{' '}
          <span>{shortened(url)}</span> <b>{status}</b>{' '}
          <small>{healthMetrics[url] && measured(healthMetrics[url])}</small>
        </li>
      ))}
    </ul>
  );
}
