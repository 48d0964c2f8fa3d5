import { createPool, type NostrEvent, openState } from 'recloser';
import { createBrowserInspector } from 'recloser/inspect-browser';
import { createIndexedDbOutbox } from 'recloser/outbox-indexeddb';
import { createWorkerVerifier } from 'recloser/verify-worker';

/** What a test asks of the page. */
const asked = {
  /** Publishes through a pool with an outbox, and says how it ended. */
  async publish(relays: readonly string[], event: NostrEvent) {
    const outbox = createIndexedDbOutbox('test');
    const pool = createPool({ relays, outbox, state: await openState(outbox), trust: { allowPrivate: true } });
    const { status, durability } = await pool.publish(event, { quorum: relays.length });
    await pool.close();
    await outbox.close();
    return { status, durability };
  },
  /** Accepts an event that no relay takes for now, and leaves. */
  async leaveBehind(relays: readonly string[], event: NostrEvent) {
    const outbox = createIndexedDbOutbox('test');
    const pool = createPool({ relays, outbox, trust: { allowPrivate: true } });
    const accepted = new Promise<string>((resolve) => {
      pool.on('publication.accepted', ({ durability }) => resolve(durability));
    });
    void pool.publish(event);
    return accepted;
  },
  /** Sends what was left behind, and settles when it is confirmed. */
  async goOn(relays: readonly string[]) {
    const outbox = createIndexedDbOutbox('test');
    const pool = createPool({ relays, outbox, trust: { allowPrivate: true } });
    const id = await new Promise<string>((resolve) => {
      pool.on('publication.confirmed', (fact) => resolve(fact.id));
    });
    await pool.close();
    await outbox.close();
    return id;
  },
  /** What workers say of events. */
  async verify(events: readonly NostrEvent[]) {
    const verifier = createWorkerVerifier({ workers: 1 });
    const verdicts = await verifier.verify(events);
    await verifier.close();
    return verdicts;
  },
  /** Receives what is stored, verified by workers. */
  async query(relays: readonly string[]) {
    const verifier = createWorkerVerifier({ workers: 2 });
    const pool = createPool({ relays, verifier, trust: { allowPrivate: true } });
    const { events, complete } = await pool.query({ kinds: [1] });
    const { verifications } = pool.metrics();
    const faults = Object.values(pool.metrics().relays).map((relay) => relay.faults);
    await pool.close();
    await verifier.close();
    return { ids: events.map(({ id }) => id).sort(), complete, verifications, faults };
  },
  /** Shows a pool in the frame beside it. */
  inspect(relays: readonly string[], page: string) {
    const pool = createPool({ relays, trust: { allowPrivate: true } });
    const iframe = document.querySelector<HTMLIFrameElement>('#inspector') ?? undefined;
    createBrowserInspector({ pool, page, iframe, name: 'a pool in a browser' });
  },
};

Object.assign(globalThis, { asked });

export type Asked = typeof asked;
