/** What a faultable relay does wrong. Each switch is independent of the others and can be turned back at any time. */
export interface RelayFaults {
  /** Reset every new TCP connection. */
  refuse: boolean;
  /** Accept TCP, and never answer the upgrade. */
  tarpit: boolean;
  /** Answer the upgrade with this HTTP status instead, and with these headers. */
  httpStatus: number | undefined;
  httpHeaders: Readonly<Record<string, string>>;
  /** Upgrade, and never answer anything. Frames are read and counted. */
  silent: boolean;
  /** Milliseconds before every answer. */
  delayMs: number;
  /** Store published events, and do not say so. */
  swallowAcks: boolean;
  /** Answer every published event with this refusal, such as `blocked: not you`. */
  refuseWith: string | undefined;
  /** Close every connection with this code right after accepting it. */
  closeOnAccept: number | undefined;
  /** Demand authentication (NIP-42): with a challenge on connecting, or only with the refusal. */
  requireAuth: 'before' | 'after' | undefined;
}

export const NO_FAULTS: Readonly<RelayFaults> = Object.freeze({
  refuse: false,
  tarpit: false,
  httpStatus: undefined,
  httpHeaders: {},
  silent: false,
  delayMs: 0,
  swallowAcks: false,
  refuseWith: undefined,
  closeOnAccept: undefined,
  requireAuth: undefined,
});
