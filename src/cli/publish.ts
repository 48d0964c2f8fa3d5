import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { RecloserError } from '../../machines/policy/error.ts';
import { createPool, type Pool, type PublishOptions } from '../pool/create-pool.ts';
import { isUrl, numberOf, remark, say, TYPED, type Verb } from './arguments.ts';

/** Events that are on their way at one time. */
const AT_ONCE = 256;

/** Publishes one line, and says what came of it as JSON. Whether its quorum was reached. */
async function publishLine(pool: Pool, line: string, number: number, options: PublishOptions): Promise<boolean> {
  try {
    const receipt = await pool.publish(JSON.parse(line), options);
    const { id, status, cause, accepted, quorum, confirmedMs, outcomes } = receipt;
    say(JSON.stringify({ line: number, id, status, cause, accepted, quorum, confirmedMs, outcomes }));
    return status === 'confirmed';
  } catch (error) {
    const code = error instanceof RecloserError ? error.code : 'INVALID_EVENT';
    say(JSON.stringify({ line: number, error: { code, message: (error as Error).message } }));
    return false;
  }
}

export const publish: Verb = {
  usage: `publish [file|-] URL… [--quorum N] [--copies N] [--timeout SECONDS]
    Publishes signed events, one JSON text per line of the file or of stdin, to all of the relays or to so many copies.
    Prints one result per line as JSON. Exits with 0 if every event reached its quorum, and with 1 if one did not.`,
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { quorum: { type: 'string' }, copies: { type: 'string' }, timeout: { type: 'string' } },
    });
    const urls = positionals.filter(isUrl);
    const [file = '-', ...more] = positionals.filter((argument) => !isUrl(argument));
    if (urls.length === 0) throw new RecloserError('NO_RELAYS', 'Give at least one URL of a relay.');
    if (more.length > 0) throw new RecloserError('INVALID_OPTION', `Give one file, and not ${more.join(' ')} as well.`);
    const options: PublishOptions = {
      quorum: numberOf('quorum', values.quorum, 1),
      timeoutMs: numberOf('timeout', values.timeout, 30) * 1_000,
      ...(values.copies === undefined ? {} : { relays: numberOf('copies', values.copies, 1) }),
    };
    const input = file === '-' ? process.stdin : createReadStream(file);
    const pool = createPool({ relays: urls, trust: TYPED });
    const open = new Set<Promise<unknown>>();
    let [lines, events, failures] = [0, 0, 0];
    try {
      for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
        lines += 1;
        if (line.trim() === '') continue;
        events += 1;
        const settled = publishLine(pool, line, lines, options).then((isConfirmed) => {
          open.delete(settled);
          if (!isConfirmed) failures += 1;
        });
        open.add(settled);
        if (open.size >= AT_ONCE) await Promise.race(open);
      }
      await Promise.all(open);
    } finally {
      await pool.close();
    }
    if (failures > 0) remark(`${failures} of ${events} did not reach their quorum.`);
    return failures === 0 ? 0 : 1;
  },
};
