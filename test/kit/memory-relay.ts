import type { Clock } from '../../src/index.ts';
import type { SimulatedNetwork, SimulatedPeer } from '../../src/testing/index.ts';

/** A relay on a network in memory that accepts every event and answers every probe, and can be taken away. */
export class MemoryRelay {
  readonly url: string;
  readonly stored = new Set<string>();
  /** Events that arrived, whatever was said to them. */
  readonly seen = new Set<string>();
  /** What is said to an event; nothing keeps silent. */
  answer: (id: string) => unknown[] | undefined = (id) => ['OK', id, true, ''];
  readonly peers = new Set<SimulatedPeer>();
  /** Milliseconds before every answer. */
  delayMs = 0;
  dials = 0;
  openMost = 0;
  readonly #network: SimulatedNetwork;
  readonly #clock: Pick<Clock, 'setTimeout'>;
  #stop: () => void = () => {};

  constructor(network: SimulatedNetwork, url: string, clock: Pick<Clock, 'setTimeout'>) {
    this.#clock = clock;
    this.#network = network;
    this.url = url;
    this.start();
  }

  start(): void {
    this.#stop = this.#network.listen(this.url, {
      accept: (peer) => {
        this.dials += 1;
        this.peers.add(peer);
        this.openMost = Math.max(this.openMost, this.peers.size);
        peer.onClose = () => this.peers.delete(peer);
        peer.onFrame = (frame) => {
          const [type, value] = JSON.parse(frame);
          if (type === 'REQ') this.#say(peer, ['EOSE', value]);
          if (type !== 'EVENT') return;
          this.seen.add(value.id);
          const answer = this.answer(value.id);
          if (answer?.[2] === true) this.stored.add(value.id);
          if (answer) this.#say(peer, answer);
        };
      },
    });
  }

  /** Goes away: connections are cut, and new ones refused. */
  stop(): void {
    this.#stop();
    for (const peer of this.peers) peer.cut();
  }

  #say(peer: SimulatedPeer, message: readonly unknown[]): void {
    this.#clock.setTimeout(() => peer.send(JSON.stringify(message)), this.delayMs);
  }
}
