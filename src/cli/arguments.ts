import { RecloserError } from '../../machines/policy/error.ts';

/** One verb of the command line. It says what it finds on stdout, and what it thinks on stderr. */
export interface Verb {
  readonly usage: string;
  /** Runs it, and returns the exit code. Throws a `RecloserError` or what `parseArgs` throws for misuse. */
  run(args: string[]): Promise<number>;
}

/** A number that was given as text, or a standard one. Throws `INVALID_OPTION` with the bounds. */
export function numberOf(name: string, text: string | undefined, standard: number, most = 1_000_000): number {
  const value = text === undefined ? standard : Number(text);
  if (value > 0 && value <= most) return value;
  throw new RecloserError('INVALID_OPTION', `--${name} takes a number up to ${most}; it was given ${text}.`);
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };
const DURATION_MS_MAX = 86_400_000;

/** Milliseconds of the only argument, such as 30s, or a standard time. Throws `INVALID_OPTION` for anything else. */
export function durationOf([text, ...more]: readonly string[], standardMs: number): number {
  if (text === undefined) return standardMs;
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)([smh])$/.exec(text) ?? [];
  const durationMs = Number(amount) * (UNITS_MS[unit] ?? Number.NaN);
  if (more.length === 0 && durationMs > 0 && durationMs <= DURATION_MS_MAX) return durationMs;
  throw new RecloserError(
    'INVALID_OPTION',
    `${[text, ...more].join(' ')} is no duration; give one, such as 30s or 2m.`,
  );
}

/** A port; 0, where none is given, takes any that is free. */
export const portOf = (text: string | undefined): number =>
  text === undefined || text === '0' ? 0 : numberOf('port', text, 0, 65_535);

export const isUrl = (argument: string): boolean => /^wss?:/i.test(argument);

/** Whoever types an address means it, also where it is private or not encrypted. */
export const TYPED = { allowPrivate: true, allowInsecure: true } as const;

export const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

export const remark = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** Settles when the user has had enough: Ctrl-C, or the end of its terminal. */
export function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
    process.once('SIGHUP', () => resolve());
  });
}
