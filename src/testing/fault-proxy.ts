import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Dice } from './random.ts';

/** What happens to bytes on their way in one direction. */
export interface DirectionFaults {
  /** Milliseconds that bytes take, and how many more at most. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  readonly bytesPerSecond: number;
  /** Bytes arrive in pieces of at most so many. */
  readonly sliceBytes: number;
  /** Nothing arrives, and nobody is told. What is held is delivered when this ends, as with TCP after a partition. */
  readonly held: boolean;
  /** Nothing arrives, also not later: the other end is gone without a word. */
  readonly lost: boolean;
  /** The connection is reset once so many bytes have arrived. */
  readonly limitBytes: number;
}

export interface ProxyFaults {
  /** Towards the server, and from it. */
  readonly up: Partial<DirectionFaults>;
  readonly down: Partial<DirectionFaults>;
  /** Reset every new connection. */
  readonly refuse: boolean;
  /** Accept connections, and let nothing through to the server. */
  readonly tarpit: boolean;
}

const CLEAR: DirectionFaults = Object.freeze({
  latencyMs: 0,
  jitterMs: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  sliceBytes: Number.POSITIVE_INFINITY,
  held: false,
  lost: false,
  limitBytes: Number.POSITIVE_INFINITY,
});

/** Bytes that wait in one direction before the sender is made to wait as well. */
const BUFFER_BYTES_MAX = 1024 * 1024;

/** One connection: from the client, and on to the server unless that is not reached. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket | undefined;
  readonly channels: readonly Channel[];
}

/** One direction of one connection. */
class Channel {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #faults: () => DirectionFaults;
  readonly #dice: Dice;
  #waiting: { readonly bytes: Buffer; readonly dueAt: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #leftAt = 0;
  #dueAt = 0;
  #waitingBytes = 0;
  #passedBytes = 0;
  /** How the sender has ended, which the other side hears after all that is under way. */
  #end: 'none' | 'ended' | 'reset' = 'none';
  /** It was lost once, and stays so: who missed something cannot go on. */
  #broken = false;

