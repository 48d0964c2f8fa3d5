import type { ConnectionOutput } from '../connection/connection.setup.ts';
import type { RelaySettings } from '../policy/settings.ts';

export type ScalingEvent =
  /** The relay's settings have changed. */
  | { readonly type: 'CONFIGURE'; readonly settings: RelaySettings }
  /** The relay's actor has crashed, and can neither stop it nor use it any more. */
  | { readonly type: 'STOP' }
  | {
      readonly type: `xstate.done.actor.${string}`;
      readonly output: ConnectionOutput;
      readonly actorId: string;
    }
  | { readonly type: `xstate.error.actor.${string}`; readonly error: unknown; readonly actorId: string };

/** What it reports to the relay's supervisor. */
export interface ScalingFact {
  readonly type: 'relay.resized';
  readonly url: string;
  /** Connections that the relay has, or dials, with its first. */
  readonly connections: number;
}
