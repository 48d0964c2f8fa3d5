const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

// The three formats of RFC 9110, section 5.6.7: IMF-fixdate and RFC 850, which differ in separators, and asctime.
const DAY_FIRST = /^\w+, (\d{1,2})[ -](\w{3})[ -](\d{2}|\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const MONTH_FIRST = /^\w{3} (\w{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

/** Reads an HTTP date as milliseconds since the epoch; nothing if it is none. */
export function readHttpDate(text: string, nowMs: number): number | undefined {
  const [, day, monthName, year, hour, minute, second] =
    DAY_FIRST.exec(text) ?? reordered(MONTH_FIRST.exec(text)) ?? [];
  const month = MONTHS.indexOf((monthName ?? '').toLowerCase());
  if (day === undefined || year === undefined || month < 0) return undefined;
  return Date.UTC(fullYear(year, nowMs), month, Number(day), Number(hour), Number(minute), Number(second));
}

const reordered = (match: RegExpExecArray | null): readonly (string | undefined)[] | undefined =>
  match ? [match[0], match[2], match[1], match[6], match[3], match[4], match[5]] : undefined;

/** A year of two digits that seems to be more than fifty years ahead is in the past (RFC 9110). */
function fullYear(year: string, nowMs: number): number {
  if (year.length === 4) return Number(year);
  const thisYear = new Date(nowMs).getUTCFullYear();
  const inThisCentury = thisYear - (thisYear % 100) + Number(year);
  return inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury;
}

/**
 * Reads a Retry-After header as milliseconds from now; nothing if it says nothing that is understood, or is over.
 *
 * @param header - Seconds or an HTTP date (RFC 9110, section 10.2.3).
 * @param date - The Date header of the same response: dates are those of the server's clock.
 */
export function retryAfterMs(header: string | undefined, date: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  const saidAtMs = (date === undefined ? undefined : readHttpDate(date, nowMs)) ?? nowMs;
  const untilMs = /^\d+$/.test(text) ? saidAtMs + Number(text) * 1_000 : readHttpDate(text, nowMs);
  return untilMs !== undefined && untilMs > saidAtMs ? untilMs - saidAtMs : undefined;
}
