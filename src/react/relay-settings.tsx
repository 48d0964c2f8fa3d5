import { type FormEvent, type JSX, useId, useState } from 'react';
import { type Pool, RecloserError } from '../index.ts';
import { usePoolStatus } from './use-pool-status.ts';

export interface RelaySettingsProps {
  readonly pool: Pool | undefined;
  /** Class of the section. Default `recloser-settings`, which the optional stylesheet knows. */
  readonly className?: string;
}

/** Adds and removes relays, and connects and disconnects them. */
export function RelaySettings({ pool, className = 'recloser-settings' }: RelaySettingsProps): JSX.Element {
  const { connections } = usePoolStatus(pool);
  const [url, setUrl] = useState('');
  const [problem, setProblem] = useState('');
  const field = useId();

  const attempt = (act: (pool: Pool) => void): boolean => {
    try {
      if (pool) act(pool);
      setProblem('');
      return pool !== undefined;
    } catch (error) {
      // It says what to give instead; anything else is a fault of ours.
      if (!(error instanceof RecloserError)) throw error;
      setProblem(error.message);
      return false;
    }
  };
  const add = (event: FormEvent): void => {
    event.preventDefault();
    if (attempt((present) => present.addRelay(url.trim()))) setUrl('');
  };

  return (
    <section className={className} aria-label="relay settings">
      <ul>
        {connections.map((relay) => {
          const isAway = relay.status === 'idle' || relay.status === 'locked-out';
          return (
            <li key={relay.url} data-relay={relay.url}>
              <span>{relay.url}</span>{' '}
              <button
                type="button"
                onClick={() =>
                  attempt((present) => (isAway ? present.connect(relay.url) : present.disconnect(relay.url)))
                }
              >
                {isAway ? 'connect' : 'disconnect'}
              </button>{' '}
              <button type="button" onClick={() => attempt((present) => present.removeRelay(relay.url))}>
                remove
              </button>
            </li>
          );
        })}
      </ul>
      <form onSubmit={add}>
        <label htmlFor={field}>add a relay</label>{' '}
        <input
          id={field}
          value={url}
          placeholder="wss://relay.example"
          onChange={({ currentTarget }) => setUrl(currentTarget.value)}
          aria-invalid={problem !== ''}
        />{' '}
        <button type="submit">add</button>
        {problem && <p role="alert">{problem}</p>}
      </form>
    </section>
  );
}
