import type { Clock } from '../../clock.ts';
import type { Connection, Lookup, ResolveOptions, Transport, TransportHandlers } from '../../transport/transport.ts';
import type { VirtualClock } from '../virtual-clock.ts';

interface HostTimer {
  readonly callback: () => void;
  dueMs: number;
  timer: number;
}

/**
 * A process on a machine: it has a clock and a transport of its own, can be killed at any moment, and can be put to
 * sleep, after which everything that was due in the meantime happens at once. Give both to a pool.
 */
export class SimulatedHost {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly #world: VirtualClock;
  readonly #timers = new Map<number, HostTimer>();
  readonly #connections = new Set<Connection>();
  /** What was due while it slept. */
  #missed: (() => void)[] | undefined;
  #stoppedAt: number | undefined;
  #offsetMs = 0;
  #ids = 0;
  #dead = false;

  constructor(world: VirtualClock, transport: Transport) {
    this.#world = world;
    this.clock = {
      now: () => (this.#stoppedAt ?? world.now()) + this.#offsetMs,
      setTimeout: (callback, delayMs) => this.#setTimeout(callback, delayMs),
      clearTimeout: (timer) => this.#clearTimeout(timer as number),
    };
    this.transport = {
      name: transport.name,
      resolve: (url, options) => this.#resolve(transport, url, options),
      open: (url, options, handlers) => this.#open(transport, url, options, handlers),
    };
  }

  /** Timers that are set. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Connections that have not been closed from either side. */
  get openConnections(): number {
    return this.#connections.size;
  }

  /** The process is killed: its connections are cut, and nothing of it is ever called again. */
  kill(): void {
    this.#dead = true;
    for (const { timer } of this.#timers.values()) this.#world.clearTimeout(timer);
    this.#timers.clear();
    for (const connection of this.#connections) connection.terminate();
    this.#connections.clear();
    this.#missed = [];
  }

  /** Nothing of it runs until it wakes. `stopsClock` when its clock stands still meanwhile, and its timers with it. */
  sleep(stopsClock = false): void {
    if (this.#missed || this.#dead) return;
    this.#missed = [];
    if (!stopsClock) return;
    this.#stoppedAt = this.#world.now();
    for (const { timer } of this.#timers.values()) this.#world.clearTimeout(timer);
  }

  wake(): void {
    if (this.#dead || !this.#missed) return;
    if (this.#stoppedAt !== undefined) {
      const sleptMs = this.#world.now() - this.#stoppedAt;
      this.#offsetMs -= sleptMs;
      for (const [id, timer] of this.#timers) {
        timer.timer = this.#arm(id, timer.dueMs - this.#stoppedAt);
        timer.dueMs += sleptMs;
      }
      this.#stoppedAt = undefined;
    }
    const missed = this.#missed;
    this.#missed = undefined;
    for (const callback of missed) this.#run(callback);
  }

  /** Its clock is set forwards or back; timers that are set do not notice. */
  jump(byMs: number): void {
    this.#offsetMs += byMs;
  }

  #run(callback: () => void): void {
    if (this.#dead) return;
    if (this.#missed) this.#missed.push(callback);
    else callback();
  }

  #setTimeout(callback: () => void, delayMs: number): number {
    this.#ids += 1;
    const delay = Math.max(0, delayMs);
    const id = this.#ids;
    if (!this.#dead) this.#timers.set(id, { callback, dueMs: this.#world.now() + delay, timer: this.#arm(id, delay) });
    return id;
  }

  #arm(id: number, delayMs: number): number {
    const fire = (): void => {
      // It may have been cleared while the process slept over it.
      const timer = this.#timers.get(id);
      this.#timers.delete(id);
      timer?.callback();
    };
    return this.#world.setTimeout(() => this.#run(fire), delayMs);
  }

  #clearTimeout(id: number): void {
    const timer = this.#timers.get(id);
    if (timer) this.#world.clearTimeout(timer.timer);
    this.#timers.delete(id);
  }

  #resolve(transport: Transport, url: string, options: ResolveOptions): Lookup | undefined {
    const lookup = transport.resolve?.(url, options);
    return lookup && ((done) => lookup((result) => this.#run(() => done(result))));
  }

  #open(transport: Transport, url: string, options: Parameters<Transport['open']>[1], handlers: TransportHandlers) {
    let ended = false;
    const tell = (callback: () => void): void => this.#run(() => !ended && callback());
    const inner = transport.open(url, options, {
      onOpen: () => tell(() => handlers.onOpen()),
      onFrame: (frame) => tell(() => handlers.onFrame(frame)),
      onBinary: (data) => tell(() => handlers.onBinary(data)),
      onPong: () => tell(() => handlers.onPong()),
      onClosing: (report) => tell(() => handlers.onClosing?.(report)),
      onClose: (report) =>
        tell(() => {
          end();
          handlers.onClose(report);
        }),
    });
    const end = (): void => {
      ended = true;
      this.#connections.delete(connection);
    };
    const connection: Connection = {
      get bufferedBytes() {
        return inner.bufferedBytes;
      },
      send: (frame) => !ended && inner.send(frame),
      ping: () => !ended && (inner.ping?.() ?? false),
      close: () => inner.close(),
      terminate: () => {
        end();
        inner.terminate();
      },
    };
    this.#connections.add(connection);
    return connection;
  }
}
