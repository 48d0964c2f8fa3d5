import type { CloseReport } from '../../machines/policy/close.ts';
import type { HealthFact, SocketFact } from '../../machines/relay/relay.events.ts';
import type { SocketInput } from '../../machines/relay/relay.setup.ts';
import type { Clock } from '../clock.ts';
import type { LaneSession } from '../delivery/lane.ts';
import type { Codec, Message, Probe } from '../protocol/codec.ts';
import type { Connection, Transport } from '../transport/transport.ts';
import type { LinkedSession, RelayLink } from './relay-link.ts';

export interface SessionNeeds {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly codec: Codec;
  readonly allowPrivate: boolean;
  readonly link: RelayLink;
  /** Reports to the relay's chart. */
  tell(fact: SocketFact | HealthFact): void;
  /** The connection can be sent on, or no longer. */
  attach(session: Session): void;
  detach(session: Session): void;
  /** A message that is not the answer to a probe. */
  receive(message: Message): void;
}

/** A question that waits for its answer. */
interface OpenProbe extends Probe {
  readonly sentAt: number;
  readonly timer: unknown;
}

/** One socket of one relay, from dialling to its end. Everything that it reports carries its generation. */
export class Session implements LaneSession, LinkedSession {
  readonly generation: number;
  readonly #needs: SessionNeeds;
  readonly #probeTimeoutMs: number;
  readonly #connection: Connection;
  #opened = false;
  #proven = false;
  #ended = false;
  #probe: OpenProbe | undefined;
  #probes = 0;

  constructor(input: SocketInput, needs: SessionNeeds) {
    this.#needs = needs;
    this.generation = input.generation;
    this.#probeTimeoutMs = input.probeTimeoutMs;
    needs.link.dialled();
    this.#connection = needs.transport.open(
      input.url,
      { frameBytesMax: input.frameBytesMax, allowPrivate: needs.allowPrivate },
      {
        onOpen: () => this.#open(),
        onFrame: (data) => this.#receive(data),
        onClose: (report) => this.#closed(report),
      },
    );
  }

  /** The pool has let go of it. */
  get isOver(): boolean {
    return this.#ended;
  }

  send(frame: string): boolean {
    if (this.isOver || !this.#connection.send(frame)) return false;
    this.#needs.link.sent(frame.length, this.#needs.clock.now());
    return true;
  }

  /** Asks for a sign of life. One question at a time: who asks meanwhile hears the answer to that. */
  probe(): void {
    const { clock, codec } = this.#needs;
    if (this.#probe) return;
    this.#probes += 1;
    const probe = codec.probe(`${this.generation}-${this.#probes}`);
    if (!this.send(probe.frame)) return this.#probeFailed();
    const timer = clock.setTimeout(() => {
      this.#probe = undefined;
      this.send(probe.cleanup);
      this.#needs.link.calls.checked(undefined, clock.now());
      this.#probeFailed();
    }, this.#probeTimeoutMs);
    this.#probe = { ...probe, sentAt: clock.now(), timer };
  }

  close(): void {
    this.#connection.close();
  }

  /** Lets go of the socket, whatever state it is in. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#endProbe();
    this.#connection.terminate();
    this.#needs.detach(this);
  }

  /** What measuring showed; said while the session lasts. */
  report(fact: HealthFact): void {
    this.#tell(fact);
  }

  // What a transport says of a connection that was let go of is nobody's business, whatever its contract says.
  #open(): void {
    if (this.isOver) return;
    this.#opened = true;
    this.#needs.link.opened();
    this.#needs.attach(this);
    this.#tell({ type: 'socket.opened', generation: this.generation });
  }

  #receive(data: string | Uint8Array): void {
    if (this.isOver) return;
    const { link, clock, codec } = this.#needs;
    link.received(data.length, clock.now());
    if (!this.#proven) {
      this.#proven = true;
      this.#tell({ type: 'socket.proved', generation: this.generation });
      if (this.isOver) return;
    }
    const message = codec.decode(data);
    if (this.#probe?.isAnswer(message)) this.#answered(this.#probe);
    else this.#needs.receive(message);
  }

  #answered(probe: OpenProbe): void {
    const now = this.#needs.clock.now();
    const latencyMs = now - probe.sentAt;
    this.#endProbe();
    this.#needs.link.calls.checked(latencyMs, now);
    this.send(probe.cleanup);
    this.#tell({ type: 'probe.succeeded', generation: this.generation, latencyMs });
  }

  #probeFailed(): void {
    const successesAt = this.#needs.link.calls.takeSuccesses();
    this.#tell({ type: 'probe.failed', generation: this.generation, successesAt });
  }

  #closed(report: CloseReport): void {
    if (this.isOver) return;
    const { link } = this.#needs;
    if (!this.#opened) link.refused();
    this.#tell({
      type: 'socket.closed',
      generation: this.generation,
      report,
      successesAt: link.calls.takeSuccesses(),
    });
  }

  #endProbe(): void {
    this.#needs.clock.clearTimeout(this.#probe?.timer);
    this.#probe = undefined;
  }

  #tell(fact: SocketFact | HealthFact): void {
    if (!this.isOver) this.#needs.tell(fact);
  }
}
