import type { LookupFunction } from 'node:net';
import { NameResolver } from './name-resolver.ts';

const RESOLVE_MS = 5_000;

/** Refuses names that lead to private addresses. It checks the very addresses that are then connected to. */
export function publicLookup(names = new NameResolver()): LookupFunction {
  return (hostname, options, callback) => {
    names.resolve(hostname, { allowPrivate: false, timeoutMs: RESOLVE_MS }, (result) => {
      if ('failure' in result) return callback(new Error(result.failure.reason), '', 0);
      const [first] = result.addresses;
      if (options.all) return callback(null, [...result.addresses]);
      return callback(null, first?.address ?? '', first?.family ?? 0);
    });
  };
}
