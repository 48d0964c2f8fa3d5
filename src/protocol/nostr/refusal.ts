import type { Refusal, RefusalClass } from '../../../machines/policy/refusal.ts';
import { safeText } from './text.ts';

/** The standard prefixes of NIP-01 and NIP-42, and what each leaves to hope for. */
const CLASSES: ReadonlyMap<string, RefusalClass> = new Map([
  ['pow', 'final'],
  ['blocked', 'final'],
  ['invalid', 'final'],
  ['restricted', 'final'],
  ['mute', 'final'],
  ['unsupported', 'final'],
  ['rate-limited', 'paced'],
  ['error', 'passing'],
  ['auth-required', 'unauthenticated'],
]);

const PREFIX = /^([a-z][a-z-]{0,31}):/;

/** Reads the machine-readable prefix. A refusal without a known one is final: nothing says that asking again helps. */
export function refusalOf(text: string): Refusal {
  const prefix = PREFIX.exec(text)?.[1] ?? 'unspecified';
  return { class: CLASSES.get(prefix) ?? 'final', prefix, text: safeText(text) };
}

/** Reads a NOTICE that stands in place of a refusal. Without a known prefix, nothing says that asking again is in vain. */
export function noticeRefusal(text: string): Refusal {
  const refusal = refusalOf(text);
  return CLASSES.has(refusal.prefix) ? refusal : { ...refusal, class: 'passing', prefix: 'notice' };
}

/** Whether a refusal says that the relay has the event already (NIP-01), which is as good as accepting it. */
export const isDuplicate = (text: string): boolean => text.startsWith('duplicate:');
