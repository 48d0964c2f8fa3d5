import type { Request, Strategy } from '../../machines/policy/balance/candidate.ts';
import { keepsDegraded, STRATEGIES, turnLength } from '../../machines/policy/balance/strategies.ts';
import { betterOfTwo, twoChoices } from '../../machines/policy/balance/two-choices.ts';
import { APERTURE } from '../../machines/policy/limits.ts';
import { isMoreUrgent } from '../../machines/policy/priority.ts';
import { foremost } from '../../machines/policy/ranking.ts';
import type { BalanceSettings } from '../../machines/policy/settings.ts';
import type { Clock } from '../clock.ts';
import type { Call, DeliveryLane, Publication } from './publication.ts';

export interface SelectorNeeds {
  readonly clock: Clock;
  readonly random: () => number;
  /** Settings as they are now. */
  balance(): BalanceSettings;
  /** The ways to all relays; the same list while none comes or goes. */
  lanes(): readonly DeliveryLane[];
  /** Whether so few relays serve that none of them is spared. */
  isStrained(): boolean;
}

const NOBODY: readonly DeliveryLane[] = [];

/** Draws that are tried before all candidates are looked at. */
const DRAWS = 3;

/** Chooses which relay is asked next for a publication. */
export class Selector {
  readonly #needs: SelectorNeeds;
  /** Where there are many relays: the best of them, looked up again once in a while. */
  #aperture: readonly DeliveryLane[] = [];
  #apertureOf: readonly DeliveryLane[] = [];
  #apertureAt = Number.NEGATIVE_INFINITY;
  #apertureSize: number = APERTURE.least;
  /** Where the turns have come to. */
  #turn = 0;

  constructor(needs: SelectorNeeds) {
    this.#needs = needs;
  }

  /** Chooses the relay of a call that is asked next; nothing if all have been. */
  next(publication: Publication, call: Call): DeliveryLane | undefined {
    return this.#drawn(publication, call) ?? this.#ranked(publication, call, this.#requestOf(publication));
  }

  /** One of some relays, for something that stays there. */
  among(lanes: readonly DeliveryLane[], key: string): DeliveryLane | undefined {
    const { random } = this.#needs;
    const { healthWeight, regions } = this.#needs.balance();
    const request = { key, isUrgent: false, healthWeight, absent: NOBODY, regions, random };
    const chosen = this.#chosen(this.#keepsDegraded ? lanes : foremost(lanes), request);
    if (!chosen) return undefined;
    this.#turn = Math.max(this.#turn, chosen.turns);
    chosen.turns += turnLength(this.#strategy, chosen, request);
    return chosen;
  }

  /** The relay that was chosen is asked. */
  taken(publication: Publication, lane: DeliveryLane): void {
    this.#turn = Math.max(this.#turn, lane.turns);
    lane.turns += turnLength(this.#strategy, lane, this.#requestOf(publication));
  }

  /** A relay begins to serve: it has missed its turns, and does not catch up with them. */
  joined(lane: DeliveryLane): void {
    lane.turns = Math.max(lane.turns, this.#turn);
  }

  /** By drawing from the best, which takes as long with ten thousand relays as with ten. */
  #drawn(publication: Publication, { lanes }: Call): DeliveryLane | undefined {
    const all = this.#needs.lanes();
    if (this.#strategy !== twoChoices || lanes !== all || all.length <= APERTURE.from) return undefined;
    if (this.#needs.isStrained()) return undefined;
    const aperture = this.#currentAperture(all);
    const asked = new Set(Array.from(publication.deliveries.keys(), ({ host }) => host));
    const isFit = (lane: DeliveryLane): boolean =>
      lane.isServing && lane.status === 'connected' && !asked.has(lane.host) && !publication.isSupersededOn(lane);
    const isBetter = (a: DeliveryLane, b: DeliveryLane): boolean =>
      isFit(a) === isFit(b) ? a.costMs < b.costMs : isFit(a);
    for (let draw = 0; draw < DRAWS; draw += 1) {
      const lane = betterOfTwo(aperture, isBetter, this.#needs.random);
      if (lane && isFit(lane)) return lane;
    }
    return undefined;
  }

  #currentAperture(all: readonly DeliveryLane[]): readonly DeliveryLane[] {
    const now = this.#needs.clock.now();
    if (this.#apertureOf === all && now - this.#apertureAt < APERTURE.renewMs) return this.#aperture;
    const load = this.#aperture.reduce((sum, lane) => sum + lane.load, 0) / Math.max(1, this.#aperture.length);
    if (load > APERTURE.widenAt) this.#apertureSize = Math.min(APERTURE.most, Math.ceil(1.5 * this.#apertureSize));
    else if (load < APERTURE.narrowAt) this.#apertureSize = Math.max(APERTURE.least, this.#apertureSize - 1);
    this.#apertureOf = all;
    this.#apertureAt = now;
    this.#aperture = all
      .filter((lane) => lane.isServing && lane.status === 'connected')
      .map((lane) => ({ lane, costMs: lane.costMs / (lane.load + 1) }))
      .sort((a, b) => a.costMs - b.costMs)
      .slice(0, this.#apertureSize)
      .map(({ lane }) => lane);
    return this.#aperture;
  }

  /** By looking at all candidates. */
  #ranked(publication: Publication, { lanes }: Call, request: Request): DeliveryLane | undefined {
    const { deliveries } = publication;
    // One that serves comes before one that does not, and a host that has not been asked before the second URL of one
    // that has.
    const untried = lanes.filter((lane) => !deliveries.has(lane) && !publication.isSupersededOn(lane));
    const serving = untried.filter((lane) => lane.isServing);
    const asked = new Set(Array.from(deliveries.keys(), (lane) => lane.host));
    const best = serving.length > 0 ? serving : untried;
    const fresh = best.filter((lane) => !asked.has(lane.host));
    const from = fresh.length > 0 ? fresh : best;
    const absent = serving.length > 0 && serving.length < untried.length ? untried.filter(isAbsent) : NOBODY;
    const candidates = this.#keepsDegraded && serving.length > 0 ? from : foremost(from);
    return this.#chosen(candidates, { ...request, absent });
  }

  get #strategy(): Strategy {
    const { strategy } = this.#needs.balance();
    return typeof strategy === 'function' ? strategy : STRATEGIES[strategy];
  }

  /** Whether degraded relays are asked like others: by the strategy, or because there are too few. */
  get #keepsDegraded(): boolean {
    return keepsDegraded(this.#strategy) || this.#needs.isStrained();
  }

  #chosen(from: readonly DeliveryLane[], request: Request): DeliveryLane | undefined {
    if (from.length <= 1) return from[0];
    try {
      const chosen = this.#strategy(from, request);
      if (chosen && from.includes(chosen)) return chosen;
    } catch {
      // A strategy of the application that fails has no opinion; the event is sent all the same.
    }
    return twoChoices(from, request);
  }

  #requestOf({ id, affinityKey = id, priority }: Publication): Request {
    const { random } = this.#needs;
    const { healthWeight, regions } = this.#needs.balance();
    const isUrgent = isMoreUrgent(priority, 'normal');
    return { key: affinityKey, isUrgent, healthWeight, absent: NOBODY, regions, random };
  }
}

const isAbsent = (lane: DeliveryLane): boolean => !lane.isServing;