  constructor(from: Socket, to: Socket, faults: () => DirectionFaults, dice: Dice) {
    this.#from = from;
    this.#to = to;
    this.#faults = faults;
    this.#dice = dice;
    from.on('data', (bytes: Buffer) => this.#accept(bytes));
    from.on('end', () => this.#finish('ended'));
    from.on('close', (hadError) => this.#finish(hadError ? 'reset' : 'ended'));
    to.on('drain', () => this.pump());
    to.on('close', () => this.break());
  }

  /** Whatever is due goes on. */
  pump(): void {
    clearTimeout(this.#timer);
    if (this.#isLost) return this.break();
    if (this.#faults().held || this.#to.writableNeedDrain) return;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const inMs = next.dueAt - performance.now();
      if (inMs > 0.5) {
        this.#timer = setTimeout(() => this.pump(), inMs);
        return;
      }
      this.#waiting.shift();
      if (!this.#pass(next.bytes)) return;
    }
    if (this.#end === 'ended') this.#to.end();
    if (this.#end === 'reset') this.#to.resetAndDestroy();
  }

  /** Conditions have changed: what waits goes on under the new ones. */
  reschedule(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#leftAt = 0;
    this.#dueAt = 0;
    for (const { bytes } of waiting) this.#schedule(bytes);
    this.pump();
  }

  /** Nothing arrives any more; what the sender still says is taken and forgotten. */
  break(): void {
    clearTimeout(this.#timer);
    this.#broken = true;
    this.#waiting = [];
    this.#from.resume();
  }

  get #isLost(): boolean {
    this.#broken ||= this.#faults().lost;
    return this.#broken;
  }

  #finish(end: 'ended' | 'reset'): void {
    if (this.#end !== 'reset') this.#end = end;
    this.pump();
  }

  #accept(bytes: Buffer): void {
    if (this.#isLost) return;
    this.#schedule(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > BUFFER_BYTES_MAX) this.#from.pause();
    this.pump();
  }

  #schedule(bytes: Buffer): void {
    const { latencyMs, jitterMs, bytesPerSecond, sliceBytes } = this.#faults();
    const size = Math.min(sliceBytes, bytes.length);
    for (let from = 0; from < bytes.length; from += size) {
      const piece = bytes.subarray(from, from + size);
      this.#leftAt = Math.max(performance.now(), this.#leftAt) + (piece.length / bytesPerSecond) * 1_000;
      // Bytes of one connection never overtake each other.
      this.#dueAt = Math.max(this.#dueAt, this.#leftAt + latencyMs + this.#dice() * jitterMs);
      this.#waiting.push({ bytes: piece, dueAt: this.#dueAt });
    }
  }

  /** False when nothing more can be passed on for now. */
  #pass(bytes: Buffer): boolean {
    const room = this.#faults().limitBytes - this.#passedBytes;
    this.#passedBytes += bytes.length;
    this.#waitingBytes -= bytes.length;
    if (this.#waitingBytes <= BUFFER_BYTES_MAX && this.#from.isPaused()) this.#from.resume();
    if (bytes.length <= room) return this.#to.write(bytes);
    this.#to.write(bytes.subarray(0, Math.max(0, room)), () => this.#to.resetAndDestroy());
    return false;
  }
}

/** Refuses what would never end. */
function checked(faults: DirectionFaults): DirectionFaults {
  if (!(faults.bytesPerSecond > 0)) throw new RangeError('bytesPerSecond has to be above 0; to stop it all, hold it.');
  if (!(faults.sliceBytes >= 1)) throw new RangeError('sliceBytes has to be at least 1.');
  return faults;
}

/**
 * A TCP proxy on 127.0.0.1 that does to bytes what networks do: delay, throttle, slice, hold back, lose and reset them,
 * in either direction, while they are under way. What speaks through it needs not know.
 */
export class FaultProxy {
  /** Connections that ever arrived. */
  dials = 0;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #path: string;
  readonly #dice: Dice;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #up = CLEAR;
  #down = CLEAR;
  #refuse = false;
  #tarpit = false;

  private constructor(target: URL, dice: Dice) {
    this.#target = { host: target.hostname, port: Number(target.port) };
    this.#path = `${target.pathname}${target.search}`;
    this.#dice = dice;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  /** Starts one in front of a `ws://` URL with a port. The dice decide about jitter. */
  static async start(target: string, dice: Dice = Math.random): Promise<FaultProxy> {
    const proxy = new FaultProxy(new URL(target), dice);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Where the server is reached through the proxy. */
  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.#path}`;
  }

  /** Connections that their clients have not ended. */
  get open(): number {
    return [...this.#pairs].filter(({ client }) => !client.destroyed && !client.readableEnded).length;
  }

  /** Turns faults on or off; those that are not named stay as they are. */
  set({ up, down, refuse, tarpit }: Partial<ProxyFaults>): void {
    this.#up = checked({ ...this.#up, ...up });
    this.#down = checked({ ...this.#down, ...down });
    this.#refuse = refuse ?? this.#refuse;
    this.#tarpit = tarpit ?? this.#tarpit;
    for (const { channels } of this.#pairs) for (const channel of channels) channel.reschedule();
  }

  heal(): void {
    this.set({ up: CLEAR, down: CLEAR, refuse: false, tarpit: false });
  }

  /** Resets every connection, on both sides. */
  reset(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server?.resetAndDestroy();
    }
  }

  /** Ends every connection without a close frame. */
  end(): void {
    for (const { client, server, channels } of this.#pairs) {
      for (const channel of channels) channel.break();
      client.end();
      server?.end();
    }
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.reset();
    await closed;
  }

  #accept(client: Socket): void {
    this.dials += 1;
    client.on('error', () => {});
    if (this.#refuse) {
      client.resetAndDestroy();
      return;
    }
    const pair = this.#tarpit ? this.#hold(client) : this.#forward(client);
    this.#pairs.add(pair);
    const forget = (): void => {
      if (client.destroyed && (pair.server?.destroyed ?? true)) this.#pairs.delete(pair);
    };
    client.on('close', forget);
    pair.server?.on('close', forget);
  }

  #hold(client: Socket): Pair {
    client.on('end', () => client.end());
    client.resume();
    return { client, server: undefined, channels: [] };
  }

  #forward(client: Socket): Pair {
    const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    server.on('error', () => {});
    const channels = [
      new Channel(client, server, () => this.#up, this.#dice),
      new Channel(server, client, () => this.#down, this.#dice),
    ];
    return { client, server, channels };
  }
}
