import type { AnyActorRef } from 'xstate';
import type { CloseReport } from './policy/close.ts';
import type { DegradedReason } from './policy/degraded.ts';
import type { RelaySettings } from './policy/settings.ts';

/** What a socket actor is started with. */
export interface SocketInput {
  readonly url: string;
  readonly generation: number;
  readonly settings: RelaySettings;
  /** Which of the relay's connections it is. The relay is judged by the first, which is number 1. */
  readonly connection: number;
  /** Whoever supervises the relay; how the socket finds the pool that it works for. */
  readonly supervisor: AnyActorRef | undefined;
}

/** Every fact of a session names the generation of its socket; one of an older socket moves nothing. */
interface OfSession {
  readonly generation: number;
}

/** Facts of a socket. `socket.closed` comes exactly once, and last; `socket.closing` at most once. */
export type SocketFact =
  /** Its turn to have its name resolved has come; the name has been resolved. */
  | ({ readonly type: 'socket.resolving' } & OfSession)
  | ({ readonly type: 'socket.resolved' } & OfSession)
  /** Its turn to dial has come. */
  | ({ readonly type: 'socket.dialling' } & OfSession)
  | ({ readonly type: 'socket.opened' } & OfSession)
  /** The first frame or pong arrived. */
  | ({ readonly type: 'socket.proved' } & OfSession)
  /** Nothing more is sent on it, and all that was has been answered or given up. */
  | ({ readonly type: 'socket.drained' } & OfSession)
  /** A Close frame arrived, or a frame broke the protocol: nothing is sent or received any more. */
  | ({
      readonly type: 'socket.closing';
      readonly report: CloseReport;
      readonly successesAt: readonly number[];
    } & OfSession)
  | ({
      readonly type: 'socket.closed';
      readonly report: CloseReport;
      readonly successesAt: readonly number[];
    } & OfSession);

/** What measuring the session showed. Only what can change a state is told. */
export type HealthFact =
  | ({ readonly type: 'health.degraded'; readonly reasons: readonly DegradedReason[] } & OfSession)
  | ({ readonly type: 'health.recovered' } & OfSession)
  /** It owes an answer and says nothing; it says something again; it has been silent for too long. */
  | ({ readonly type: 'link.silent' } & OfSession)
  | ({ readonly type: 'link.heard' } & OfSession)
  | ({ readonly type: 'link.dead'; readonly silentMs: number } & OfSession)
  /** A call failed; with the times of the successes since the last such fact, so that successes cost nothing. */
  | ({ readonly type: 'operation.failed'; readonly successesAt: readonly number[] } & OfSession)
  | ({ readonly type: 'probe.succeeded'; readonly latencyMs: number } & OfSession)
  | ({ readonly type: 'probe.failed'; readonly successesAt: readonly number[] } & OfSession);

/** What the socket actor is asked to do. */
export type SocketCommand =
  /** Request any sign of life; answered by `probe.succeeded` or `probe.failed`. */
  | { readonly type: 'PROBE' }
  /** Measure how the relay answers requests; answered like a probe. */
  | { readonly type: 'CHECK' }
  /** Apply these settings to the live connection. */
  | { readonly type: 'CONFIGURE'; readonly settings: RelaySettings }
  /** The connection is degraded: watch its calls, and tell when they are well again. */
  | { readonly type: 'WATCH' }
  /** Whether messages may be sent on it; a relay's first connection always may, while the relay serves. */
  | { readonly type: 'SERVE' }
  | { readonly type: 'REST' }
  /** Send nothing more on it; answered by `socket.drained` when nothing is in flight any more. */
  | { readonly type: 'DRAIN' }
  /** Close politely; answered by `socket.closed`. */
  | { readonly type: 'CLOSE' };
