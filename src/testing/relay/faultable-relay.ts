import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Clock, systemClock } from '../../clock.ts';
import type { NostrEvent } from '../../protocol/nostr/event.ts';
import type { Dice } from '../random.ts';
import { Desk } from './desk.ts';
import { EventStore } from './event-store.ts';
import { NO_FAULTS, type RelayFaults } from './faults.ts';
import { RateLimit } from './rate-limit.ts';
import { type RelayHost, RelaySession } from './relay-session.ts';

export interface FaultableRelayOptions {
  /** Port on 127.0.0.1; 0, the default, takes any that is free. It stays the same over restarts. */
  readonly port?: number;
  readonly faults?: Partial<RelayFaults>;
  /** Whether ids and signatures are checked. Default `true`. */
  readonly verify?: boolean;
  /** Decides about faults that happen on a share of occasions. Default `Math.random`. */
  readonly dice?: Dice;
}

interface RelayEvents {
  /** A TCP connection arrived. */
  connection: [];
  /** A WebSocket was opened. */
  open: [];
  /** A WebSocket was closed, with the code. */
  close: [code: number];
  /** A ping arrived. */
  ping: [];
  /** A frame arrived. */
  frame: [frame: string];
  /** A published event was stored, and given to whoever subscribed to it. */
  stored: [event: NostrEvent];
}

/**
 * A Nostr relay in memory on a real WebSocket port, which can be told to misbehave while it runs. It stores events and
 * serves subscriptions as NIP-01 asks, and does no more than that.
 */
