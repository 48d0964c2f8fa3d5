import type { CircuitEvent } from '../../machines/circuit/circuit.events.ts';
import type { CircuitEffect } from '../../machines/circuit/circuit.setup.ts';
import { type CircuitRecord, circuitTable, type OutcomeCircuitState } from '../../machines/circuit/circuit.table.ts';
import { BREAKER_WINDOW_CALLS } from '../../machines/policy/limits.ts';
import type { BreakerSettings } from '../../machines/policy/settings.ts';
import type { Clock } from '../clock.ts';
import type { Steps } from '../steps.ts';

export interface OutcomeCircuitDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly steps: Steps;
}

/** Changes of a circuit, for whoever sends what it guards. */
export interface CircuitListener {
  /** No operation may begin any more. */
  opened(opening: CircuitOpening): void;
  /** One operation may begin, as a trial. */
  halfOpened(): void;
  /** All operations may begin. */
  closed(): void;
}

/** Why a circuit opened, and for how long. */
export interface CircuitOpening {
  readonly cause: CircuitRecord['context']['cause'];
  readonly trips: number;
  readonly delayMs: number;
  readonly reason: string;
}

/** The circuit of one kind of operation at one relay. A success costs a write while the circuit is closed. */
export class OutcomeCircuit {
  readonly #id: string;
  readonly #relay: string;
  readonly #deps: OutcomeCircuitDeps;
  readonly #listener: CircuitListener;
  readonly #record: CircuitRecord;
  #successesAt: number[] = [];
  #timer: unknown;
  #reason = '';

  /** `id` names the kind of operation. */
  constructor(
    id: string,
    relay: string,
    settings: BreakerSettings,
    deps: OutcomeCircuitDeps,
    listener: CircuitListener,
  ) {
    this.#id = id;
    this.#relay = relay;
    this.#deps = deps;
    this.#listener = listener;
    this.#record = circuitTable.create({ settings });
  }

  get state(): OutcomeCircuitState {
    return this.#record.state;
  }

  /** Reason of the last failure, in one line. */
  get reason(): string {
    return this.#reason;
  }

  /** Time at which the next trial may begin; nothing unless the circuit is open. */
  get retryAtMs(): number | undefined {
    return this.state === 'open' ? this.#record.context.retryAtMs : undefined;
  }

  tune(settings: BreakerSettings): void {
    this.#record.context = { ...this.#record.context, settings };
  }

  succeeded(at: number): void {
    if (this.state !== 'closed') return this.#step({ type: 'outcome.succeeded', at });
    this.#successesAt.push(at);
    if (this.#successesAt.length > 2 * BREAKER_WINDOW_CALLS) this.#successesAt = this.#lastSuccesses();
  }

  failed(reason: string): void {
    const { clock, random } = this.#deps;
    const successesAt = this.#lastSuccesses();
    this.#successesAt = [];
    this.#reason = reason;
    this.#step({ type: 'outcome.failed', at: clock.now(), random: random(), successesAt });
  }

  /** An operation needs this relay. Returns true if one may begin, as a trial. */
  tryEarly(): boolean {
    if (this.state === 'open') this.#step({ type: 'TRY', at: this.#deps.clock.now() });
    return this.state !== 'open';
  }

  /** Leaves no timer behind. */
  dispose(): void {
    this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #lastSuccesses(): number[] {
    return this.#successesAt.slice(-BREAKER_WINDOW_CALLS);
  }

  #step(event: CircuitEvent): void {
    const effects = circuitTable.step(this.#record, event);
    if (effects === undefined) return;
    const { listener } = this.#deps.steps;
    listener?.({ chart: 'circuit', id: this.#id, relay: this.#relay, event, ...this.#record });
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: CircuitEffect): void {
    const { cause, trips, delayMs } = this.#record.context;
    switch (effect) {
      case 'startWait':
        this.#timer = this.#deps.clock.setTimeout(() => {
          this.#timer = undefined;
          this.#step({ type: 'wait.ended', at: this.#deps.clock.now() });
        }, delayMs);
        return;
      case 'stopWait':
        return this.dispose();
      case 'reportOpened':
        return this.#listener.opened({ cause, trips, delayMs, reason: this.#reason });
      case 'reportTrial':
        return this.#listener.halfOpened();
      case 'reportClosed':
        return this.#listener.closed();
    }
  }
}
