import { RecloserError, shown } from '../../machines/policy/error.ts';
import type { PublishOptions } from '../../machines/pool/pool.events.ts';
import { bytesIn } from '../frame.ts';

/** A relay as a voter: URLs that share a host are one voice. */
interface Voice {
  readonly host: string;
  /** Bytes of a frame, at most. */
  readonly frameBytesMax: number;
}

/** Whom a publication may ask, how many shall have the event, and how many distinct hosts must confirm. */
export interface Target<Relay extends Voice> {
  readonly lanes: readonly Relay[];
  readonly copies: number;
  readonly quorum: number;
  readonly hosts: number;
}

/** The relays that there are, and what they are called. */
export interface Known<Relay> {
  readonly all: readonly Relay[];
  readonly clusters: Readonly<Record<string, readonly string[]>>;
  laneOf(url: unknown): Relay | undefined;
}

/** Distinct hosts of all relays, counted once for each list of them. */
const hostsOfAll = new WeakMap<object, number>();

function countHosts(lanes: readonly Voice[], isAll: boolean): number {
  const known = isAll ? hostsOfAll.get(lanes) : undefined;
  if (known !== undefined) return known;
  const hosts = lanes.length === 1 ? 1 : new Set(lanes.map((lane) => lane.host)).size;
  if (isAll) hostsOfAll.set(lanes, hosts);
  return hosts;
}

/** Resolves what a caller asked for; throws `NO_RELAYS`, `INVALID_OPTION` or `INVALID_QUORUM`. */
export function resolveTarget<Relay extends Voice>(options: PublishOptions, known: Known<Relay>): Target<Relay> {
  const { relays = 'all', quorum: wanted = 1 } = options;
  const { lanes, copies } = chosen(relays, known);
  if (lanes.length === 0) {
    throw new RecloserError('NO_RELAYS', 'There is no relay to ask; add one with addRelay first.');
  }
  if (!Number.isInteger(copies) || copies < 1) {
    throw new RecloserError('INVALID_OPTION', `relays asks for ${shown(copies)} copies; give a whole number from 1.`);
  }
  const hosts = countHosts(lanes, lanes === known.all);
  const most = Math.min(hosts, copies);
  const quorum = wanted === 'all' ? most : wanted;
  if (!Number.isInteger(quorum) || quorum < 1 || quorum > most) {
    const problem = `quorum is ${shown(wanted)}; the event goes to ${most} distinct ${most === 1 ? 'host' : 'hosts'}, so give a whole number from 1 to ${most}, or 'all'.`;
    throw new RecloserError('INVALID_QUORUM', problem);
  }
  return { lanes, copies: Math.min(copies, lanes.length), quorum, hosts };
}

/** The same without relays that take no frame as large as this one; throws `INVALID_EVENT` where none is left. */
export function fitting<Relay extends Voice>(
  target: Target<Relay>,
  { frame }: { readonly frame: string },
): Target<Relay> {
  const bytes = bytesIn(frame);
  const lanes = target.lanes.filter(({ frameBytesMax }) => bytes <= frameBytesMax);
  if (lanes.length === target.lanes.length) return target;
  const hosts = countHosts(lanes, false);
  if (hosts < target.quorum) {
    const most = Math.max(...target.lanes.map(({ frameBytesMax }) => frameBytesMax));
    const problem = `The event takes ${bytes} bytes; ${hosts} of ${target.hosts} hosts take as many, the quorum is ${target.quorum}, and the largest frameBytesMax is ${most}.`;
    throw new RecloserError('INVALID_EVENT', problem);
  }
  return { lanes, copies: Math.min(target.copies, lanes.length), quorum: target.quorum, hosts };
}

function chosen<Relay extends Voice>(
  relays: NonNullable<PublishOptions['relays']>,
  { all, clusters, laneOf }: Known<Relay>,
): { lanes: readonly Relay[]; copies: number } {
  if (relays === 'all') return { lanes: all, copies: all.length };
  if (typeof relays === 'number') return { lanes: all, copies: relays };
  const asked: unknown = relays;
  const named = typeof asked === 'object' && asked !== null && 'cluster' in asked ? asked.cluster : undefined;
  if (named !== undefined) {
    if (typeof named !== 'string' || !Object.hasOwn(clusters, named)) {
      const known = Object.keys(clusters).join(', ') || 'none';
      throw new RecloserError('INVALID_OPTION', `There is no cluster ${shown(named)}; the pool has ${known}.`);
    }
    const members = clusters[named] as readonly string[];
    const { copies = members.length } = asked as { copies?: number };
    return chosen({ among: members, copies }, { all, clusters, laneOf });
  }
  const among = typeof asked === 'object' && asked !== null && 'among' in asked ? asked.among : asked;
  if (!Array.isArray(among)) {
    throw new RecloserError(
      'INVALID_OPTION',
      "relays is not understood; give 'all', a number, a list of URLs, { among, copies } or { cluster, copies }.",
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
