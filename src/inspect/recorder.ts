import { type Clock, type Fact, type Pool, systemClock } from '../index.ts';
import { type ObserveOptions, observePool } from './observe.ts';
import { MessageLog, type Recording } from './recording.ts';

/** Facts at which somebody may want to know what came before. */
export const FAILURES = [
  'pool.stranded',
  'relay.abandoned',
  'outbox.failed',
  'state.failed',
  'verifier.failed',
] as const satisfies readonly Fact['type'][];

export interface RecorderOptions {
  /** Milliseconds that are kept. Default five minutes. */
  readonly ageMaxMs?: number | undefined;
  /** Messages that are kept at most, each some hundreds of bytes. Default 20,000. */
  readonly messagesMax?: number | undefined;
  /** Milliseconds between two samples of the metrics. Default 1000. */
  readonly sampleMs?: number | undefined;
  /** Whether single publications and subscriptions are recorded as well, as many as can be followed. Default `false`. */
  readonly records?: boolean | undefined;
  /** As `ObserveOptions.alerts`. */
  readonly alerts?: ObserveOptions['alerts'];
  /** As `ObserveOptions.reveal`. */
  readonly reveal?: boolean | undefined;
  /**
   * Called with what came before when something failed for all (`FAILURES`), at most once a minute. What it throws, or rejects
   * with, goes to `onError`, and otherwise nowhere: a recorder takes nobody down.
   */
  readonly onFailure?: ((recording: Recording, fact: Fact) => unknown) | undefined;
  readonly onError?: ((error: unknown) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/** Keeps the last minutes of a pool, to be looked at afterwards. */
export interface Recorder {
  /** What has happened so far, as far as it is kept. */
  recording(): Recording;
  /** Records nothing more; what was recorded stays. */
  stop(): void;
}

const FAILURES_APART_MS = 60_000;

/**
 * Records a pool until it is closed: the transitions of its actors (of those that change more than 200 times in 100 ms, the last), every
 * fact of a relay, and samples of the metrics.
 */
export function createRecorder(pool: Pool, options: RecorderOptions = {}): Recorder {
  const { clock = systemClock, ageMaxMs = 300_000, messagesMax = 20_000, onFailure } = options;
  const log = new MessageLog({ ageMaxMs, messagesMax });
  const observing: ObserveOptions = {
    summaryMs: options.sampleMs ?? 1_000,
    records: options.records ?? false,
    alerts: options.alerts,
    reveal: options.reveal,
    clock,
  };
  const unobserve = observePool(pool, (message) => log.add(message), observing);
  const recording = (): Recording => log.recording(clock.now());
  let failedAt = Number.NEGATIVE_INFINITY;
  // After it was recorded itself.
  const hearing = pool.actor.on('*', (fact) => {
    const isFailure = (FAILURES as readonly string[]).includes(fact.type);
    if (!isFailure || !onFailure || clock.now() - failedAt < FAILURES_APART_MS) return;
    failedAt = clock.now();
    const told = new Promise((resolve) => resolve(onFailure(recording(), fact as Fact)));
    told.catch((error: unknown) => options.onError?.(error));
  });
  return {
    recording,
    stop: () => {
      unobserve();
      hearing.unsubscribe();
    },
  };
}
