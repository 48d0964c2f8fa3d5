import { RecloserError, shown } from '../../machines/policy/error.ts';
import type { PublishOptions } from '../../machines/pool/pool.events.ts';

/** A relay as a voter: URLs that share a host are one voice. */
interface Voice {
  readonly host: string;
}

/** Whom a publication may ask, how many shall have the event, and how many distinct hosts must confirm. */
export interface Target<Relay extends Voice> {
  readonly lanes: readonly Relay[];
  readonly copies: number;
  readonly quorum: number;
  readonly hosts: number;
}

/** Resolves what a caller asked for; throws `NO_RELAYS`, `INVALID_OPTION` or `INVALID_QUORUM`. */
export function resolveTarget<Relay extends Voice>(
  options: PublishOptions,
  all: readonly Relay[],
  laneOf: (url: unknown) => Relay | undefined,
): Target<Relay> {
  const { relays = 'all', quorum: wanted = 1 } = options;
  const { lanes, copies } = chosen(relays, all, laneOf);
  if (lanes.length === 0) {
    throw new RecloserError('NO_RELAYS', 'There is no relay to publish to; add one with addRelay first.');
  }
  if (!Number.isInteger(copies) || copies < 1) {
    throw new RecloserError('INVALID_OPTION', `relays asks for ${shown(copies)} copies; give a whole number from 1.`);
  }
  const hosts = lanes.length === 1 ? 1 : new Set(lanes.map((lane) => lane.host)).size;
  const most = Math.min(hosts, copies);
  const quorum = wanted === 'all' ? most : wanted;
  if (!Number.isInteger(quorum) || quorum < 1 || quorum > most) {
    const problem = `quorum is ${shown(wanted)}; the event goes to ${most} distinct ${most === 1 ? 'host' : 'hosts'}, so give a whole number from 1 to ${most}, or 'all'.`;
    throw new RecloserError('INVALID_QUORUM', problem);
  }
  return { lanes, copies: Math.min(copies, lanes.length), quorum, hosts };
}

function chosen<Relay extends Voice>(
  relays: NonNullable<PublishOptions['relays']>,
  all: readonly Relay[],
  laneOf: (url: unknown) => Relay | undefined,
): { lanes: readonly Relay[]; copies: number } {
  if (relays === 'all') return { lanes: all, copies: all.length };
  if (typeof relays === 'number') return { lanes: all, copies: relays };
  const asked: unknown = relays;
  const among = typeof asked === 'object' && asked !== null && 'among' in asked ? asked.among : asked;
  if (!Array.isArray(among)) {
    throw new RecloserError(
      'INVALID_OPTION',
      "relays is not understood; give 'all', a number, a list of URLs, or { among, copies }.",
    );
  }
  const lanes = among.map((url: unknown) => {
    const lane = laneOf(url);
    if (!lane) throw new RecloserError('NO_RELAYS', `Relay ${shown(url)} is not in the pool; add it first.`);
    return lane;
  });
  const distinct = [...new Set(lanes)];
  return { lanes: distinct, copies: asked === among ? distinct.length : (asked as { copies: number }).copies };
}
