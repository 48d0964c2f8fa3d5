import { shortReason } from './transport.ts';

/** A platform's error as a close report shows it. */
export interface PlatformError {
  readonly reason: string;
  readonly errorCode?: string;
}

/**
 * Reads the reason and the system's code of an error. Where several addresses were tried, the platform joins their errors
 * under one without words.
 */
export function platformError(error: unknown): PlatformError {
  const all = error instanceof AggregateError && error.errors.length > 0 ? error.errors : [error];
  const reasons = new Set(all.map((each) => (each instanceof Error ? each.message : String(each))));
  const code = all.map(codeOf).find((each) => each !== undefined) ?? codeOf(error);
  const text = [...reasons].filter((each) => each.length > 0).join('; ');
  const reason = shortReason(code === undefined || text.includes(code) ? text : text ? `${code}: ${text}` : code);
  return { reason, ...(code === undefined ? {} : { errorCode: code }) };
}

const codeOf = (error: unknown): string | undefined => {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
};
