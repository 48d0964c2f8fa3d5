#!/usr/bin/env node
import { isNativeError } from 'node:util/types';
import { RecloserError } from '../../machines/policy/error.ts';
import { remark, say, type Verb } from './arguments.ts';
import { bench } from './bench.ts';
import { demo } from './demo.ts';
import { inspect } from './inspect.ts';
import { publish } from './publish.ts';
import { watch } from './watch.ts';

const VERBS: Readonly<Record<string, Verb>> = { demo, publish, watch, inspect, bench };

const USAGE = `usage: recloser <verb> [arguments]

${Object.values(VERBS)
  .map(({ usage }) => usage)
  .join('\n\n')}

Results go to stdout, everything else to stderr. Exit codes: 0 all is well, 1 it is not, 2 it was asked for wrongly.`;

/** Whose fault an error is: whoever asked for it, the machine, or ours. */
function failureOf(error: Error): 'misuse' | 'machine' | 'ours' {
  if (error instanceof RecloserError) return error.code === 'INSPECTOR_FAILED' ? 'machine' : 'misuse';
  const code = 'code' in error ? String(error.code) : '';
  // A file that cannot be read was named by whoever asked.
  return code.startsWith('ERR_PARSE_ARGS') || 'path' in error ? 'misuse' : 'ours';
}

async function main([name = 'help', ...args]: readonly string[]): Promise<number> {
  if (name === 'help' || name === '--help' || name === '-h') {
    say(USAGE);
    return 0;
  }
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (!verb) {
    remark(`There is no verb ${JSON.stringify(name)}.\n\n${USAGE}`);
    return 2;
  }
  if (args.includes('--help') || args.includes('-h')) {
    say(`usage: recloser ${verb.usage}`);
    return 0;
  }
  try {
    return await verb.run([...args]);
  } catch (error) {
    // What was asked for wrongly is explained, and what the machine refuses is told; anything else is our fault, and is shown
    // whole.
    if (!isNativeError(error)) throw error;
    const failure = failureOf(error);
    if (failure === 'ours') throw error;
    remark(failure === 'misuse' ? `${error.message}\n\nusage: recloser ${verb.usage}` : error.message);
    return failure === 'misuse' ? 2 : 1;
  }
}

// Whoever reads may leave, as `head` does. What was not done by then is not done.
process.stdout.on('error', () => process.exit(1));
process.exitCode = await main(process.argv.slice(2));
