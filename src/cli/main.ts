#!/usr/bin/env node
import { isNativeError } from 'node:util/types';
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
    // What was asked for wrongly has a code; anything else is our fault, and is shown whole.
    const isMisuse = isNativeError(error) && 'code' in error && typeof error.code === 'string';
    if (!isMisuse) throw error;
    remark(`${error.message}\n\nusage: recloser ${verb.usage}`);
    return 2;
  }
}

// Whoever reads may leave, as `head` does. What was not done by then is not done.
process.stdout.on('error', () => process.exit(1));
process.exitCode = await main(process.argv.slice(2));
