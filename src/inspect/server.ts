import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { RecloserError, systemClock } from '../index.ts';
import { type InspectorMessage, isStatelyMessage, type PageRequest, type StatelyMessage, stamped } from './messages.ts';
import { MessageLog } from './recording.ts';

export interface InspectorServerOptions {
  /** Port on 127.0.0.1. Default 0: any that is free. */
  readonly port?: number | undefined;
  /** Origins of web applications that may send to it, beside those on this machine. */
  readonly origins?: readonly string[] | undefined;
  /** Milliseconds between two signs of life that are asked of everybody. Default 10,000. */
  readonly heartbeatMs?: number | undefined;
  /** How many pages are open has changed. */
  readonly watched?: (pages: number) => void;
  /** A page asks for something. It has been checked for its form only. */
  readonly asked?: (request: PageRequest) => void;
}

const PAGE = new URL('../../inspector/', import.meta.url);
const ADDRESS = '127.0.0.1';
/** What is kept for pages that come late. */
const BOUNDS = { ageMaxMs: 120_000, messagesMax: 20_000, bytesMax: 32 << 20 };
const PAGES_MAX = 16;
const APPLICATIONS_MAX = 16;
const ACTORS_PER_APPLICATION = 2_000;
/** Bytes of one message, and bytes that may wait for a page that does not read. */
const MESSAGE_BYTES_MAX = 1 << 20;
/** An application whose connection is closed does not come back, so one that says too much at once is not heard that once. */
const APPLICATION_BYTES_MAX = 64 << 20;
const WAITING_BYTES_MAX = 16 << 20;
const HEARTBEAT_MS = 10_000;

/**
 * Serves the inspector's page on this machine, and takes what applications say. It listens on the loopback address only, wants
 * the token of its address in every path, and checks Host and Origin, so that no web page and no other machine can read it.
 */
