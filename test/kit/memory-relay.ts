import type { MemoryNetwork, MemoryPeer } from '../../src/testing/index.ts';

/** A relay on a network in memory that accepts every event and answers every probe, and can be taken away. */
export class MemoryRelay {
  readonly url: string;
  readonly stored = new Set<string>();
  /** Events that arrived, whatever was said to them. */
  readonly seen = new Set<string>();
  /** What is said to an event; nothing keeps silent. */
  answer: (id: string) => unknown[] | undefined = (id) => ['OK', id, true, ''];
  readonly peers = new Set<MemoryPeer>();
  dials = 0;
  openMost = 0;
  readonly #network: MemoryNetwork;
  #stop: () => void = () => {};

  constructor(network: MemoryNetwork, url: string) {
    this.#network = network;
    this.url = url;
    this.start();
  }

  start(): void {
    this.#stop = this.#network.listen(this.url, (peer) => {
      this.dials += 1;
      this.peers.add(peer);
      this.openMost = Math.max(this.openMost, this.peers.size);
      peer.onClose = () => this.peers.delete(peer);
      peer.onFrame = (frame) => {
        const [type, value] = JSON.parse(frame);
        if (type === 'REQ') peer.send(JSON.stringify(['EOSE', value]));
        if (type !== 'EVENT') return;
        this.seen.add(value.id);
        const answer = this.answer(value.id);
        if (answer?.[2] === true) this.stored.add(value.id);
        if (answer) peer.send(JSON.stringify(answer));
      };
    });
  }

  /** Goes away: connections are cut, and new ones refused. */
  stop(): void {
    this.#stop();
    for (const peer of this.peers) peer.cut();
  }
}
