/** How a connection ended, or why it never began, as the transport saw it. */
export interface CloseReport {
  /** Close code of RFC 6455; 1006 when no close frame came. */
  readonly code: number;
  /** What the other side or the platform said, cut to a safe length. */
  readonly reason: string;
  /** Status of the HTTP answer that refused the upgrade, where the platform shows it. */
  readonly httpStatus?: number;
  /** Milliseconds from the Retry-After of that answer. */
  readonly retryAfterMs?: number;
  /** The other side sent what no WebSocket sends, or more than a frame may be, so that we ended it. */
  readonly brokeProtocol?: true;
  /** The platform will never dial this URL: a scheme or an address that it refuses. */
  readonly impossible?: true;
}

/**
 * - `lost`: ordinary; try again.
 * - `restarting`: the relay asked for time.
 * - `refused`: the relay does not want us; try again rarely.
 * - `gone`: there is no point in trying again.
 */
export type CloseMeaning = 'lost' | 'restarting' | 'refused' | 'gone';

const RESTARTING = new Set([1012, 1013]);
// 1008 is RFC 6455's policy violation; 3000 and 3003 are registered with IANA as unauthorized and forbidden.
const REFUSED = new Set([1008, 3000, 3003]);
const HTTP_RESTARTING = new Set([429, 503]);
const HTTP_REFUSED = new Set([401, 403, 404, 451]);
const HTTP_GONE = 410;

export function closeMeaning(report: CloseReport): CloseMeaning {
  if (report.impossible || report.httpStatus === HTTP_GONE) return 'gone';
  if (report.httpStatus !== undefined) {
    if (HTTP_RESTARTING.has(report.httpStatus)) return 'restarting';
    return HTTP_REFUSED.has(report.httpStatus) ? 'refused' : 'lost';
  }
  if (RESTARTING.has(report.code)) return 'restarting';
  // 4000 to 4999 are for private use: only an application that has made up its mind sends one.
  return REFUSED.has(report.code) || (report.code >= 4000 && report.code <= 4999) ? 'refused' : 'lost';
}
