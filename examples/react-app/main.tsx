import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { type JSX, StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { RelaySettings, RelayStatus, useRelayPool } from 'recloser/react';
import 'recloser/react/style.css';

const key = generateSecretKey();

/** Relays to begin with: `?relay=wss://…`, as often as there are some. */
const relays = new URLSearchParams(location.search).getAll('relay');

function App(): JSX.Element {
  const { pool, connections, publishToAll, subscribeToMessages } = useRelayPool(relays, {
    trust: { allowPrivate: true },
  });
  const [text, setText] = useState('');
  const [last, setLast] = useState('');
  const [frames, setFrames] = useState(0);

  useEffect(() => subscribeToMessages(() => setFrames((count) => count + 1)), [subscribeToMessages]);

  const publish = async (): Promise<void> => {
    const event = finalizeEvent({ kind: 1, created_at: Math.floor(Date.now() / 1_000), tags: [], content: text }, key);
    const receipt = await publishToAll(event);
    setLast(`${receipt.status} by ${receipt.accepted}`);
    setText('');
  };

  return (
    <main>
      <h1>
        {connections.filter(({ status }) => status === 'connected').length} of {connections.length} connected
      </h1>
      <RelayStatus pool={pool} />
      <RelaySettings pool={pool} />
      <form
        onSubmit={(submitted) => {
          submitted.preventDefault();
          publish().catch((error: Error) => setLast(error.message));
        }}
      >
        <input aria-label="note" value={text} onChange={({ currentTarget }) => setText(currentTarget.value)} />
        <button type="submit">publish</button>
      </form>
      <output>{last}</output>
      <p>{frames} frames</p>
    </main>
  );
}

const root = document.getElementById('app');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
