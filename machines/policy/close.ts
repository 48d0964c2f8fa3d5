/** End of a connection, or the reason why it never opened, as the transport reported it. */
export interface CloseReport {
  /** Close code of RFC 6455; 1006 if no Close frame arrived. */
  readonly code: number;
  /** Text of the Close frame or of the platform's error, without control characters and cut to a safe length. */
  readonly reason: string;
  /** Code of the platform's error, such as `ECONNREFUSED`, `ENOTFOUND` or `CERT_HAS_EXPIRED`. */
  readonly errorCode?: string;
  /** Status of the HTTP response that refused the upgrade, if the platform shows it. */
  readonly httpStatus?: number;
  /** Milliseconds from the Retry-After of that response. */
  readonly retryAfterMs?: number;
  /** The relay broke the WebSocket protocol, or exceeded the frame size, and the connection was closed for it. */
  readonly brokeProtocol?: true;
  /** The platform never dials this URL: a scheme or an address that it refuses. */
  readonly impossible?: true;
}

/**
 * - `lost`: ordinary; reconnect.
 * - `restarting`: the relay asked for time.
 * - `refused`: the relay rejects this client; retry rarely.
 * - `gone`: a retry is pointless.
 */
export type CloseMeaning = 'lost' | 'restarting' | 'refused' | 'gone';

const RESTARTING = new Set([1012, 1013]);
// Registered with IANA as unauthorized and forbidden.
const REFUSED = new Set([3000, 3003]);
const MESSAGE_TOO_BIG = 1009;
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
  return REFUSED.has(report.code) ? 'refused' : 'lost';
}

/**
 * Returns true for codes that mean nothing by themselves: 4000 to 4999 belong to the application (RFC 6455, section
 * 7.4.2), and 1008 is sent for idle connections as well as for unwelcome ones. They count as refusals only in a row.
 */
export const isAmbiguous = ({ code, httpStatus }: CloseReport): boolean =>
  httpStatus === undefined && (code === 1008 || (code >= 4000 && code <= 4999));

/** Returns true if the relay closed the connection because a message of ours was too large (RFC 6455, code 1009). */
export const isTooBig = ({ code, brokeProtocol }: CloseReport): boolean =>
  code === MESSAGE_TOO_BIG && brokeProtocol !== true;

/** Returns true if an HTTP response refused the upgrade for good, which a portal or a proxy in between can do as well. */
export const isRefusedUpgrade = (report: CloseReport): boolean =>
  report.httpStatus !== undefined && closeMeaning(report) !== 'restarting';

/** Describes the end of a connection in one line, for receipts, metrics and people. */
export function endReason({ code, reason, errorCode, httpStatus }: CloseReport): string {
  if (httpStatus !== undefined) return reason || `HTTP ${httpStatus}`;
  if (errorCode !== undefined) return reason.includes(errorCode) ? reason : `${errorCode}: ${reason}`;
  if (code === 1006) return reason || 'connection lost without a Close frame';
  return reason ? `closed with ${code}: ${reason}` : `closed with ${code}`;
}
