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

/** The promises of the demonstration that did not hold, each as a sentence. */
export function brokenPromises(summary: Summary): readonly string[] {
  const broken: string[] = [];
  const { published, confirmed, refused, lost, deliveredTwice } = summary;
  if (confirmed + refused < published)
    broken.push(`${published - confirmed - refused} publications were not confirmed`);
  if (lost > 0) broken.push(`${lost} accepted events are stored nowhere`);
  if (deliveredTwice > 0) broken.push(`${deliveredTwice} events were delivered twice`);
  return broken;
}

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
    `failover         p50 ${percentile(failoversMs, 0.5)}, p99 ${percentile(failoversMs, 0.99)} (${failoversMs.length} publications)`,
  ];
}
