/** What a value may be, and for how long it has to be otherwise before anybody is told. */
export interface AlertBounds {
  readonly above?: number | undefined;
  readonly below?: number | undefined;
  /** Milliseconds. */
  readonly forMs: number;
}

/** Whether it is told of, and since when the value says otherwise. */
export interface AlertState {
  readonly isRaised: boolean;
  readonly otherwiseSinceMs: number | undefined;
}

export const QUIET: AlertState = { isRaised: false, otherwiseSinceMs: undefined };

/**
 * An alert after a value was looked at. It is raised, and cleared, only when the value has been on the other side for as long as it
 * has to be, so that one which swings is not told of each time. What has not been measured changes nothing.
 */
export function alertAfter(
  bounds: AlertBounds,
  state: AlertState,
  value: number | undefined,
  nowMs: number,
): AlertState {
  if (value === undefined) return state;
  const { above = Number.POSITIVE_INFINITY, below = Number.NEGATIVE_INFINITY, forMs } = bounds;
  const isBeyond = value > above || value < below;
  if (isBeyond === state.isRaised) {
    return state.otherwiseSinceMs === undefined ? state : { ...state, otherwiseSinceMs: undefined };
  }
  const since = state.otherwiseSinceMs ?? nowMs;
  if (nowMs - since < forMs) return { ...state, otherwiseSinceMs: since };
  return { isRaised: isBeyond, otherwiseSinceMs: undefined };
}
