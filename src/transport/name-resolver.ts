import { lookup, Resolver } from 'node:dns';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { isPrivateAddress } from '../../machines/policy/address.ts';
import { ADDRESSES_KEPT_MS } from '../../machines/policy/limits.ts';
import { platformError } from './platform-error.ts';
import type { Address, Resolution, ResolveOptions } from './transport.ts';

/** Milliseconds that IPv6 addresses are waited for once IPv4 ones are known (RFC 8305, section 3). */
const RESOLUTION_DELAY_MS = 50;

/**
 * Look-ups by the operating system at one time, over all names. They run on libuv's threads, of which it spares two for
 * them; one stays free for the application.
 */
const SYSTEM_LOOKUPS_MAX = 1;

const HOSTS_FILE =
  process.platform === 'win32' ? `${process.env.SystemRoot}\\System32\\drivers\\etc\\hosts` : '/etc/hosts';

/** Names that only the operating system knows: those of this network (RFC 6762), and those without a domain. */
const isLocalName = (name: string): boolean => name.endsWith('.local') || !name.includes('.');

/** Addresses of a name, or the error of looking it up. */
type Answer = { readonly addresses: readonly Address[]; readonly ttlMs: number } | { readonly error: unknown };

interface Known {
  readonly addresses: readonly Address[];
  readonly untilMs: number;
}

/**
 * Resolves relay names in Node, so that names whose servers do not answer hold nothing else up.
 *
 * `getaddrinfo` cannot be cancelled and runs on a few threads that the whole process shares, so it is the last resort: the
 * hosts file is read, then the name servers are asked directly, and the operating system only for what they do not know.
 */
export class NameResolver {
  readonly #known = new Map<string, Known>();
  readonly #waiting: (() => void)[] = [];
  #systemLookups = 0;

  /** Calls back with the addresses of a name, at once if they are known. Returns the function that cancels it. */
  resolve(name: string, options: ResolveOptions, done: (result: Resolution) => void): () => void {
    let isOver = false;
    let stop: () => void = () => {};
    const finish = (answer: Answer): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      stop();
      done(this.#resolutionOf(name, options, answer));
    };
    const timer = setTimeout(() => finish({ error: timedOut(name, options.timeoutMs) }), options.timeoutMs);
    const known = this.#known.get(name);
    if (known && known.untilMs > performance.now()) finish({ addresses: known.addresses, ttlMs: 0 });
    else stop = this.#lookUp(name, finish);
    return () => {
      isOver = true;
      clearTimeout(timer);
      stop();
    };
  }

  #lookUp(name: string, finish: (answer: Answer) => void): () => void {
    const listed = hostsEntries(name);
    if (listed.length > 0) {
      finish({ addresses: listed, ttlMs: 0 });
      return () => {};
    }
    if (isLocalName(name)) return this.#askSystem(name, finish);
    let stopSystem = (): void => {};
    const stopServers = askServers(name, (answer) => {
      // The operating system may know names that the name servers do not.
      if ('error' in answer) stopSystem = this.#askSystem(name, finish);
      else finish(answer);
    });
    return () => {
      stopServers();
      stopSystem();
    };
  }

  #askSystem(name: string, finish: (answer: Answer) => void): () => void {
    let isCancelled = false;
    const begin = (): void => {
      if (isCancelled) return this.#nextSystemLookup();
      this.#systemLookups += 1;
      lookup(name, { all: true }, (error, found) => {
        this.#systemLookups -= 1;
        this.#nextSystemLookup();
        if (error) return finish({ error });
        finish({ addresses: found as readonly Address[], ttlMs: ADDRESSES_KEPT_MS.unknown });
      });
    };
    if (this.#systemLookups < SYSTEM_LOOKUPS_MAX) begin();
    else this.#waiting.push(begin);
    return () => {
      isCancelled = true;
    };
  }

  #nextSystemLookup(): void {
    if (this.#systemLookups < SYSTEM_LOOKUPS_MAX) this.#waiting.shift()?.();
  }

  #resolutionOf(name: string, { allowPrivate }: ResolveOptions, answer: Answer): Resolution {
    if ('error' in answer) return { failure: { code: 1006, ...platformError(answer.error) } };
    const { addresses, ttlMs } = answer;
    if (ttlMs > 0) this.#known.set(name, { addresses, untilMs: performance.now() + ttlMs });
    const allowed = addresses.filter(({ address }) => allowPrivate || !isPrivateAddress(address));
    if (allowed.length > 0) return { addresses: interleaved(allowed) };
    return { failure: { code: 1006, reason: `${name} leads to a private address` } };
  }
}

/** Asks the name servers for both families at once, and reports when one has come and the other had its time. */
function askServers(name: string, done: (answer: Answer) => void): () => void {
  const resolver = new Resolver();
  const found: { readonly address: string; readonly ttl: number; readonly family: 4 | 6 }[] = [];
  let failure: unknown;
  let pending = 2;
  let isOver = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const finish = (): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    if (pending > 0) resolver.cancel();
    if (found.length === 0) return done({ error: failure });
    const ttlMs = 1_000 * Math.min(...found.map(({ ttl }) => ttl));
    const keptMs = Math.min(ADDRESSES_KEPT_MS.max, Math.max(ADDRESSES_KEPT_MS.min, ttlMs));
    done({ addresses: found.map(({ address, family }) => ({ address, family })), ttlMs: keptMs });
  };
  const take =
    (family: 4 | 6) =>
    (error: unknown, records: readonly { address: string; ttl: number }[] = []) => {
      pending -= 1;
      if (error) failure ??= error;
      for (const { address, ttl } of records) found.push({ address, ttl, family });
      if (pending === 0 || (family === 6 && found.length > 0)) finish();
      else if (found.length > 0) timer = setTimeout(finish, RESOLUTION_DELAY_MS);
    };
  resolver.resolve6(name, { ttl: true }, take(6));
  resolver.resolve4(name, { ttl: true }, take(4));
  return () => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    resolver.cancel();
  };
}

/** Addresses of a name in the hosts file, which is read anew: it is small, and people edit it. */
function hostsEntries(name: string): readonly Address[] {
  try {
    return readFileSync(HOSTS_FILE, 'utf8')
      .split('\n')
      .flatMap((line) => {
        const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
        const family = isIP(address);
        return family !== 0 && names.some((each) => each.toLowerCase() === name.toLowerCase())
          ? [{ address, family: family as 4 | 6 }]
          : [];
      });
  } catch {
    return [];
  }
}

/** The families in turns, IPv6 first (RFC 8305, section 4). */
function interleaved(addresses: readonly Address[]): readonly Address[] {
  const six = addresses.filter(({ family }) => family === 6);
  const four = addresses.filter(({ family }) => family === 4);
  const longest = Math.max(six.length, four.length);
  return Array.from({ length: longest }, (_, index) => [six[index], four[index]])
    .flat()
    .filter((each) => each !== undefined);
}

const timedOut = (name: string, timeoutMs: number): Error =>
  Object.assign(new Error(`${name} was not resolved within ${timeoutMs} ms`), { code: 'ETIMEOUT' });
