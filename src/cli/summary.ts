import type { Receipt } from '../delivery/receipt.ts';

/** What a run of the demonstration showed. */
export interface Summary {
  readonly published: number;
  readonly confirmed: number;
  readonly refused: number;
  /** Events that were accepted and are stored nowhere. */
  readonly lost: number;
  /** Events that a relay gave its readers more than once. */
  readonly deliveredTwice: number;
  /** Publications that were open while no relay could be reached, or waited behind those. */
  readonly outlasted: number;
  /** Milliseconds that it took to work off what had waited for a relay. */
  readonly workedOffMs: number;
  /** Milliseconds to the quorum of the others that needed a stand-in for a relay that failed them. */
  readonly failoversMs: readonly number[];
  /** Milliseconds to the quorum of all that did not outlast an outage. */
  readonly latenciesMs: readonly number[];
}

const percentile = (values: readonly number[], share: number): string => {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  return value === undefined ? 'none' : `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
};

/** Whether a publication was confirmed with the help of a relay that was not asked at first. */
export const neededStandIn = (receipt: Receipt, copies: number): boolean =>
  receipt.status === 'confirmed' && Object.keys(receipt.outcomes).length > copies;

/** A promise of the demonstration, and by how many events it was broken. */
export interface PromiseKept {
  readonly promise: string;
  readonly brokenBy: number;
}

export function promises({ published, confirmed, refused, lost, deliveredTwice }: Summary): readonly PromiseKept[] {
  return [
    { promise: 'what was accepted is confirmed', brokenBy: Math.max(0, published - confirmed - refused) },
    { promise: 'what was accepted is stored', brokenBy: lost },
    { promise: 'nothing is delivered twice', brokenBy: deliveredTwice },
  ];
}

export const promiseLine = ({ promise, brokenBy }: PromiseKept): string =>
  brokenBy === 0 ? `kept             ${promise}` : `broken           ${promise}: ${brokenBy} events`;

export function summaryLines(summary: Summary): readonly string[] {
  const { published, confirmed, refused, lost, deliveredTwice, outlasted, workedOffMs, failoversMs, latenciesMs } =
    summary;
  return [
    `published        ${published}`,
    `confirmed        ${confirmed}${refused > 0 ? `, and ${refused} refused at the door` : ''}`,
    `lost             ${lost}`,
    `delivered twice  ${deliveredTwice}`,
    `outages          ${outlasted} publications outlasted one, worked off in ${workedOffMs.toFixed(0)} ms`,
    `latency          p50 ${percentile(latenciesMs, 0.5)}, p99 ${percentile(latenciesMs, 0.99)}`,
    failoversMs.length === 0
      ? 'failover         no publication needed another relay'
      : `failover         p50 ${percentile(failoversMs, 0.5)}, p99 ${percentile(failoversMs, 0.99)} (${failoversMs.length} publications)`,
  ];
}
