import type { CloseReport } from '../../../machines/policy/close.ts';
import type { Clock } from '../../clock.ts';
import type { Connection, TransportHandlers, TransportOptions } from '../../transport/transport.ts';
import type { Dice } from '../random.ts';
import type { Linked, SimulatedLink } from './link.ts';
import { Pipe } from './pipe.ts';
import type { SimulatedPeer, SimulatedServer } from './server.ts';

/** What a connection is made of. */
export interface Wiring {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly link: SimulatedLink;
}

const LOST: CloseReport = { code: 1006, reason: '' };

const sizeOf = (frame: string | Uint8Array): number => (typeof frame === 'string' ? frame.length : frame.byteLength);

/** Both ends of one connection. */
export class SimulatedConnection implements Connection, Linked {
  readonly #options: TransportOptions;
  readonly #handlers: TransportHandlers;
  readonly #link: SimulatedLink;
  readonly #up: Pipe;
  readonly #down: Pipe;
  readonly #peer: SimulatedPeer;
  #state: 'dialling' | 'open' | 'closing' | 'closed' = 'dialling';
  #isPeerOpen = false;

  constructor(url: string, options: TransportOptions, handlers: TransportHandlers, { clock, dice, link }: Wiring) {
    this.#options = options;
    this.#handlers = handlers;
    this.#link = link;
    this.#up = new Pipe(clock, () => link.up, dice);
    this.#down = new Pipe(clock, () => link.down, dice);
    link.connections.add(this);
    this.#peer = {
      url,
      onFrame: () => {},
      onClose: () => {},
      answersPings: () => true,
      send: (frame) => this.#isPeerOpen && this.#down.send(sizeOf(frame), () => this.#receive(frame)),
      close: (code = 1000, reason = '', lingers = false) =>
        this.#isPeerOpen && this.#closePolitely({ code, reason }, lingers),
      cut: () => this.cut(),
    };
  }

  get bufferedBytes(): number {
    return this.#up.bufferedBytes;
  }

  dial(find: () => SimulatedServer | undefined): void {
    this.#up.send(0, () => {
      const server = find();
      const admission = server ? (server.admit?.() ?? 'accept') : 'refuse';
      if (admission === 'ignore') return;
      if (!server || admission === 'refuse') return this.#answer({ code: 1006, reason: 'connection refused' });
      if (admission !== 'accept') {
        const reason = `the upgrade was answered with HTTP ${admission.httpStatus}`;
        return this.#answer({ code: 1006, reason, ...admission });
      }
      this.#isPeerOpen = true;
      this.#down.send(0, () => this.#open());
      server.accept(this.#peer);
    });
  }

  send(frame: string): boolean {
    if (this.#state !== 'open') return false;
    this.#up.send(sizeOf(frame), () => {
      if (this.#isPeerOpen) this.#peer.onFrame(frame);
    });
    return true;
  }

  ping(): boolean {
    if (this.#state !== 'open') return false;
    this.#up.send(0, () => {
      if (!this.#isPeerOpen || !this.#peer.answersPings()) return;
      this.#down.send(0, () => this.#state === 'open' && this.#handlers.onPong());
    });
    return true;
  }

  close(): void {
    this.#up.send(0, () => {
      if (this.#isPeerOpen) this.#answer({ code: 1000, reason: '' });
    });
  }

  terminate(): void {
    if (this.#state === 'closed') return;
    this.#forget();
    this.#leave(LOST.code);
  }

  resume(): void {
    this.#up.resume();
    this.#down.resume();
  }

  lose(): void {
    this.#up.break();
    this.#down.break();
    this.#link.connections.delete(this);
  }

  cut(): void {
    if (this.#state === 'closed') this.#link.connections.delete(this);
    this.#up.drop();
    this.#down.drop();
    this.#endPeer(LOST.code);
    this.#answer(LOST);
  }

  reset(): void {
    this.lose();
    this.#endPeer(LOST.code);
    this.#end(LOST);
  }

  #open(): void {
    if (this.#state !== 'dialling') return;
    this.#state = 'open';
    this.#handlers.onOpen();
  }

  #receive(frame: string | Uint8Array): void {
    if (this.#state !== 'open') return;
    if (sizeOf(frame) <= this.#options.frameBytesMax) {
      return typeof frame === 'string' ? this.#handlers.onFrame(frame) : this.#handlers.onBinary(frame);
    }
    this.#leave(1009);
    this.#end({ code: 1009, reason: 'the frame is too large' });
  }

  /** The server sends a Close frame; the socket is closed once the client has answered it, unless the server lingers. */
  #closePolitely(report: CloseReport, lingers: boolean): void {
    this.#endPeer(report.code);
    this.#down.send(0, () => {
      if (this.#state !== 'open' && this.#state !== 'dialling') return;
      const isOpen = this.#state === 'open';
      this.#state = 'closing';
      if (!isOpen) return this.#end(report);
      this.#handlers.onClosing?.(report);
      if (!lingers) this.#up.send(0, () => this.#down.send(0, () => this.#end(report)));
    });
  }

  /** The server's last word. */
  #answer(report: CloseReport): void {
    this.#endPeer(report.code);
    this.#down.send(0, () => this.#end(report));
  }

  #end(report: CloseReport): void {
    if (this.#state === 'closed') return;
    this.#forget();
    if (!this.#isPeerOpen) this.#link.connections.delete(this);
    this.#handlers.onClose(report);
  }

  /** The client's end is closed. What it has sent still travels. */
  #forget(): void {
    this.#state = 'closed';
    this.#down.break();
    this.#link.forget(this);
  }

  /** Tells the server that the client is gone, after all that it has sent. */
  #leave(code: number): void {
    this.#up.send(0, () => {
      this.#endPeer(code);
      this.#link.connections.delete(this);
    });
  }

  #endPeer(code: number): void {
    if (!this.#isPeerOpen) return;
    this.#isPeerOpen = false;
    this.#peer.onClose(code);
  }
}