export class FaultableRelay implements RelayHost {
  readonly clock: Clock = systemClock;
  readonly dice: Dice;
  readonly store: EventStore;
  readonly limit = new RateLimit();
  readonly desk = new Desk();
  /** Tells what happens at the server's end. */
  readonly events = new EventEmitter<RelayEvents>();
  /** TCP connections that ever arrived, and WebSockets that ever opened. */
  dials = 0;
  opens = 0;
  /** Most WebSockets that were open at one time. */
  openMost = 0;
  faults: Readonly<RelayFaults>;
  /** What it says of itself over HTTP (NIP-11), as a text; nothing where it has no such document. */
  information: string | undefined;
  /** How often it was asked for that. */
  informed = 0;
  readonly #sessions = new Map<RelaySession, WebSocket>();
  readonly #raw = new Map<RelaySession, Duplex>();
  readonly #sockets = new Set<Socket>();
  readonly #http: Server;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 1024 * 1024,
    autoPong: false,
  });
  #tcp = this.#createTcp();
  #port: number;

  constructor(options: FaultableRelayOptions = {}) {
    this.#port = options.port ?? 0;
    this.dice = options.dice ?? Math.random;
    this.store = new EventStore(options.verify ?? true);
    this.faults = { ...NO_FAULTS, ...options.faults };
    this.#http = createServer((request, response) => this.#inform(request, response));
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Starts one that listens. */
  static async start(options: FaultableRelayOptions = {}): Promise<FaultableRelay> {
    const relay = new FaultableRelay(options);
    await relay.listen();
    return relay;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  get isListening(): boolean {
    return this.#tcp.listening;
  }

  /** WebSockets that are open now. */
  get open(): number {
    return this.#sessions.size;
  }

  async listen(): Promise<void> {
    this.#tcp.listen(this.#port, '127.0.0.1');
    await once(this.#tcp, 'listening');
    this.#port = (this.#tcp.address() as AddressInfo).port;
  }

  /** Goes away as a process that is killed: connections are cut, and new ones refused. What is stored stays. */
  async stop(): Promise<void> {
    const closed = this.#tcp.listening ? once(this.#tcp, 'close') : undefined;
    this.#tcp.close();
    this.cut();
    await closed;
    this.#tcp = this.#createTcp();
  }

  /** Turns faults on or off; those that are not named stay as they are. */
  set(faults: Partial<RelayFaults>): void {
    this.faults = { ...this.faults, ...faults };
  }

  heal(): void {
    this.faults = NO_FAULTS;
  }

  /** Cuts every connection without a close frame, also those that wait for their upgrade. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Closes every WebSocket with a code. */
  close(code: number, reason = ''): void {
    for (const [session, socket] of this.#sessions) {
      const raw = this.#raw.get(session);
      if (raw) this.#close(socket, raw, code, reason);
    }
  }

  /** Sends a frame with an opcode that RFC 6455 reserves to every client, and keeps TCP open. */
  breakProtocol(): void {
    for (const raw of this.#raw.values()) {
      raw.write(Buffer.from([0x83, 0]));
      linger(raw);
    }
  }

  #close(webSocket: WebSocket, raw: Duplex, code: number, reason = ''): void {
    if (!this.faults.lingers) return webSocket.close(code, reason);
    const text = Buffer.from(reason);
    const frame = Buffer.from([0x88, 2 + text.length, code >> 8, code & 0xff]);
    raw.write(Buffer.concat([frame, text]));
    linger(raw);
  }

  /** Sends a frame to every client as it is, garbage or not. */
  send(frame: string | Uint8Array): void {
    for (const socket of this.#sessions.values()) socket.send(frame);
  }

  /** Closes every subscription of every client, as a relay does that has had enough. */
  closeSubscriptions(text: string): void {
    for (const session of this.#sessions.keys()) session.closeSubscriptions(text);
  }

  /** Subscriptions that are open now. */
  get subscriptions(): number {
    return [...this.#sessions.keys()].reduce((sum, session) => sum + session.subscriptions, 0);
  }

  /** Stores an event as if somebody had published it here, and gives it to whoever subscribed to it. */
  publish(event: NostrEvent): void {
    const known = this.store.events.size;
    this.store.add(event);
    if (this.store.events.size > known) this.stored(event);
  }

  received(frame: string): void {
    this.events.emit('frame', frame);
  }

  stored(event: NostrEvent): void {
    for (const session of this.#sessions.keys()) session.offer(event);
    this.events.emit('stored', event);
  }

  rumour(): string {
    return randomBytes(32).toString('hex');
  }

  #createTcp(): ReturnType<typeof createTcpServer> {
    return createTcpServer((socket) => {
      this.dials += 1;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
      this.events.emit('connection');
      if (this.faults.refuse) socket.resetAndDestroy();
      else if (!this.faults.tarpit) this.#http.emit('connection', socket);
    });
  }

  #inform({ headers }: IncomingMessage, response: ServerResponse): void {
    if (headers.accept !== 'application/nostr+json') return void response.writeHead(426).end();
    this.informed += 1;
    if (this.information === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': 'application/nostr+json' }).end(this.information);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { httpStatus, httpHeaders, closeOnAccept } = this.faults;
    if (httpStatus !== undefined) {
      const headers = Object.entries(httpHeaders).map(([name, value]) => `${name}: ${value}\r\n`);
      const status = `HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus] ?? ''}\r\n`;
      socket.end(`${status}${headers.join('')}Content-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const session = new RelaySession(this, {
        send: (frame) => {
          if (webSocket.readyState === webSocket.OPEN) webSocket.send(frame);
        },
        close: (code) => (code === 1006 ? webSocket.terminate() : this.#close(webSocket, socket, code)),
      });
      this.#sessions.set(session, webSocket);
      this.#raw.set(session, socket);
      this.opens += 1;
      this.openMost = Math.max(this.openMost, this.#sessions.size);
      webSocket.on('message', (data, isBinary) => session.receive(isBinary ? '' : data.toString()));
      webSocket.on('error', () => {});
      webSocket.on('ping', (data) => {
        this.events.emit('ping');
        if (!this.faults.noPongs) webSocket.pong(data);
      });
      webSocket.on('close', (code) => {
        session.end();
        this.#sessions.delete(session);
        this.#raw.delete(session);
        this.events.emit('close', code);
      });
      this.events.emit('open');
      if (closeOnAccept !== undefined) this.#close(webSocket, socket, closeOnAccept);
    });
  }
}

/** Reads on without a word: the server would answer the client's Close frame, and close its socket. */
function linger(raw: Duplex): void {
  raw.removeAllListeners('data');
  raw.on('data', () => {});
}
