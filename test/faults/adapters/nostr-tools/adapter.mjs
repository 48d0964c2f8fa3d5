import { SimplePool, useWebSocketImplementation } from 'nostr-tools/pool';
import WebSocket from 'ws';

useWebSocketImplementation(WebSocket);

/** nostr-tools, with reconnecting and pings turned on. */
export const adapter = {
  name: 'nostr-tools',
  open(urls) {
    const pool = new SimplePool({ enablePing: true, enableReconnect: true });
    return {
      async publish(event) {
        try {
          await Promise.any(pool.publish(urls, event));
          return true;
        } catch {
          return false;
        }
      },
      subscribe(receive) {
        pool.subscribe(urls, { kinds: [1] }, { onevent: receive });
      },
      close() {
        pool.close(urls);
      },
    };
  },
};