export class InspectorServer {
  /** The address of the page, with its token. */
  readonly url: string;
  /** Where applications that speak the Stately protocol send to: `createWebSocketInspector({ url })`. */
  readonly applicationUrl: string;
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: APPLICATION_BYTES_MAX,
    perMessageDeflate: false,
  });
  readonly #options: InspectorServerOptions;
  readonly #token: Buffer;
  readonly #hosts: ReadonlySet<string>;
  /** Every page, with the bytes that it was sent to begin with and may still have to read. */
  readonly #pages = new Map<WebSocket, number>();
  readonly #applications = new Set<WebSocket>();
  readonly #alive = new WeakSet<WebSocket>();
  readonly #heartbeat: ReturnType<typeof setInterval>;
  #log = new MessageLog(BOUNDS);
  #introductions = 0;

  private constructor(http: Server, options: InspectorServerOptions) {
    const { port } = http.address() as AddressInfo;
    const token = randomBytes(16).toString('hex');
    this.#http = http;
    this.#options = options;
    this.#token = Buffer.from(token);
    this.#hosts = new Set([`${ADDRESS}:${port}`, `localhost:${port}`]);
    this.url = `http://${ADDRESS}:${port}/${token}/`;
    this.applicationUrl = `ws://${ADDRESS}:${port}/${token}/app`;
    http.on('request', (request, response) => this.#serve(request, response));
    http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#heartbeat = setInterval(() => this.#beat(), options.heartbeatMs ?? HEARTBEAT_MS);
    this.#heartbeat.unref();
  }

  /** Rejects with `INSPECTOR_FAILED` where the port cannot be had. */
  static async start(options: InspectorServerOptions = {}): Promise<InspectorServer> {
    const http = createServer();
    const port = options.port ?? 0;
    try {
      http.listen(port, ADDRESS);
      await once(http, 'listening');
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      const why = code === 'EADDRINUSE' ? 'is taken' : `cannot be listened on (${code ?? String(cause)})`;
      throw new RecloserError('INSPECTOR_FAILED', `Port ${port} ${why}; give another, or 0 for any.`, { cause });
    }
    return new InspectorServer(http, options);
  }

  get pages(): number {
    return this.#pages.size;
  }

  /** Tells every page, and those that come later. */
  tell(message: InspectorMessage): void {
    const frame = JSON.stringify(message);
    this.#log.add(message, frame.length);
    for (const [page, backlog] of this.#pages) {
      if (backlog > 0 && page.bufferedAmount < WAITING_BYTES_MAX / 2) this.#pages.set(page, 0);
      // Who does not read is sent away. A page that lives comes back, and is told everything anew.
      if (page.bufferedAmount > WAITING_BYTES_MAX + backlog) page.terminate();
      else page.send(frame);
    }
  }

  /** Forgets what was told by others than applications: whoever told it begins anew. */
  forget(): void {
    const kept = this.#log.messages().filter((message) => 'rootId' in message && OF_APPLICATION.test(message.rootId));
    this.#log = new MessageLog(BOUNDS);
    for (const message of kept) this.#log.add(message, JSON.stringify(message).length);
  }

  async stop(): Promise<void> {
    clearInterval(this.#heartbeat);
    for (const socket of [...this.#pages.keys(), ...this.#applications]) socket.terminate();
    this.#sockets.close();
    this.#http.closeAllConnections();
    if (!this.#http.listening) return;
    this.#http.close();
    await once(this.#http, 'close');
  }

  /** What a request is for; nothing where it may not have it. */
  #pathOf(request: IncomingMessage): string | undefined {
    if (!this.#hosts.has(request.headers.host ?? '')) return undefined;
    const [, token = '', ...path] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
    const given = Buffer.from(token);
    const isRight = given.length === this.#token.length && timingSafeEqual(given, this.#token);
    return isRight ? path.join('/') : undefined;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const path = this.#pathOf(request);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    response.setHeader('Cache-Control', 'no-store');
    if (path === undefined || request.method !== 'GET') return answer(response, 403, 'This is not for you.');
    if (path === '') return void this.#servePage(response);
    if (path !== LAYOUT) return answer(response, 404, 'There is nothing here.');
    response.setHeader('Content-Type', 'text/javascript; charset=utf-8');
    const file = createReadStream(new URL(LAYOUT, PAGE));
    file.on('error', () => answer(response, 404, 'The layout engine is not there.'));
    file.pipe(response);
  }

  async #servePage(response: ServerResponse): Promise<void> {
    let page: string;
    try {
      page = await readFile(new URL('index.html', PAGE), 'utf8');
    } catch {
      return answer(response, 404, 'The page is not there: it comes with the built package.');
    }
    const nonce = randomBytes(16).toString('base64');
    response.setHeader('Content-Security-Policy', policyFor(nonce, this.#options.origins));
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(page.replaceAll(NONCE, nonce));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const path = this.#pathOf(request);
    const { origin } = request.headers;
    const isFull = path === 'live' ? this.#pages.size >= PAGES_MAX : this.#applications.size >= APPLICATIONS_MAX;
    const mayEnter = path === 'live' ? this.#isOwnOrigin(origin) : path === 'app' && this.#isKnownOrigin(origin);
    if (!mayEnter || isFull) {
      const status = mayEnter ? '503 Service Unavailable' : '403 Forbidden';
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (opened) => {
      // What is wrong with a connection ends it, and nothing else.
      opened.on('error', () => opened.terminate());
      opened.on('pong', () => this.#alive.add(opened));
      this.#alive.add(opened);
      if (path === 'live') this.#takePage(opened);
      else this.#takeApplication(opened);
    });
  }

  /** A browser says where a page is from; whoever is no browser knows the token. */
  #isOwnOrigin(origin: string | undefined): boolean {
    return origin === undefined || [...this.#hosts].some((host) => origin === `http://${host}`);
  }

  #isKnownOrigin(origin: string | undefined): boolean {
    if (origin === undefined || this.#options.origins?.includes(origin)) return true;
    const host = URL.canParse(origin) ? new URL(origin).hostname : '';
    return host === 'localhost' || host === ADDRESS || host === '[::1]';
  }

  #takePage(page: WebSocket): void {
    this.#pages.set(page, 0);
    page.on('message', (data, isBinary) => {
      const request = isBinary ? undefined : requestOf(String(data));
      if (request) this.#options.asked?.(request);
    });
    page.on('close', () => {
      this.#pages.delete(page);
      this.#options.watched?.(this.#pages.size);
    });
    // Before it is told what was: whoever begins to observe now tells the rest to all.
    for (const message of this.#log.messages()) page.send(JSON.stringify(message));
    this.#pages.set(page, page.bufferedAmount);
    this.#options.watched?.(this.#pages.size);
  }

  #takeApplication(application: WebSocket): void {
    this.#introductions += 1;
    this.#applications.add(application);
    const prefix = `${this.#introductions}/`;
    const sessions = new Map<string, string>();
    application.on('message', (data, isBinary) => {
      const text = String(data);
      if (text.length > MESSAGE_BYTES_MAX) return this.tell({ type: 'recloser.omitted', ...now(), count: 1 });
      const message = isBinary ? undefined : parsed(text);
      if (!isStatelyMessage(message)) return;
      const renamed = withPrefix(message, prefix);
      const { sessionId, rootId } = renamed;
      if (message.type === '@xstate.actor' && sessions.size < ACTORS_PER_APPLICATION) sessions.set(sessionId, rootId);
      if (!sessions.has(sessionId)) return;
      this.tell(renamed);
      if (message.type === '@xstate.snapshot' && message.snapshot.status !== 'active') sessions.delete(sessionId);
    });
    application.on('close', () => {
      this.#applications.delete(application);
      for (const [sessionId, rootId] of sessions) this.tell(gone(sessionId, rootId));
    });
  }

  #beat(): void {
    // Applications are let stand at a breakpoint: on this machine, the end of a process ends its connections.
    for (const socket of this.#pages.keys()) {
      if (!this.#alive.has(socket)) {
        socket.terminate();
        continue;
      }
      this.#alive.delete(socket);
      socket.ping();
    }
  }
}

/** The layout engine, which only foreign charts need; and what stands in the page where its nonce goes. */
const LAYOUT = 'elk.bundled.js';
const NONCE = 'recloser-nonce';

/** The ids of applications' actors begin with the number of their connection. */
const OF_APPLICATION = /^\d+\//;

const now = () => stamped(systemClock.now());

const policyFor = (nonce: string, origins: readonly string[] = []): string =>
  [
    "default-src 'none'",
    `script-src 'nonce-${nonce}' 'self'`,
    `style-src 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    ['frame-ancestors', "'self'", 'http://localhost:*', 'http://127.0.0.1:*', ...origins].join(' '),
  ].join('; ');

function answer(response: ServerResponse, status: number, words: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(`${words}\n`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function requestOf(text: string): PageRequest | undefined {
  const { type, sessionId, event, url, fault } = (parsed(text) ?? {}) as Partial<Record<string, unknown>>;
  if (type === 'recloser.control' && typeof sessionId === 'string' && typeof event === 'string') {
    return { type, sessionId, event };
  }
  if (type === 'recloser.break' && typeof url === 'string' && typeof fault === 'string') return { type, url, fault };
  return undefined;
}

/** Every application counts its actors from zero, and may have a clock of its own: a test's, say. */
function withPrefix(message: StatelyMessage, prefix: string): StatelyMessage {
  const ids: Record<string, string> = {};
  for (const key of ['sessionId', 'rootId', 'parentId', 'sourceId'] as const) {
    const id = (message as unknown as Record<string, unknown>)[key];
    if (typeof id === 'string') ids[key] = prefix + id;
  }
  return { ...message, ...ids, ...now() };
}

const gone = (sessionId: string, rootId: string): StatelyMessage => ({
  type: '@xstate.snapshot',
  ...now(),
  sessionId,
  rootId,
  event: { type: 'xstate.stop' },
  snapshot: { status: 'stopped' },
});
