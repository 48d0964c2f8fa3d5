import type { Clock } from '../../clock.ts';
import type {
  Lookup,
  ResolveOptions,
  Transport,
  TransportHandlers,
  TransportOptions,
} from '../../transport/transport.ts';
import type { Dice } from '../random.ts';
import { SimulatedConnection } from './connection.ts';
import { SimulatedLink } from './link.ts';
import type { SimulatedServer } from './server.ts';

export interface SimulatedNetworkOptions {
  /** A virtual clock decides when everything happens; on a real one, the network runs in real time. */
  readonly clock: Clock;
  /** The dice of a link, by the URL of its server. Only needed where latency varies. */
  readonly dice?: (url: string) => Dice;
}

/**
 * A network without sockets: servers by URL, and a transport that reaches them over links whose conditions can be
 * changed while frames are under way. Everything arrives in order within a connection and never at once; between
 * connections there is no order.
 */
export class SimulatedNetwork {
  readonly transport: Transport;
  readonly #clock: Clock;
  readonly #dice: (url: string) => Dice;
  readonly #servers = new Map<string, SimulatedServer>();
  readonly #links = new Map<string, SimulatedLink>();

  constructor({ clock, dice = () => () => 0 }: SimulatedNetworkOptions) {
    this.#clock = clock;
    this.#dice = dice;
    this.transport = {
      name: 'simulated',
      resolve: (url, options) => this.#resolve(url, options),
      open: (...given) => this.#open(...given),
    };
  }

  /** Accepts connections to a URL until the function that it returns is called. */
  listen(url: string, server: SimulatedServer): () => void {
    this.#servers.set(url, server);
    return () => {
      if (this.#servers.get(url) === server) this.#servers.delete(url);
    };
  }

  /** The way to a server, whether or not anybody listens there. */
  link(url: string): SimulatedLink {
    let link = this.#links.get(url);
    if (!link) {
      link = new SimulatedLink();
      this.#links.set(url, link);
    }
    return link;
  }

  /** Names that are known need no time; others have theirs, and then there are no addresses. */
  #resolve(url: string, { timeoutMs }: ResolveOptions): Lookup | undefined {
    const { name } = this.link(url);
    if (name === 'known') return undefined;
    const failure =
      name === 'unknown'
        ? { code: 1006, reason: 'the name does not exist', errorCode: 'ENOTFOUND' }
        : { code: 1006, reason: 'the name was not resolved in time', errorCode: 'ETIMEOUT' };
    return (done) => {
      const timer = this.#clock.setTimeout(() => done({ failure }), name === 'unknown' ? 1 : timeoutMs);
      return () => this.#clock.clearTimeout(timer);
    };
  }

  #open(url: string, options: TransportOptions, handlers: TransportHandlers): SimulatedConnection {
    const link = this.link(url);
    const wiring = { clock: this.#clock, dice: this.#dice(url), link };
    const connection = new SimulatedConnection(url, options, handlers, wiring);
    connection.dial(() => this.#servers.get(url));
    return connection;
  }
}
