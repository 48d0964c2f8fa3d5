import { isLoopbackHost, isPrivateHost } from './address.ts';
import { RecloserError, shown } from './error.ts';
import { URL_LENGTH_MAX } from './limits.ts';
import type { TrustSettings } from './settings.ts';

// Only what names a host outright: `wss:relay`, `wss:///relay` and back slashes are read in different ways by
// different parsers, and white space or control characters are dropped by URL without a word.
const RELAY_URL_START = /^wss?:\/\/[^/?#\\]/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNSAFE = /[\u0000-\u0020\u007f\\]/;

/**
 * The one spelling of a relay's URL under which the pool knows it, or `INVALID_URL` with the reason.
 * Two spellings of one URL are one relay; the fragment goes, the query and its order stay.
 */
export function canonicalRelayUrl(input: unknown, trust: TrustSettings): string {
  if (typeof input !== 'string') throw refused(shown(input), 'it is not a string');
  if (input.length > URL_LENGTH_MAX) throw refused(input, `it is longer than ${URL_LENGTH_MAX} characters`);
  if (UNSAFE.test(input)) throw refused(input, 'it has white space, control characters or back slashes in it');
  if (!RELAY_URL_START.test(input)) throw refused(input, 'it does not start with wss:// or ws:// and a host');
  const authority = input.slice(input.indexOf('//') + 2).split(/[/?#]/, 1)[0] ?? '';
  if (authority.includes('@')) throw refused('wss://…@…', 'it carries a user name or a password');
  const url = parse(input);
  const hostname = url.hostname.endsWith('.') ? url.hostname.slice(0, -1) : url.hostname;
  if (hostname === '' || hostname.split('.').includes('')) throw refused(input, 'its host has an empty label');
  if (url.port === '0') throw refused(input, 'port 0 cannot be dialled');
  checkTrust(input, hostname, url.protocol, trust);
  const port = url.port === '' ? '' : `:${url.port}`;
  return `${url.protocol}//${hostname}${port}${url.pathname}${url.search}`;
}

/** Whether what is sent to a relay can be read on its way, beyond this machine. */
export function isClearText(canonicalUrl: string): boolean {
  const { protocol, hostname } = new URL(canonicalUrl);
  return protocol === 'ws:' && !isLoopbackHost(hostname);
}

/** The host and port of a canonical URL: relays that share it are one voice, however many URLs lead there. */
export const hostOf = (canonicalUrl: string): string => canonicalUrl.split('/')[2] ?? canonicalUrl;

function parse(input: string): URL {
  try {
    return new URL(input);
  } catch (cause) {
    throw refused(input, 'it is not a URL', cause);
  }
}

function checkTrust(input: string, hostname: string, protocol: string, trust: TrustSettings): void {
  if (hostname.endsWith('.onion')) throw refused(input, 'onion services need a transport of their own');
  const isPrivate = isPrivateHost(hostname);
  if (isPrivate && !trust.allowPrivate) {
    throw refused(input, 'it is a private address; set trust.allowPrivate to allow those');
  }
  if (!isPrivate && protocol === 'ws:' && !trust.allowInsecure) {
    throw refused(input, 'it is not encrypted; use wss://, or set trust.allowInsecure');
  }
}

function refused(input: string, why: string, cause?: unknown): RecloserError {
  // A query may carry a token; it stays out of messages and logs.
  const shown = JSON.stringify(input.split('?', 1)[0]?.slice(0, 80));
  return new RecloserError('INVALID_URL', `Relay URL ${shown} is refused: ${why}.`, { cause });
}
