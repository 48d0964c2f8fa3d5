import type { Invariant } from '../scene.ts';

const recovery: Invariant = {
  ids: 'L1 L7',
  says: 'once everything is healed, every relay becomes connected within the longest wait that it may have announced',
  watch: (scene) => ({
    calmed() {
      for (const { url, status } of scene.relays.values()) {
        if (status === 'degraded') scene.fail('L7', `${url} is still degraded`);
        else if (status !== 'connected') scene.fail('L1', `${url} is ${status}`);
      }
    },
  }),
};

const delivery: Invariant = {
  ids: 'L3 L12',
  says: 'once everything is healed, every accepted event reaches its quorum or is told to have failed, and the books empty',
  watch: (scene) => {
    let connectedSince = 0;
    return {
      fact(fact) {
        if (!scene.isHealed || fact.type.startsWith('relay.')) connectedSince = scene.awakeMs;
        if (fact.type !== 'publication.failed' || fact.cause !== 'expired' || scene.timeWasOdd) return;
        for (const { status } of scene.relays.values()) if (status !== 'connected') return;
        // What a relay has been found to take grows back slowly, and what waits for it may not be in time.
        const { outcomes } = fact;
        if (scene.lanes().some(({ url, perSecond }) => url in outcomes && perSecond !== undefined)) return;
        const forMs = scene.awakeMs - connectedSince;
        if (forMs > scene.settlingMs)
          scene.fail('L3', `${fact.id.slice(0, 8)} expired after ${forMs} ms without a fault`);
      },
      calmed() {
        const { open, unconfirmed, queueBytes } = scene.books;
        if (unconfirmed > 0) scene.fail('L3', `${unconfirmed} publications have no end`);
        if (open > 0) scene.fail('L3', `${open} publications are not completed`);
        if (open === 0 && queueBytes !== 0) scene.fail('L3', `${queueBytes} bytes are counted for nothing`);
        for (const [url, { queued, inFlight }] of Object.entries(scene.pool.metrics().relays)) {
          if (queued + inFlight > 0) scene.fail('L12', `${queued} events wait and ${inFlight} are in flight at ${url}`);
        }
      },
    };
  },
};

export const LIVENESS_INVARIANTS: readonly Invariant[] = [recovery, delivery];
